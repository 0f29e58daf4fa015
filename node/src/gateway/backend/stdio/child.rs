//! One child process in a process group of its own: started with named errors, ended with everything it started.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop, ProcessGroup};
use rustix::process::Signal;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::config::firebase::FIREBASE_TOKEN_VARIABLE;
use crate::config::upstream::UpstreamTransport;

/// A running child. Dropping it kills its whole group.
#[derive(Debug)]
pub(crate) struct Child {
    process: Box<dyn ChildWrapper>,
    ended: bool,
}

/// The three standard streams of a child.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

impl Child {
    /// Starts the program of a stdio `transport`, in `home` unless it names a directory of its own.
    pub(crate) fn spawn(
        transport: &UpstreamTransport,
        home: &Path,
    ) -> Result<(Self, Streams), SpawnError> {
        let UpstreamTransport::Stdio {
            command,
            args,
            env,
            cwd,
            instance: _,
        } = transport
        else {
            return Err(SpawnError::NotAProgram);
        };
        let folder = cwd.as_deref().unwrap_or(home);
        let mut wrapped = CommandWrap::with_new(command, |child| {
            child
                .args(args)
                // The node's own, which no upstream has a use for; who names it for one has.
                .env_remove(FIREBASE_TOKEN_VARIABLE)
                .envs(env)
                .current_dir(folder)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        });
        let mut process = wrapped
            .wrap(ProcessGroup::leader())
            .wrap(KillOnDrop)
            .spawn()
            .map_err(|error| SpawnError::of(&error, command, folder))?;
        let streams = (
            process.stdin().take(),
            process.stdout().take(),
            process.stderr().take(),
        );
        let child = Self {
            process,
            ended: false,
        };
        match streams {
            (Some(stdin), Some(stdout), Some(stderr)) => {
                let streams = Streams {
                    stdin,
                    stdout,
                    stderr,
                };
                Ok((child, streams))
            }
            _ => Err(SpawnError::NoStreams),
        }
    }

    /// Waits until the process has ended by itself; says how. What it started is ended too.
    pub(crate) async fn exited(&mut self) -> String {
        let status = self.process.wait().await;
        self.kill_group();
        self.ended = true;
        match status {
            Ok(status) => in_words(status),
            Err(error) => format!("it cannot be waited for: {}", error.kind()),
        }
    }

    /// Ends the process, whose standard input is closed already: waits for `grace`, asks it and its group to end,
    /// waits again, kills them all.
    pub(crate) async fn end(&mut self, grace: Duration) {
        if self.ended || timeout(grace, self.exited()).await.is_ok() {
            return;
        }
        let _ = self.process.signal(Signal::TERM.as_raw());
        if timeout(grace, self.exited()).await.is_ok() {
            return;
        }
        self.kill_group();
        if timeout(grace, self.exited()).await.is_err() {
            tracing::warn!(target: "upstream", "a child process does not end, even when killed");
        }
    }

    fn kill_group(&mut self) {
        let _ = self.process.start_kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.ended {
            self.kill_group();
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it exited with status {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

/// Why a program does not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpawnError {
    /// No such program.
    #[error("no program {command:?} in PATH; install it, or give its full path in mcp.json")]
    NotInPath {
        /// As configured.
        command: String,
    },
    /// No file at that path.
    #[error("there is no program at {command:?}; correct the path in mcp.json")]
    NoSuchFile {
        /// As configured.
        command: String,
    },
    /// The working directory is missing.
    #[error("its working directory {} does not exist", folder.display())]
    NoFolder {
        /// As configured.
        folder: PathBuf,
    },
    /// The operating system refused.
    #[error("{command:?} does not start: {kind}")]
    Refused {
        /// As configured.
        command: String,
        /// As the operating system says.
        kind: io::ErrorKind,
    },
    /// The process came without its streams.
    #[error("its standard streams could not be opened")]
    NoStreams,
    /// The settings name no program.
    #[error("it is not configured as a program")]
    NotAProgram,
}

impl SpawnError {
    fn of(error: &io::Error, command: &str, folder: &Path) -> Self {
        let command = command.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound if !folder.is_dir() => SpawnError::NoFolder {
                folder: folder.to_owned(),
            },
            io::ErrorKind::NotFound if command.contains('/') => SpawnError::NoSuchFile { command },
            io::ErrorKind::NotFound => SpawnError::NotInPath { command },
            kind => SpawnError::Refused { command, kind },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn program(command: &str, cwd: Option<&str>) -> UpstreamTransport {
        UpstreamTransport::Stdio {
            command: command.to_owned(),
            args: Vec::new(),
            env: Default::default(),
            cwd: cwd.map(PathBuf::from),
            instance: Default::default(),
        }
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let home = std::env::temp_dir();
        let missing = |command, cwd| Child::spawn(&program(command, cwd), &home).unwrap_err();
        assert!(matches!(
            missing("no-such-program-x", None),
            SpawnError::NotInPath { .. }
        ));
        assert!(matches!(
            missing("/no/such/file", None),
            SpawnError::NoSuchFile { .. }
        ));
        assert!(matches!(
            missing("cat", Some("/no/such/folder")),
            SpawnError::NoFolder { .. }
        ));
    }

    #[tokio::test]
    async fn an_exit_is_told_in_words() {
        let (mut child, _streams) =
            Child::spawn(&program("false", None), &std::env::temp_dir()).unwrap();
        assert_eq!(child.exited().await, "it exited with status 1");
    }
}
