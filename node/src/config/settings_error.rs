//! What can be wrong with `peerage.toml`, said with the line and the key at fault.

use std::io;
use std::path::PathBuf;

/// The largest `peerage.toml` that is read, in bytes.
pub const SETTINGS_FILE_BYTES_MAX: u64 = 256 * 1024;

/// One fault in the text of a `peerage.toml`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {problem}", if key.is_empty() { String::new() } else { format!(", key {key:?}") })]
pub struct SettingsError {
    /// Counted from 1.
    pub line: usize,
    /// The key at fault with its table; empty when the text is not TOML.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub problem: String,
}

/// Why a `peerage.toml` could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFileError {
    /// The file system said no.
    #[error("cannot {deed} {}: {source}; check its permissions and that it is UTF-8", path.display())]
    Io {
        /// What was tried.
        deed: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Over [`SETTINGS_FILE_BYTES_MAX`].
    #[error("{} has more than {SETTINGS_FILE_BYTES_MAX} bytes; is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Read, but wrong.
    #[error("{}, {error}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and what.
        error: SettingsError,
    },
}
