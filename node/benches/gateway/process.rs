//! A part of the stage as a child process: its ready line, its processor time, its memory, its end.

use std::fs;
use std::io::{self, Write};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::roles::ROLE;

/// Processor time is counted in ticks of a hundredth of a second (`proc_pid_stat(5)`; Linux has had no other value
/// for user space since 2.4).
const TICK_MICROS: f64 = 10_000.0;

/// A running part; killed when dropped.
pub struct Part {
    child: Child,
    ready: String,
}

impl Part {
    /// Starts this program as the part `name` and waits for its ready line.
    pub async fn start(name: &str, arguments: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ROLE).arg(name).args(arguments);
        Self::spawn(command).await
    }

    /// Runs `command` and waits for the first line that it writes.
    pub async fn spawn(mut command: Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().map(BufReader::new);
        let output = output.ok_or_else(|| io::Error::other("a part without output"))?;
        let ready = output.lines().next_line().await?;
        let ready = ready.ok_or_else(|| io::Error::other("a part ended before it was ready"))?;
        Ok(Self { child, ready })
    }

    /// What it said when it was ready.
    pub fn ready(&self) -> &str {
        &self.ready
    }

    /// Processor time of all its threads so far, in microseconds.
    pub fn processor_micros(&self) -> f64 {
        self.child.id().map_or(0.0, processor_micros)
    }

    /// Its resident memory, in MiB.
    pub fn resident_mebibytes(&self) -> io::Result<f64> {
        let id = self.child.id().unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kibibytes
            .map(|kibibytes| kibibytes / 1024.0)
            .ok_or_else(|| io::Error::other("the system does not tell its memory"))
    }

    /// Ends it at once and waits until it is gone.
    pub async fn end(mut self) -> io::Result<()> {
        self.child.kill().await
    }
}

/// Processor time of a process so far, in microseconds; nothing where the system does not tell.
pub fn processor_micros(id: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th field after it.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        * TICK_MICROS
}

/// The load average of the system over the last minute.
pub fn load_average() -> f64 {
    let averages = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = averages.split_whitespace().next();
    first
        .and_then(|first| first.parse().ok())
        .unwrap_or_default()
}

/// Tells whoever started this part that it can be used.
pub fn say_ready(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}
