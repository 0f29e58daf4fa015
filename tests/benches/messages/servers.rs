//! The processes that are measured: started, alone or under `strace`, and ended.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// One of them; killed when dropped.
pub struct Server {
    child: Child,
    /// What `strace` writes, where it is in between.
    trace: Option<PathBuf>,
}

impl Server {
    /// Starts `program`; its standard output is a pipe.
    pub fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: &[S],
        trace: Option<PathBuf>,
    ) -> io::Result<Self> {
        let mut command = match &trace {
            None => Command::new(program),
            Some(trace) => {
                let mut command = Command::new("strace");
                command.args(["-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-e"]);
                command.arg("trace=fsync,fdatasync,sync_file_range,msync");
                command.arg("-o").arg(trace).arg(program);
                command
            }
        };
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, trace })
    }

    /// Its process; of no use under `strace`.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Its standard output, once.
    pub fn output(&mut self) -> io::Result<tokio::process::ChildStdout> {
        let output = self.child.stdout.take();
        output.ok_or_else(|| io::Error::other("a server without output"))
    }

    /// Syncs that it has begun so far; none where nobody counts.
    pub fn syncs(&self) -> usize {
        let text = self.trace.as_ref().map(std::fs::read);
        let text = text.and_then(Result::ok).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // A call that another thread's call cuts in two has a second line.
        text.lines()
            .filter(|line| !line.contains("resumed>"))
            .count()
    }

    /// Asks it to end, and waits until it is gone.
    pub async fn stop(mut self) -> io::Result<()> {
        // `strace` passes no signal on: its child is asked.
        let asked = match &self.trace {
            None => vec![self.pid()],
            Some(_) => peerage_tests::process::descendants(self.pid()),
        };
        for pid in asked {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid {
                kill_process(pid, Signal::TERM)?;
            }
        }
        self.child.wait().await.map(drop)
    }
}
