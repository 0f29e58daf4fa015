//! Why a client's configuration is not changed.

use std::io;
use std::path::PathBuf;

/// The largest configuration that is read, in bytes: Claude Code keeps its history in the same file.
pub(super) const CONFIG_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Why a configuration is not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    /// Not readable.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Over the bound.
    #[error("{} has more than {CONFIG_BYTES_MAX} bytes; edit it by hand", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not writable.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else wrote it after it was read.
    #[error("{} was changed by another program just now; run the command again", path.display())]
    ChangedMeanwhile {
        /// The file.
        path: PathBuf,
    },
    /// Its text is not understood.
    #[error("{}: {error}; mend it first, nothing was changed", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        error: Box<ChangeError>,
    },
    /// Not in the language it should be in.
    #[error("line {line}: {what}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What the parser met.
        what: String,
    },
    /// Something else where an object should be.
    #[error("{} is not an object", if key.is_empty() { "the whole" } else { key })]
    NotAnObject {
        /// Its key; empty for the whole text.
        key: String,
    },
}
