//! Starts the node in the background: a process of its own, its log in the home, ready when this returns.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use peerage_node::gateway::frontend::rest::api::StatusResponse;
use peerage_node::home::{Home, HomeError};
use tokio::time::{Instant, sleep};

use crate::failure::Failure;
use crate::socket::Client;

/// How long a node may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks at whether it does.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// A log longer than this, in bytes, is put aside when the next node starts.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How much of the log's end is looked at for the reason of a failed start, in bytes.
const LOG_TAIL_BYTES: u64 = 4 * 1024;
/// How many lines of it are shown.
const LOG_TAIL_LINES: usize = 5;

/// A node that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// The process that was started; `None` when a node ran already.
    pub started: Option<u32>,
    /// What the node says of itself.
    pub status: StatusResponse,
}

/// Makes sure that a node runs on `home`, starting `peerage up ARGUMENTS` in the background where none does, and waits
/// until it answers.
pub(crate) async fn ensure_running(
    home: &Home,
    arguments: &[OsString],
) -> Result<Running, BackgroundError> {
    let home = home.prepare()?;
    if let Some(status) = status(&home).await? {
        return Ok(Running {
            started: None,
            status,
        });
    }
    let mut child = spawn(&home, arguments)?;
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        if let Some(status) = status(&home).await? {
            let ended = child.try_wait().map_err(BackgroundError::Watch)?;
            return Ok(Running {
                started: ended.is_none().then_some(child.id()),
                status,
            });
        }
        if let Some(ended) = child.try_wait().map_err(BackgroundError::Watch)? {
            return after_end(&home, ended).await;
        }
        if Instant::now() >= deadline {
            return Err(BackgroundError::NotReady {
                pid: child.id(),
                log: home.log(),
            });
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// A node that ended may have found the home taken by another, which another command started at the same moment.
async fn after_end(home: &Home, ended: ExitStatus) -> Result<Running, BackgroundError> {
    let deadline = Instant::now() + READY_WITHIN;
    while home_is_held(home) && Instant::now() < deadline {
        if let Some(status) = status(home).await? {
            return Ok(Running {
                started: None,
                status,
            });
        }
        sleep(LOOK_INTERVAL).await;
    }
    Err(BackgroundError::Ended {
        ended,
        log: home.log(),
        last_lines: last_lines(&home.log()),
    })
}

fn home_is_held(home: &Home) -> bool {
    matches!(home.lock(), Err(HomeError::Held { .. }))
}

/// What the node on `home` says; `None` when none answers.
async fn status(home: &Home) -> Result<Option<StatusResponse>, BackgroundError> {
    match Client::new(home.clone()).get("/v1/status").await {
        Ok(status) => Ok(Some(status)),
        Err(failure) if failure.is_no_node() || failure.is_lost_connection() => Ok(None),
        Err(failure) => Err(BackgroundError::Asking(failure)),
    }
}

/// The child leaves this session by itself (`--detached`), so that neither Ctrl-C nor a closed terminal ends it.
fn spawn(home: &Home, arguments: &[OsString]) -> Result<Child, BackgroundError> {
    let program = std::env::current_exe().map_err(BackgroundError::Program)?;
    let log = open_log(&home.log())?;
    let errors = log.try_clone().map_err(|source| BackgroundError::Log {
        path: home.log(),
        source,
    })?;
    Command::new(&program)
        .arg("--home")
        .arg(home.root())
        .args(["up", "--detached"])
        .args(arguments)
        .current_dir(home.root())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|source| BackgroundError::Spawn { program, source })
}

fn open_log(path: &Path) -> Result<File, BackgroundError> {
    let failed = |source| BackgroundError::Log {
        path: path.to_path_buf(),
        source,
    };
    if fs::metadata(path).is_ok_and(|log| log.len() > LOG_BYTES_MAX) {
        fs::rename(path, path.with_extension("log.1")).map_err(failed)?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)
}

/// The last lines of the log, oldest first; none when it cannot be read.
fn last_lines(path: &Path) -> Vec<String> {
    let tail = |path| -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
        let mut tail = Vec::new();
        file.take(LOG_TAIL_BYTES).read_to_end(&mut tail)?;
        Ok(tail)
    };
    let tail = tail(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&tail);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let shown = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines[shown..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

/// Why no node runs in the background.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackgroundError {
    /// The home cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A node runs, but cannot be asked.
    #[error("{0}")]
    Asking(Failure),
    /// This program's own file is not known.
    #[error("the path of this program is not known: {0}; start the node with: peerage up")]
    Program(#[source] io::Error),
    /// The log cannot be written.
    #[error("cannot write the log {}: {source}; see that the disk has room and the file is yours", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process could not be started.
    #[error("cannot start {}: {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process cannot be watched.
    #[error("cannot watch the node start: {0}; see whether it runs with: peerage status")]
    Watch(#[source] io::Error),
    /// The node ended before it answered.
    #[error("the node ended before it was ready ({ended}); its log is {}{}", log.display(), shown(last_lines))]
    Ended {
        /// How.
        ended: ExitStatus,
        /// The log.
        log: PathBuf,
        /// Its last lines.
        last_lines: Vec<String>,
    },
    /// The node runs, but does not answer yet.
    #[error(
        "the node (process {pid}) did not answer within {READY_WITHIN:?} and may still be starting; its log is {}",
        log.display()
    )]
    NotReady {
        /// The process.
        pid: u32,
        /// The log.
        log: PathBuf,
    },
}

fn shown(last_lines: &[String]) -> String {
    match last_lines {
        [] => String::new(),
        lines => format!(" and ends with: {}", lines.join(" | ")),
    }
}

impl From<BackgroundError> for Failure {
    fn from(error: BackgroundError) -> Self {
        let kind = match &error {
            BackgroundError::Asking(failure) => return failure.clone(),
            BackgroundError::Home(_) => "home",
            BackgroundError::Program(_) | BackgroundError::Spawn { .. } => "spawn",
            BackgroundError::Log { .. } => "log",
            BackgroundError::Watch(_) => "watch",
            BackgroundError::Ended { .. } => "start",
            BackgroundError::NotReady { .. } => "not_ready",
        };
        Failure::failed(kind, error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_reason_of_a_failed_start_is_in_the_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peerage.log");
        let lines: Vec<String> = (0..2_000).map(|line| format!("line {line}")).collect();
        fs::write(&path, lines.join("\n")).unwrap();
        let last = last_lines(&path);
        assert_eq!(last.len(), LOG_TAIL_LINES);
        assert_eq!(last.last().unwrap(), "line 1999");
        assert!(last_lines(&folder.path().join("missing")).is_empty());
    }

    #[test]
    fn a_long_log_is_put_aside_and_a_new_one_is_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peerage.log");
        let long = File::create(&path).unwrap();
        long.set_len(LOG_BYTES_MAX + 1).unwrap();
        let log = open_log(&path).unwrap();
        assert_eq!(log.metadata().unwrap().len(), 0);
        assert_eq!(log.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let aside = fs::metadata(folder.path().join("peerage.log.1")).unwrap();
        assert_eq!(aside.len(), LOG_BYTES_MAX + 1);
    }
}
