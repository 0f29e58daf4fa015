//! One run of the command line: its exit code and what it said.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::binary;

/// Longer than any command here needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a command line said when it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its answer.
    pub stdout: String,
    /// Its notes and failures.
    pub stderr: String,
}

/// Runs `peerage ARGS... --home HOME` to its end.
pub async fn run(home: &Path, arguments: &[&str]) -> Said {
    let command = command(home, arguments).output();
    let output = timeout(PATIENCE, command).await.expect("the command ends");
    Said::new(&output.expect("the command starts"))
}

/// The same, to be started by the caller; killed when dropped.
pub fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary::peerage());
    // Before the arguments: what stands behind `--` belongs to a served command.
    command
        .arg("--home")
        .arg(home)
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

impl Said {
    /// Of a process that has ended.
    pub fn new(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Itself, when it ended well.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Its answer as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("{error} in {self:?}"),
        }
    }
}
