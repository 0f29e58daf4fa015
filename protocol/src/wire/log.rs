//! Questions about the log between two linked members: whether they differ, where, and for the entries that are
//! missing. Each side only pulls.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CborError, decode_cbor, encode_cbor};
use crate::id::{Hash, MeshId};
use crate::log::chain_id::ChainId;
use crate::log::entry::{Entry, EntryError, SealedEntry};
use crate::log::fork::Fork;
use crate::signature::Verifier;

/// Bytes of one encoded question.
pub const LOG_QUESTION_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one encoded answer.
pub const LOG_ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Groups of authors that are compared one by one.
pub const GROUPS: usize = 256;
/// Heads in one answer; the rest is told in the next.
pub const HEADS_TOLD_MAX: usize = 4_096;
/// Ranges in one question.
pub const RANGES_MAX: usize = 64;
/// Bytes of entries in one answer, give or take one entry.
pub const ENTRIES_TOLD_BYTES: usize = 512 * 1024;

/// Where a chain ends, as somebody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The chain.
    pub chain: ChainId,
    /// Its last sequence.
    pub sequence: u64,
    /// The hash of its last entry.
    pub hash: Hash,
}

/// A question about frontiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogAsked {
    /// Whether the log differs from the asker's, both without what the other may not hold.
    Compare {
        /// Over the asker's frontier.
        digest: Hash,
        /// The heads of the asker's own chains are wanted as well.
        own: bool,
    },
    /// The heads of these groups.
    Heads {
        /// The asker's digest of each group, [`GROUPS`] of them.
        groups: Vec<u64>,
    },
}

/// The answer to [`LogAsked`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTold {
    /// The digests differ: it is worth asking for heads.
    pub differs: bool,
    /// Of groups that differ; or of the asker's own chains.
    pub heads: Vec<Head>,
    /// Evidence about authors of groups that differ.
    pub forks: Vec<Arc<Fork>>,
    /// There was more to tell.
    #[serde(default)]
    pub more: bool,
}

/// Entries of one chain, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The chain.
    pub chain: ChainId,
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// A question for entries, in order of need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntriesAsked {
    /// At most [`RANGES_MAX`].
    pub ranges: Vec<Range>,
}

/// The answer to [`EntriesAsked`]: as many as fit, in the order of the ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntriesTold {
    /// They prove themselves.
    pub entries: Vec<SealedEntry>,
    /// For each range that begins before what is kept: the last entry that was dropped, without its body. What it
    /// follows is gone here.
    pub pruned: Vec<SealedEntry>,
}

/// An answer whose entries were checked, each by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenedEntries {
    /// In order.
    pub entries: Vec<Arc<Entry>>,
    /// The last that was dropped of a chain, each.
    pub pruned: Vec<Arc<Entry>>,
}

fn decode_bounded<T: serde::de::DeserializeOwned>(
    bytes: &[u8],
    limit: usize,
) -> Result<T, LogWireError> {
    let found = bytes.len();
    match found > limit {
        true => Err(LogWireError::TooLarge { found, limit }),
        false => Ok(decode_cbor(bytes)?),
    }
}

impl LogAsked {
    /// The CBOR encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads a question.
    ///
    /// # Errors
    ///
    /// What exceeds a bound, by name.
    pub fn decode(bytes: &[u8]) -> Result<Self, LogWireError> {
        let asked: Self = decode_bounded(bytes, LOG_QUESTION_BYTES_MAX)?;
        match &asked {
            Self::Heads { groups } if groups.len() != GROUPS => Err(LogWireError::Groups {
                found: groups.len(),
            }),
            _ => Ok(asked),
        }
    }
}

impl LogTold {
    /// The CBOR encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// What exceeds a bound, by name.
    pub fn decode(bytes: &[u8]) -> Result<Self, LogWireError> {
        let told: Self = decode_bounded(bytes, LOG_ANSWER_BYTES_MAX)?;
        let found = told.heads.len() + told.forks.len();
        match found > 2 * HEADS_TOLD_MAX {
            true => Err(LogWireError::Heads { found }),
            false => Ok(told),
        }
    }
}

impl EntriesAsked {
    /// The CBOR encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads a question.
    ///
    /// # Errors
    ///
    /// What exceeds a bound, by name.
    pub fn decode(bytes: &[u8]) -> Result<Self, LogWireError> {
        let asked: Self = decode_bounded(bytes, LOG_QUESTION_BYTES_MAX)?;
        let found = asked.ranges.len();
        match found > RANGES_MAX {
            true => Err(LogWireError::Ranges { found }),
            false => Ok(asked),
        }
    }
}

impl EntriesTold {
    /// The CBOR encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads an answer, which proves nothing yet.
    ///
    /// # Errors
    ///
    /// What exceeds a bound, by name.
    pub fn decode(bytes: &[u8]) -> Result<Self, LogWireError> {
        decode_bounded(bytes, LOG_ANSWER_BYTES_MAX)
    }

    /// Checks each entry by itself: the work that takes time, and needs nothing but keys.
    ///
    /// # Errors
    ///
    /// The first that is not good: whoever told it should have known.
    pub fn open(self, mesh: MeshId, verifier: &dyn Verifier) -> Result<OpenedEntries, EntryError> {
        let open = |sealed: Vec<SealedEntry>| {
            let opened = sealed.into_iter();
            let opened = opened.map(|sealed| sealed.open(mesh, verifier).map(Arc::new));
            opened.collect::<Result<Vec<_>, _>>()
        };
        Ok(OpenedEntries {
            entries: open(self.entries)?,
            pruned: open(self.pruned)?,
        })
    }
}

/// Why bytes are no question or answer about the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogWireError {
    /// Not the encoding of one.
    #[error("it cannot be read: {0}")]
    NotReadable(#[from] CborError),
    /// Over its bound.
    #[error("{found} bytes; at most {limit} are allowed")]
    TooLarge {
        /// How large.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// Not [`GROUPS`] digests.
    #[error("{found} digests of groups; there are {GROUPS}")]
    Groups {
        /// How many.
        found: usize,
    },
    /// More than anybody tells at once.
    #[error("{found} heads in one answer")]
    Heads {
        /// How many.
        found: usize,
    },
    /// More than [`RANGES_MAX`].
    #[error("{found} ranges; at most {RANGES_MAX} are allowed")]
    Ranges {
        /// How many.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::id::NodeId;
    use crate::log::chain_id::{EpochId, Lane};

    fn chain() -> ChainId {
        ChainId {
            author: NodeId::from_public_key([1; 32]),
            epoch: EpochId([2; 16]),
            lane: Lane::MESSAGES,
        }
    }

    fn chain_bytes() -> Vec<u8> {
        [
            b"\xa3fauthor\x58\x20",
            &[1; 32][..],
            b"eepoch\x50",
            &[2; 16],
            b"dlane\x01",
        ]
        .concat()
    }

    #[test]
    fn the_bytes_of_questions_and_answers_are_fixed() {
        let compare = LogAsked::Compare {
            digest: Hash::from([3; 32]),
            own: true,
        };
        let golden = [
            b"\xa1gcompare\xa2fdigest\x58\x20",
            &[3; 32][..],
            b"cown\xf5",
        ]
        .concat();
        assert_eq!(compare.encode(), golden);
        assert_eq!(LogAsked::decode(&golden), Ok(compare));
        let head = Head {
            chain: chain(),
            sequence: 7,
            hash: Hash::from([4; 32]),
        };
        let told = LogTold {
            differs: true,
            heads: vec![head],
            ..LogTold::default()
        };
        let golden = [
            b"\xa4gdiffers\xf5eheads\x81\xa3echain",
            &chain_bytes()[..],
            b"hsequence\x07dhash\x58\x20",
            &[4; 32],
            b"eforks\x80dmore\xf4",
        ]
        .concat();
        assert_eq!(told.encode(), golden);
        assert_eq!(LogTold::decode(&golden), Ok(told));
        let range = Range {
            chain: chain(),
            from: 1,
            to: 2,
        };
        let asked = EntriesAsked {
            ranges: vec![range],
        };
        let golden = [
            b"\xa1franges\x81\xa3echain",
            &chain_bytes()[..],
            b"dfrom\x01bto\x02",
        ]
        .concat();
        assert_eq!(asked.encode(), golden);
        assert_eq!(EntriesAsked::decode(&golden), Ok(asked));
    }

    #[test]
    fn what_exceeds_its_bound_is_refused_by_name() {
        let range = Range {
            chain: chain(),
            from: 1,
            to: 2,
        };
        let found = RANGES_MAX + 1;
        let many = EntriesAsked {
            ranges: vec![range; found],
        };
        let refused = EntriesAsked::decode(&many.encode());
        assert_eq!(refused, Err(LogWireError::Ranges { found }));
        let few = LogAsked::Heads { groups: vec![0; 3] };
        let refused = LogAsked::decode(&few.encode());
        assert_eq!(refused, Err(LogWireError::Groups { found: 3 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = LogAsked::decode(&bytes);
            let _ = LogTold::decode(&bytes);
            let _ = EntriesAsked::decode(&bytes);
            let _ = EntriesTold::decode(&bytes);
        }
    }
}
