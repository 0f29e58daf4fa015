//! A real node in a process of its own, in a process group of its own, gone when dropped.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use peerage_node::node::Ready;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use crate::cli::{self, Said};

/// Longer than any start here needs on a busy machine.
const START: Duration = Duration::from_secs(60);

/// How a node of a test listens for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// QUIC over UDP only.
    Quic,
    /// TCP only.
    Tcp,
}

impl Transport {
    fn listen(self, port: u16) -> String {
        match self {
            Transport::Quic => format!("/ip4/127.0.0.1/udp/{port}/quic-v1"),
            Transport::Tcp => format!("/ip4/127.0.0.1/tcp/{port}"),
        }
    }
}

/// A running node.
#[derive(Debug)]
pub struct Peerage {
    child: Child,
    home: PathBuf,
    ready: Ready,
    log: NamedTempFile,
}

impl Peerage {
    /// Starts a node on `home` that listens on loopback over QUIC and TCP, and waits until it is ready.
    pub async fn up(home: &Path, arguments: &[&str]) -> Self {
        Self::up_at(
            home,
            &[Transport::Quic.listen(0), Transport::Tcp.listen(0)],
            arguments,
        )
        .await
    }

    /// The same, over one transport only. Port 0 picks one.
    pub async fn up_over(home: &Path, transport: Transport, port: u16, arguments: &[&str]) -> Self {
        Self::up_at(home, &[transport.listen(port)], arguments).await
    }

    /// The same, at these multiaddresses.
    pub async fn up_at(home: &Path, listen: &[String], arguments: &[&str]) -> Self {
        Self::is_ready(Self::start(home, listen, &[], arguments).await)
    }

    fn is_ready(started: Result<Self, NamedTempFile>) -> Self {
        started.unwrap_or_else(|log| {
            let said = std::fs::read_to_string(log.path()).unwrap_or_default();
            panic!("the node ended before it was ready: {said}");
        })
    }

    /// The same over QUIC, with this in its environment.
    ///
    /// # Errors
    ///
    /// Where it ended before it was ready: what it said.
    pub async fn up_with(
        home: &Path,
        arguments: &[&str],
        environment: &[(&str, String)],
    ) -> Result<Self, String> {
        let listen = [Transport::Quic.listen(0)];
        let environment = environment.iter();
        let environment: Vec<(&str, &Path)> = environment
            .map(|(name, value)| (*name, Path::new(value)))
            .collect();
        let started = Self::start(home, &listen, &environment, arguments).await;
        started.map_err(|log| std::fs::read_to_string(log.path()).unwrap_or_default())
    }

    async fn start(
        home: &Path,
        listen: &[String],
        environment: &[(&str, &Path)],
        arguments: &[&str],
    ) -> Result<Self, NamedTempFile> {
        let mut command = cli::command(home, &["--json", "up", "--http", "auto", "--no-mdns"]);
        for address in listen {
            command.args(["--listen", address]);
        }
        let log = NamedTempFile::new().expect("a file for the log");
        let stderr = log.reopen().expect("the log can be written");
        let mut child = command
            .stderr(stderr)
            .args(arguments)
            .envs(environment.iter().copied())
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the node starts");
        let ready = timeout(START, read_ready(&mut child))
            .await
            .expect("the node is ready in time");
        match ready {
            Some(ready) => Ok(Self {
                child,
                home: home.to_path_buf(),
                ready,
                log,
            }),
            None => Err(log),
        }
    }

    /// What it said when it was ready.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The first, in this environment.
    pub async fn up_in(home: &Path, environment: &[(&str, &Path)], arguments: &[&str]) -> Self {
        let listen = [Transport::Quic.listen(0), Transport::Tcp.listen(0)];
        Self::is_ready(Self::start(home, &listen, environment, arguments).await)
    }

    /// Its home.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the node has not been waited for")
    }

    /// Runs the command line on its home.
    pub async fn cli(&self, arguments: &[&str]) -> Said {
        cli::run(&self.home, arguments).await
    }

    /// Asks it to stop with SIGTERM, and says how it ended and how long that took.
    pub async fn stop(mut self) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        kill_process(self.group(), Signal::TERM).expect("the node can be signalled");
        let status = timeout(START, self.child.wait())
            .await
            .expect("the node stops");
        (status.expect("the node can be waited for"), asked.elapsed())
    }

    /// Kills it and its group with SIGKILL, as a crash would.
    pub async fn kill(mut self) {
        kill_process_group(self.group(), Signal::KILL).expect("the node can be killed");
        self.child.wait().await.expect("the node can be waited for");
    }

    fn group(&self) -> Pid {
        let pid = i32::try_from(self.pid()).expect("a process id fits");
        Pid::from_raw(pid).expect("a process id is not zero")
    }
}

impl Drop for Peerage {
    /// Kills it, shows its log, and fails the test of a node that has panicked anywhere.
    fn drop(&mut self) {
        if self.child.id().is_some() {
            // Its group has its own id, so nothing else can be hit.
            let _ = kill_process_group(self.group(), Signal::KILL);
        }
        let log = std::fs::read_to_string(self.log.path()).unwrap_or_default();
        eprintln!("the log of {}:\n{log}", self.home.display());
        if !std::thread::panicking() {
            assert!(
                !log.contains("panicked at"),
                "the node panicked; see its log"
            );
        }
    }
}

/// Reads the ready line, `None` if the node ended before it; then keeps the pipe drained so that the node never blocks on it.
async fn read_ready(child: &mut Child) -> Option<Ready> {
    let stdout = child.stdout.take().expect("standard output is a pipe");
    let mut lines = BufReader::new(stdout).lines();
    let line = lines.next_line().await.expect("standard output is text")?;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some(serde_json::from_str(&line).expect("the first line is the ready line"))
}
