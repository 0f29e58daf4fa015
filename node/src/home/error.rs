//! Why a home cannot be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::{HOME_VARIABLE, Holder};

/// Why a home cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither a flag, nor the variable, nor the platform names a folder.
    #[error("no home folder: set {HOME_VARIABLE} or pass --home DIR")]
    Nowhere,
    /// The folder or a secret in it can be read by others.
    #[error(
        "{} is open to other users (mode {mode:03o}); if you trust what is in it, run: chmod {} '{}'",
        path.display(), if path.is_dir() { "700" } else { "600" }, path.display()
    )]
    TooOpen {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to someone else.
    #[error(
        "{} belongs to another user (id {owner}); choose another folder with --home DIR",
        path.display()
    )]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Another node runs on it.
    #[error("{} is in use by {holder}; stop that node or choose another folder with --home DIR", path.display())]
    Held {
        /// The home.
        path: PathBuf,
        /// Who holds it.
        holder: Holder,
    },
    /// A secret does not have the size it must have.
    #[error("{} has {found} bytes where {expected} are expected; restore it from a backup, or use a fresh home with --home DIR", path.display())]
    SecretSize {
        /// Which file.
        path: PathBuf,
        /// What it must have.
        expected: usize,
        /// What it has.
        found: usize,
    },
    /// The file system said no.
    #[error("cannot {deed} {}: {source}; check the path and its permissions, or choose another folder with --home DIR", path.display())]
    Io {
        /// What was tried.
        deed: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl HomeError {
    pub(crate) fn io(deed: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            deed,
            path: path.to_path_buf(),
            source,
        }
    }
}
