//! Manifests asked of any member that may have them, many at once, and its answer.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{CborError, decode_cbor, encode_cbor};
use crate::id::Hash;

/// Manifests asked for at one time.
pub const MANIFESTS_ASKED_MAX: usize = 64;
/// Bytes of the manifests in one answer, together; a manifest beyond that is had of its own node only.
pub const MANIFESTS_TOLD_BYTES_MAX: usize = 1024 * 1024;

/// The hashes of the manifests that are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestsAsked {
    /// At most [`MANIFESTS_ASKED_MAX`].
    pub hashes: Vec<Hash>,
}

/// The encodings of those that were there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestsTold {
    /// In any order: each is known by its hash. At most [`MANIFESTS_ASKED_MAX`].
    pub manifests: Vec<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct EncodedQuestion {
    #[serde(with = "serde_bytes")]
    hashes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct EncodedAnswer {
    manifests: Vec<ByteBuf>,
}

impl ManifestsAsked {
    /// The CBOR encoding: the hashes as one byte string.
    pub fn encode(&self) -> Vec<u8> {
        let hashes = self.hashes.iter().flat_map(|hash| *hash.as_bytes());
        encode_cbor(&EncodedQuestion {
            hashes: hashes.collect(),
        })
    }

    /// Reads a question.
    ///
    /// # Errors
    ///
    /// When it is not CBOR, or names no whole number of hashes up to [`MANIFESTS_ASKED_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestsError> {
        let EncodedQuestion { hashes } = decode_cbor(bytes)?;
        let (whole, rest) = hashes.as_chunks::<32>();
        if !rest.is_empty() || whole.len() > MANIFESTS_ASKED_MAX {
            return Err(ManifestsError::Hashes {
                bytes: hashes.len(),
            });
        }
        let hashes = whole.iter().copied().map(Hash::from).collect();
        Ok(Self { hashes })
    }
}

impl ManifestsTold {
    /// The CBOR encoding.
    pub fn encode(self) -> Vec<u8> {
        encode_cbor(&EncodedAnswer {
            manifests: self.manifests.into_iter().map(ByteBuf::from).collect(),
        })
    }

    /// Reads an answer. The manifests themselves are not looked at.
    ///
    /// # Errors
    ///
    /// When it is not CBOR, or holds more than [`MANIFESTS_ASKED_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestsError> {
        let EncodedAnswer { manifests } = decode_cbor(bytes)?;
        if manifests.len() > MANIFESTS_ASKED_MAX {
            return Err(ManifestsError::TooMany {
                found: manifests.len(),
            });
        }
        let manifests = manifests.into_iter().map(ByteBuf::into_vec).collect();
        Ok(Self { manifests })
    }
}

/// Why bytes are no question for manifests, or no answer to one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestsError {
    /// Not CBOR, or not of this shape.
    #[error("not a question for manifests or its answer: {0}")]
    NotManifests(#[from] CborError),
    /// Not a whole number of hashes, or too many.
    #[error("{bytes} bytes of hashes; at most {MANIFESTS_ASKED_MAX} of 32 bytes are allowed")]
    Hashes {
        /// How many bytes there are.
        bytes: usize,
    },
    /// More than [`MANIFESTS_ASKED_MAX`].
    #[error("{found} manifests; at most {MANIFESTS_ASKED_MAX} are allowed")]
    TooMany {
        /// How many there are.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_of_a_question_and_of_an_answer_are_fixed() {
        let asked = ManifestsAsked {
            hashes: vec![Hash::from([7; 32])],
        };
        let golden = [&b"\xa1fhashes\x58\x20"[..], &[7; 32]].concat();
        assert_eq!(asked.encode(), golden);
        assert_eq!(ManifestsAsked::decode(&golden), Ok(asked));
        let told = ManifestsTold {
            manifests: vec![b"ab".to_vec()],
        };
        let golden = b"\xa1imanifests\x81\x42ab";
        assert_eq!(told.clone().encode(), golden);
        assert_eq!(ManifestsTold::decode(golden), Ok(told));
    }

    #[test]
    fn more_than_may_be_asked_for_at_once_is_refused_by_name() {
        let asked = ManifestsAsked {
            hashes: vec![Hash::from([7; 32]); MANIFESTS_ASKED_MAX + 1],
        };
        let bytes = 32 * (MANIFESTS_ASKED_MAX + 1);
        let refused = ManifestsAsked::decode(&asked.encode());
        assert_eq!(refused, Err(ManifestsError::Hashes { bytes }));
        let found = MANIFESTS_ASKED_MAX + 1;
        let told = ManifestsTold {
            manifests: vec![Vec::new(); found],
        };
        let refused = ManifestsTold::decode(&told.encode());
        assert_eq!(refused, Err(ManifestsError::TooMany { found }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(asked) = ManifestsAsked::decode(&bytes) {
                prop_assert_eq!(ManifestsAsked::decode(&asked.encode()), Ok(asked));
            }
            if let Ok(told) = ManifestsTold::decode(&bytes) {
                prop_assert_eq!(ManifestsTold::decode(&told.clone().encode()), Ok(told));
            }
        }
    }
}
