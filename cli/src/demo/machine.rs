//! One machine of the demonstration: a node in a process of its own, on a home of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use peerage_node::home::Home;
use peerage_node::node::Ready;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::failure::Failure;
use crate::socket::Client;

/// Longer than a start takes on a busy machine.
const START: Duration = Duration::from_secs(30);
/// Longer than a node takes to stop when asked.
const STOP: Duration = Duration::from_secs(6);
/// Bytes of the ready line that are read.
const READY_BYTES_MAX: u64 = 64 * 1024;
/// Lines of a node's log that are shown when it does not start.
const LOG_LINES_SHOWN: usize = 5;

/// A node and where it lives. Its process ends with this value, and with the process that holds it.
pub(super) struct Machine {
    name: &'static str,
    home: Home,
    process: Option<Child>,
}

impl Machine {
    /// A home for a node of this name in `folder`; nothing runs yet.
    pub(super) fn new(folder: &Path, name: &'static str) -> Result<Self, Failure> {
        let home = Home::at(&folder.join(name)).and_then(|home| home.prepare());
        Ok(Self {
            name,
            home: home.map_err(|error| Failure::failed("home", error))?,
            process: None,
        })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    /// Asks its node.
    pub(super) fn client(&self) -> Client {
        Client::new(self.home.clone())
    }

    /// Runs its node, on loopback alone, and waits until it answers.
    pub(super) async fn start(&mut self) -> Result<Ready, Failure> {
        let mut process = self.spawn().map_err(|error| self.cannot("start", error))?;
        let ready = timeout(START, read_ready(&mut process)).await;
        self.process = Some(process);
        match ready {
            Ok(Some(ready)) => Ok(ready),
            Ok(None) => Err(self.cannot("start", self.last_words())),
            Err(_) => Err(self.cannot("start", format!("not ready within {START:?}"))),
        }
    }

    fn spawn(&self) -> io::Result<Child> {
        let log = fs::File::create(self.log())?;
        Command::new(std::env::current_exe()?)
            .arg("--home")
            .arg(self.home.root())
            .args(["--json", "up", "--while-stdin-open", "--no-mdns"])
            .args(["--name", self.name, "--http", "auto", "--log", "warn"])
            .args(["--listen", "/ip4/127.0.0.1/udp/0/quic-v1"])
            .args(["--listen", "/ip4/127.0.0.1/tcp/0"])
            .env_remove("RUST_LOG")
            // Held open as long as this process lives: however it ends, the node ends as well.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Of its own, so that Ctrl-C reaches this process alone, which then stops the nodes in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Ends its node as a crash would.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        process
            .kill()
            .await
            .map_err(|error| self.cannot("be killed", error))
    }

    /// Asks its node to stop, and kills it when it does not.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        let Some(process) = self.process.as_mut() else {
            return Ok(());
        };
        if let Some(pid) = process.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            // It may have ended in this moment.
            let _ = kill_process(pid, Signal::TERM);
        }
        match timeout(STOP, process.wait()).await {
            Ok(_) => {
                self.process = None;
                Ok(())
            }
            Err(_) => self.kill().await,
        }
    }

    fn log(&self) -> PathBuf {
        self.home.root().join("demo.log")
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
        match lines[from..].join("; ") {
            said if said.is_empty() => "it said nothing".to_owned(),
            said => said,
        }
    }

    fn cannot(&self, deed: &str, why: impl ToString) -> Failure {
        let why = why.to_string();
        let message = format!(
            "the node {} of the demonstration cannot {deed}: {why}; look for what is missing with: peerage doctor",
            self.name
        );
        Failure::failed("demo", message)
    }
}

/// The ready line; `None` when the node ends before it.
async fn read_ready(process: &mut Child) -> Option<Ready> {
    let output = process.stdout.take()?;
    let mut line = String::new();
    let mut output = BufReader::new(output.take(READY_BYTES_MAX));
    output.read_line(&mut line).await.ok()?;
    serde_json::from_str(&line).ok()
}
