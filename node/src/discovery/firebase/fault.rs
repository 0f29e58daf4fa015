//! Why a registry is of no use, said so that its owner can mend it.

use serde::{Deserialize, Serialize};

/// Why the registry was of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nothing came.
    #[error("it did not answer in time")]
    Silent,
    /// 401 or 403.
    #[error(
        "it refuses (401 or 403): the token is missing, has expired, was revoked or is not this node's, whose uid \
         must be what `peerage firebase id` prints; or other rules are installed than `peerage firebase rules` prints"
    )]
    Denied,
    /// 404.
    #[error("there is no database at this URL (404)")]
    NoDatabase,
    /// No connection, an error of the server, or an answer that broke off.
    #[error("it cannot be reached, or answers with an error")]
    Unreachable,
    /// The answer is not JSON, or not of records.
    #[error("what it answers is not what such a database says")]
    NotUnderstood,
    /// The answer has no end.
    #[error("it answers with more than {limit} bytes")]
    TooMuch {
        /// The bound.
        limit: u64,
    },
    /// A redirect. The token would have gone with it.
    #[error("it sends its clients to another address, which is not followed")]
    Elsewhere,
    /// This machine, not the registry.
    #[error("it could not be asked: {why}")]
    NotAsked {
        /// Why.
        why: String,
    },
}
