//! Keeps to the bootstrap file: reads it at the start, again when it changes, and tells of its nodes now and then.

use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use peerage_protocol::address_book::Source;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::bootstrap::{Bootstrap, NotToml};
use crate::control::{ControlHandle, Snapshots, tell_sighted};

/// The largest file that is read, in bytes.
pub const BOOTSTRAP_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Time between two looks at the file.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Time between two tellings of an unchanged file: a node that refused or was not there may let this one in by now.
const TELL_AGAIN_EVERY: Duration = Duration::from_secs(5 * 60);

/// The bootstrap file of a node, and what it said when it was last read.
pub struct BootstrapFile {
    path: PathBuf,
    /// Without it the node starts all the same.
    optional: bool,
    stamp: Option<Stamp>,
    bootstrap: Bootstrap,
}

/// Tells one version of the file from another.
type Stamp = (SystemTime, u64);

impl BootstrapFile {
    /// Reads the file at `path`; one that is not there says nothing where it is `optional`.
    pub fn open(path: PathBuf, optional: bool) -> Result<Self, BootstrapFileError> {
        let mut file = Self {
            stamp: stamp(&path),
            path,
            optional,
            bootstrap: Bootstrap::default(),
        };
        file.bootstrap = file.read()?;
        Ok(file)
    }

    /// What it says.
    pub fn bootstrap(&self) -> &Bootstrap {
        &self.bootstrap
    }

    /// Tells control of its nodes, at once, whenever it changes and now and then, until `stop`.
    pub async fn follow(
        mut self,
        control: ControlHandle,
        snapshots: Arc<Snapshots>,
        stop: CancellationToken,
    ) {
        self.tell(&control, &snapshots).await;
        let mut told = Instant::now();
        while stop.run_until_cancelled(sleep(LOOK_EVERY)).await.is_some() {
            if self.look_again() || told.elapsed() >= TELL_AGAIN_EVERY {
                self.tell(&control, &snapshots).await;
                told = Instant::now();
            }
        }
    }

    /// Reads the file anew if it has changed; whether it says something else now. A file that cannot be read changes
    /// nothing.
    fn look_again(&mut self) -> bool {
        let stamp = stamp(&self.path);
        if stamp == self.stamp {
            return false;
        }
        self.stamp = stamp;
        match self.read() {
            Ok(bootstrap) => {
                let changed = bootstrap != self.bootstrap;
                let nodes = bootstrap.nodes.len();
                tracing::info!(path = %self.path.display(), nodes, "the bootstrap file was read anew");
                self.bootstrap = bootstrap;
                changed
            }
            Err(error) => {
                tracing::warn!(%error, "the bootstrap file was edited and is wrong; what it said before holds");
                false
            }
        }
    }

    fn read(&self) -> Result<Bootstrap, BootstrapFileError> {
        let Some(text) = self.text()? else {
            return Ok(Bootstrap::default());
        };
        let path = &self.path;
        let bootstrap = Bootstrap::parse(&text).map_err(|source| BootstrapFileError::NotToml {
            path: path.clone(),
            source,
        })?;
        for skipped in &bootstrap.skipped {
            tracing::warn!(path = %path.display(), "{skipped}; the line is skipped");
        }
        Ok(bootstrap)
    }

    fn text(&self) -> Result<Option<String>, BootstrapFileError> {
        let failed = |source| BootstrapFileError::Unreadable {
            path: self.path.clone(),
            source,
        };
        if self
            .stamp
            .is_some_and(|(_, bytes)| bytes > BOOTSTRAP_FILE_BYTES_MAX)
        {
            return Err(BootstrapFileError::TooLarge {
                path: self.path.clone(),
            });
        }
        match std::fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if self.optional && error.kind() == NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    async fn tell(&self, control: &ControlHandle, snapshots: &Snapshots) {
        for sighted in &self.bootstrap.nodes {
            let addresses = vec![sighted.address.clone()];
            tell_sighted(
                control,
                snapshots,
                sighted.node,
                addresses,
                Source::Bootstrap,
            )
            .await;
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Why a bootstrap file says nothing.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapFileError {
    /// It cannot be read.
    #[error("the bootstrap file {path} cannot be used: {source}", path = path.display())]
    Unreadable {
        /// Where it lies.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no list of addresses.
    #[error("the bootstrap file {path} cannot be used: it has more than {BOOTSTRAP_FILE_BYTES_MAX} bytes", path = path.display())]
    TooLarge {
        /// Where it lies.
        path: PathBuf,
    },
    /// It is not TOML.
    #[error("the bootstrap file {path} cannot be used: {source}", path = path.display())]
    NotToml {
        /// Where it lies.
        path: PathBuf,
        /// Where it goes wrong.
        source: NotToml,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use peerage_protocol::id::NodeId;

    use super::*;

    fn text(bytes: &[u8]) -> String {
        let line = |byte: &u8| {
            let node = NodeId::from_public_key([*byte; 32]);
            format!("\"/dns4/mesh.example/tcp/1/p2p/{node}\"")
        };
        let lines: Vec<String> = bytes.iter().map(line).collect();
        format!("[regions]\nhome = [{}]\n", lines.join(", "))
    }

    #[test]
    fn a_file_that_was_named_must_be_there_and_the_homes_own_need_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bootstrap-peers.toml");
        assert!(BootstrapFile::open(path.clone(), false).is_err());
        let file = BootstrapFile::open(path, true).unwrap();
        assert_eq!(file.bootstrap(), &Bootstrap::default());
    }

    #[test]
    fn an_edit_is_noticed_and_one_that_breaks_the_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bootstrap-peers.toml");
        let mut file = BootstrapFile::open(path.clone(), true).unwrap();
        assert!(!file.look_again());
        std::fs::write(&path, text(&[1])).unwrap();
        assert!(file.look_again());
        assert_eq!(file.bootstrap().nodes.len(), 1);
        std::fs::write(&path, text(&[1, 2])).unwrap();
        assert!(file.look_again());
        assert_eq!(file.bootstrap().nodes.len(), 2);
        std::fs::write(&path, "[regions").unwrap();
        assert!(!file.look_again());
        assert_eq!(file.bootstrap().nodes.len(), 2);
        std::fs::remove_file(&path).unwrap();
        assert!(file.look_again());
        assert_eq!(file.bootstrap().nodes.len(), 0);
    }
}
