//! Failures: why a node has no answer to a call or an exchange, as told to the node that asked.
//!
//! An upstream's own error is not a failure: it travels as it is. A kind that this version does not know keeps its
//! name, so that a caller can still be told.

use serde::{Deserialize, Serialize};

use super::{CborError, decode_cbor, encode_cbor};

/// Most bytes of each text in a failure; longer ones are cut where they are written.
pub const FAILURE_TEXT_MAX: usize = 1_024;
/// Most names a failure suggests.
pub const CANDIDATES_MAX: usize = 16;

/// What kind of failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FailureKind {
    /// No such tool, or none that this caller may see; the subject is its name.
    UnknownTool,
    /// No such prompt, or none that this caller may see; the subject is its name.
    UnknownPrompt,
    /// No such resource, or none that this caller may see; the subject is its URI.
    UnknownResource,
    /// The name (subject) could mean several tools (candidates).
    AmbiguousTool,
    /// Nothing answers the method or exchange (subject).
    UnknownMethod,
    /// The request is not well formed (detail).
    InvalidParams,
    /// The upstream (subject) is not running (detail).
    UpstreamDown,
    /// A node (subject) cannot be reached (detail).
    PeerUnreachable,
    /// Something (detail) is full.
    Busy,
    /// Something (subject) did not answer in time.
    DeadlineExceeded,
    /// The request has been here before.
    Loop,
    /// Something (subject) is over its bound (limit).
    TooLarge,
    /// A kind of another version.
    Other(String),
}

/// The kinds of this version with their names on the wire.
const KINDS: [(FailureKind, &str); 12] = [
    (FailureKind::UnknownTool, "unknown_tool"),
    (FailureKind::UnknownPrompt, "unknown_prompt"),
    (FailureKind::UnknownResource, "unknown_resource"),
    (FailureKind::AmbiguousTool, "ambiguous_tool"),
    (FailureKind::UnknownMethod, "unknown_method"),
    (FailureKind::InvalidParams, "invalid_params"),
    (FailureKind::UpstreamDown, "upstream_down"),
    (FailureKind::PeerUnreachable, "peer_unreachable"),
    (FailureKind::Busy, "busy"),
    (FailureKind::DeadlineExceeded, "deadline_exceeded"),
    (FailureKind::Loop, "loop"),
    (FailureKind::TooLarge, "too_large"),
];

impl From<String> for FailureKind {
    fn from(text: String) -> Self {
        let known = KINDS.iter().find(|(_, name)| *name == text);
        known.map_or(Self::Other(text), |(kind, _)| kind.clone())
    }
}

impl From<FailureKind> for String {
    fn from(kind: FailureKind) -> String {
        if let FailureKind::Other(text) = kind {
            return text;
        }
        let known = KINDS.iter().find(|(known, _)| *known == kind);
        known.map_or_else(String::new, |(_, name)| (*name).to_owned())
    }
}

/// Why there is no answer. Which members mean something is said at [`FailureKind`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What failed: a tool, a method, a server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The cause, without secrets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Names that may have been meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// The bound that was exceeded, in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub limit: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands members over by reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Failure {
    /// A failure of `kind` that says nothing more.
    pub const fn new(kind: FailureKind) -> Self {
        Self {
            kind,
            subject: String::new(),
            detail: String::new(),
            candidates: Vec::new(),
            limit: 0,
        }
    }

    /// The payload of a FAILURE frame; texts over their bounds are cut.
    pub fn encode(mut self) -> Vec<u8> {
        self.bound();
        encode_cbor(&self)
    }

    /// Reads the payload of a FAILURE frame; texts over their bounds are cut.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut failure: Self = decode_cbor(bytes)?;
        failure.bound();
        Ok(failure)
    }

    fn bound(&mut self) {
        self.candidates.truncate(CANDIDATES_MAX);
        if let FailureKind::Other(text) = &mut self.kind {
            cut(text);
        }
        cut(&mut self.subject);
        cut(&mut self.detail);
        self.candidates.iter_mut().for_each(cut);
    }
}

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(FAILURE_TEXT_MAX));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ciborium::cbor;
    use proptest::prelude::*;

    use super::*;
    use crate::limits::FAILURE_BYTES_MAX;

    #[test]
    fn the_bytes_of_version_one_are_fixed() {
        let failure = Failure {
            subject: "files".to_owned(),
            ..Failure::new(FailureKind::UpstreamDown)
        };
        let golden = b"\xa2dkindmupstream_downgsubjectefiles";
        assert_eq!(failure.clone().encode(), golden);
        assert_eq!(Failure::decode(golden).unwrap(), failure);
    }

    #[test]
    fn every_kind_keeps_its_name() {
        for (kind, name) in KINDS {
            assert_eq!(String::from(kind.clone()), name);
            assert_eq!(FailureKind::from(name.to_owned()), kind);
        }
    }

    #[test]
    fn a_kind_of_a_later_version_keeps_its_name_and_its_unknown_members_are_ignored() {
        let later = cbor!({ "kind" => "haunted", "ghost" => { "colour" => "white" } });
        let bytes = encode_cbor(&later.unwrap());
        assert_eq!(
            Failure::decode(&bytes).unwrap().kind,
            FailureKind::Other("haunted".to_owned())
        );
    }

    #[test]
    fn the_largest_failure_fits_its_frame() {
        let long = "ü".repeat(FAILURE_TEXT_MAX);
        let failure = Failure {
            kind: FailureKind::Other(long.clone()),
            subject: long.clone(),
            detail: long.clone(),
            candidates: vec![long; 100],
            limit: u64::MAX,
        };
        let bytes = failure.encode();
        assert!(bytes.len() <= FAILURE_BYTES_MAX, "{}", bytes.len());
        assert_eq!(
            Failure::decode(&bytes).unwrap().candidates.len(),
            CANDIDATES_MAX
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_failure_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = Failure::decode(&bytes);
        }
    }
}
