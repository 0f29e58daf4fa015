//! Edits a closed list of members in raw JSON and copies every other byte.

use std::borrow::Cow;

use bytes::Bytes;

/// A request's `params` as raw JSON, with edits waiting to be written.
#[derive(Clone, Debug)]
pub struct Params {
    raw: Bytes,
}

impl Params {
    /// Reads the positions of the members that may be edited. `raw` is valid JSON; it must be an object, and no
    /// member on an edited path may occur twice.
    pub fn scan(raw: Bytes) -> Result<Self, SpliceError> {
        Ok(Self { raw })
    }

    /// The empty object: the params of a request that has none.
    pub fn empty() -> Self {
        Self {
            raw: Bytes::from_static(b"{}"),
        }
    }

    /// The `name` member, when it is a string.
    pub fn name(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// The raw JSON of `_meta.progressToken`.
    pub fn progress_token(&self) -> Option<&[u8]> {
        None
    }

    /// Replaces the `name` member.
    pub fn set_name(&mut self, _name: &str) {}

    /// Replaces `_meta.progressToken` with raw JSON; nothing happens where the caller sent none.
    pub fn set_progress_token(&mut self, _raw: &[u8]) {}

    /// The edited JSON.
    pub fn to_bytes(&self) -> Bytes {
        self.raw.clone()
    }
}

/// Why raw JSON cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    /// Not an object where one is needed.
    #[error("{path} must be an object")]
    NotAnObject {
        /// Where.
        path: &'static str,
    },
    /// A member that occurs twice would let two readers see two requests.
    #[error("{path} occurs twice")]
    Duplicate {
        /// Which.
        path: &'static str,
    },
}
