//! One node a home: an advisory lock whose file says who holds it.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;

use serde::{Deserialize, Serialize};

use super::{Home, HomeError};

/// Bytes of the lock file that are read; what a node writes is far shorter.
const HOLDER_BYTES_MAX: u64 = 4_096;

/// Holds a home until it is dropped or the process ends, however it ends: the kernel releases the lock, so a stale
/// file never blocks a start.
#[derive(Debug)]
pub struct HomeLock {
    file: File,
    home: Home,
}

/// Who holds a home, as its lock file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process; absent when the file could not be read.
    pub pid: Option<u32>,
    /// Where its gateway listens; absent until it does.
    pub http: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.http) {
            (Some(pid), Some(http)) => write!(f, "the node with process id {pid} at {http}"),
            (Some(pid), None) => write!(f, "the node with process id {pid}"),
            (None, _) => f.write_str("another node"),
        }
    }
}

impl HomeLock {
    pub(super) fn take(home: &Home) -> Result<Self, HomeError> {
        let path = home.lock_file();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|source| HomeError::io("open", &path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(HomeError::Held {
                    path: home.root().to_path_buf(),
                    holder: read_holder(file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(HomeError::io("lock", &path, source)),
        }
        let mut lock = Self {
            file,
            home: home.clone(),
        };
        lock.write_holder(None)?;
        Ok(lock)
    }

    pub(super) fn holder(home: &Home) -> Result<Option<Holder>, HomeError> {
        let path = home.lock_file();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(HomeError::io("open", &path, source)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(read_holder(file))),
            Err(TryLockError::Error(source)) => Err(HomeError::io("lock", &path, source)),
        }
    }

    /// Whether the last holder ended without giving the home back: it was killed, or the machine went down.
    pub(super) fn was_lost(home: &Home) -> bool {
        let file = File::open(home.lock_file());
        let free = file.ok().filter(|file| file.try_lock_shared().is_ok());
        free.is_some_and(|file| read_holder(file).pid.is_some())
    }

    /// Tells a second `up` where this node's gateway listens.
    pub fn announce(&mut self, http: &str) -> Result<(), HomeError> {
        self.write_holder(Some(http.to_owned()))
    }

    fn write_holder(&mut self, http: Option<String>) -> Result<(), HomeError> {
        let holder = Holder {
            pid: Some(std::process::id()),
            http,
        };
        self.replace_text(&holder)
            .map_err(|source| HomeError::io("write", &self.home.lock_file(), source))
    }

    /// In place, for a rename would leave the lock on a file that nobody opens any more.
    fn replace_text(&mut self, holder: &Holder) -> io::Result<()> {
        let text = serde_json::to_vec(holder)?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&text)
    }
}

impl Drop for HomeLock {
    /// Nobody holds the home any more, and nobody was killed: see [`HomeLock::was_lost`].
    fn drop(&mut self) {
        if let Err(error) = self.file.set_len(0) {
            tracing::debug!(%error, "the lock file could not be emptied");
        }
    }
}

fn read_holder(file: File) -> Holder {
    let mut text = Vec::new();
    match file.take(HOLDER_BYTES_MAX).read_to_end(&mut text) {
        Ok(_) => serde_json::from_slice(&text).unwrap_or_default(),
        Err(_) => Holder::default(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        (folder, home)
    }

    #[test]
    fn a_home_that_was_given_back_is_told_from_one_that_was_lost() {
        let (_folder, home) = home();
        assert!(!home.was_lost(), "nobody had it");
        let lock = home.lock().unwrap();
        assert!(!home.was_lost(), "somebody has it");
        drop(lock);
        assert!(!home.was_lost(), "it was given back");
        std::fs::write(home.lock_file(), r#"{"pid": 7, "http": null}"#).unwrap();
        assert!(home.was_lost());
    }

    #[test]
    fn a_second_taker_is_told_who_holds_the_home() {
        let (_folder, home) = home();
        let mut lock = home.lock().unwrap();
        lock.announce("http://127.0.0.1:8080/mcp").unwrap();
        let refused = home.lock().unwrap_err().to_string();
        assert!(
            refused.contains(&std::process::id().to_string()),
            "{refused}"
        );
        assert!(refused.contains("http://127.0.0.1:8080/mcp"), "{refused}");
    }

    #[test]
    fn who_holds_the_home_is_known_without_taking_it() {
        let (_folder, home) = home();
        assert_eq!(home.holder().unwrap(), None);
        let lock = home.lock().unwrap();
        let holder = home.holder().unwrap().unwrap();
        assert_eq!(holder.pid, Some(std::process::id()));
        drop(lock);
        assert_eq!(home.holder().unwrap(), None);
    }

    #[test]
    fn a_home_is_free_again_when_its_lock_is_dropped() {
        let (_folder, home) = home();
        drop(home.lock().unwrap());
        assert!(home.lock().is_ok());
    }

    #[test]
    fn a_lock_file_full_of_noise_neither_blocks_nor_confuses() {
        let (_folder, home) = home();
        std::fs::write(home.lock_file(), [0xff; 10_000]).unwrap();
        let lock = home.lock().unwrap();
        let written = std::fs::read(home.lock_file()).unwrap();
        assert!(written.len() < 200);
        drop(lock);
    }
}
