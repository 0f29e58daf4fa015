//! `logs`: the end of the log in the home, and what is added to it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::Context;
use super::signals::Signals;
use crate::arguments::Logs;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

/// Bytes of the log's end from which the last lines are taken.
const TAIL_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Bytes that are read at once while following.
const CHUNK_BYTES: u64 = 256 * 1024;
/// A line longer than this, in bytes, is shown in pieces.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Between two looks at whether something was added.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

pub(super) async fn logs(context: &Context, logs: &Logs) -> Result<(), Failure> {
    let mut log = Log::open(context.home.log()).map_err(|error| unreadable(context, &error))?;
    let wanted = usize::try_from(logs.lines).unwrap_or(usize::MAX);
    let last = log
        .tail(wanted)
        .map_err(|error| unreadable(context, &error))?;
    show(context, &last)?;
    if !logs.follow {
        return Ok(());
    }
    let mut signals = Signals::listen()?;
    loop {
        let added = log.added().map_err(|error| unreadable(context, &error))?;
        if !added.is_empty() {
            show(context, &added)?;
            continue;
        }
        tokio::select! {
            () = signals.any() => return Ok(()),
            () = sleep(LOOK_INTERVAL) => {}
        }
    }
}

fn show(context: &Context, lines: &[String]) -> Result<(), Failure> {
    let mut text = String::new();
    for line in lines {
        text += &match context.json {
            true => render::json(&json!({"line": line}))?,
            false => render::log_line(line, context.view),
        };
    }
    print(&text)
}

fn unreadable(context: &Context, error: &io::Error) -> Failure {
    let path = context.home.log();
    let message = match error.kind() {
        ErrorKind::NotFound => format!(
            "there is no log at {}: only a node in the background writes one; start it with: peerage up --background",
            path.display()
        ),
        _ => format!("cannot read {}: {error}; check whose it is", path.display()),
    };
    Failure::failed("log", message)
}

/// A file that grows, and may be put aside for a new one.
struct Log {
    path: PathBuf,
    file: File,
    rest: Vec<u8>,
}

impl Log {
    fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            file: File::open(&path)?,
            path,
            rest: Vec::new(),
        })
    }

    /// The last `wanted` lines.
    fn tail(&mut self, wanted: usize) -> io::Result<Vec<String>> {
        let length = self.file.metadata()?.len();
        let from = length.saturating_sub(TAIL_BYTES_MAX);
        self.file.seek(SeekFrom::Start(from))?;
        let mut lines = self.read(TAIL_BYTES_MAX)?;
        lines.drain(..lines.len().saturating_sub(wanted));
        Ok(lines)
    }

    /// The lines that were added since; a few at a time.
    fn added(&mut self) -> io::Result<Vec<String>> {
        let lines = self.read(CHUNK_BYTES)?;
        if lines.is_empty() && self.was_replaced()? {
            *self = Self::open(self.path.clone())?;
        }
        Ok(lines)
    }

    fn read(&mut self, most: u64) -> io::Result<Vec<String>> {
        (&self.file).take(most).read_to_end(&mut self.rest)?;
        let whole = match self.rest.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if self.rest.len() > LINE_BYTES_MAX => self.rest.len(),
            None => 0,
        };
        let read: Vec<u8> = self.rest.drain(..whole).collect();
        let text = String::from_utf8_lossy(&read);
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Whether the path leads to another file now, or to a shorter one.
    fn was_replaced(&mut self) -> io::Result<bool> {
        let Some(there) = existing(&self.path)? else {
            return Ok(false);
        };
        let ours = self.file.metadata()?;
        let same = (ours.dev(), ours.ino()) == (there.dev(), there.ino());
        Ok(!same || there.len() < self.file.stream_position()?)
    }
}

fn existing(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_lines_come_first_and_then_what_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "one\ntwo\nthree\nhalf").unwrap();
        let mut log = Log::open(path.clone()).unwrap();
        assert_eq!(log.tail(2).unwrap(), ["two", "three"]);
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        assert!(log.added().unwrap().is_empty());
        file.write_all(b" a line\nmore\n").unwrap();
        assert_eq!(log.added().unwrap(), ["half a line", "more"]);
    }

    #[test]
    fn a_log_that_was_put_aside_is_followed_into_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "old\n").unwrap();
        let mut log = Log::open(path.clone()).unwrap();
        assert_eq!(log.tail(9).unwrap(), ["old"]);
        fs::rename(&path, folder.path().join("aside")).unwrap();
        assert!(log.added().unwrap().is_empty());
        fs::write(&path, "new\n").unwrap();
        assert!(log.added().unwrap().is_empty());
        assert_eq!(log.added().unwrap(), ["new"]);
    }
}
