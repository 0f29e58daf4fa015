//! What can be wrong with `mcp.json`, said with the line and the key at fault. Values are never repeated: they may
//! be secrets.

use std::fmt;
use std::io;
use std::path::PathBuf;

use peerage_protocol::id::NameError;

use super::expand::Unset;

/// The largest `mcp.json` that is read, in bytes.
pub const SERVERS_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The most servers one node has.
pub const SERVERS_MAX: usize = 256;

/// One fault in the text of an `mcp.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServersError {
    /// Counted from 1.
    pub line: usize,
    /// The key at fault with the keys above it, joined by dots; empty when the text is not JSON.
    pub key: String,
    /// What is wrong.
    pub problem: ServersProblem,
}

impl ServersError {
    /// Whether only a variable is missing: nothing is wrong with the text.
    pub fn is_unset_variable(&self) -> bool {
        matches!(self.problem, ServersProblem::Unset(_))
    }
}

impl fmt::Display for ServersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.key.is_empty() {
            write!(f, ", key {:?}", self.key)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for ServersError {}

/// What is wrong at a place in an `mcp.json`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServersProblem {
    /// Not JSON.
    #[error("column {column}: {what}; comments and trailing commas are not JSON")]
    Syntax {
        /// Counted from 1.
        column: usize,
        /// As serde_json says it.
        what: String,
    },
    /// A value of the wrong type.
    #[error("must be {expected}")]
    Type {
        /// What it must be.
        expected: &'static str,
    },
    /// A server whose name is not one.
    #[error("{0}; rename it")]
    Name(NameError),
    /// A key that occurs twice in one object.
    #[error("occurs twice; keep one of the two")]
    Duplicate,
    /// More than [`SERVERS_MAX`] servers.
    #[error("has more than {SERVERS_MAX} servers; remove some")]
    TooMany,
    /// Neither `command` nor `url`, both, or not the one that `type` asks for.
    #[error("needs either \"command\" (with type \"stdio\") or \"url\" (with type \"http\")")]
    Transport,
    /// A transport that nothing here speaks.
    #[error("unknown type {found:?}; use \"stdio\" with a command or \"http\" with a url")]
    UnknownType {
        /// As written.
        found: String,
    },
    /// A command without a name.
    #[error("must not be empty")]
    Empty,
    /// No environment variable can have this name.
    #[error("is not the name of an environment variable; remove = and empty names")]
    VariableName,
    /// Not a URL of an upstream.
    #[error("must be a URL like https://example.com/mcp")]
    Url,
    /// A URL that shows a password to everyone who sees the URL.
    #[error("must not contain a user or password; put them into \"headers\"")]
    UrlWithPassword,
    /// A server that this node does not start cannot be started several times.
    #[error("is for servers with a \"command\"; remove it")]
    InstanceOfUrl,
    /// A header that HTTP does not allow.
    #[error("is not an HTTP header: check its name, and its value for line breaks")]
    Header,
    /// A variable that is not set.
    #[error("{0}")]
    Unset(Unset),
}

/// Why an `mcp.json` could not be read or edited.
#[derive(Debug, thiserror::Error)]
pub enum ServersFileError {
    /// The file system said no.
    #[error("cannot read {}: {source}; check its permissions and that it is UTF-8", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file system said no.
    #[error("cannot write {}: {source}; check the folder's permissions and free space", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Over [`SERVERS_FILE_BYTES_MAX`].
    #[error("{} has more than {SERVERS_FILE_BYTES_MAX} bytes; is it the right file?", path.display())]
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
        error: ServersError,
    },
    /// `unserve` of a server that is not there.
    #[error("{} has no server named {name}{}", path.display(), known(names))]
    NoSuchServer {
        /// The file.
        path: PathBuf,
        /// As asked for.
        name: String,
        /// Those that are there.
        names: Vec<String>,
    },
}

fn known(names: &[String]) -> String {
    match names {
        [] => "; there are none".to_owned(),
        names => format!("; there is {}", names.join(", ")),
    }
}
