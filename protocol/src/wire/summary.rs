//! A summary of all members a node knows, small enough to be sent every few seconds: whoever gets one can tell which
//! part of its own knowledge differs, and answers with that part only.
//!
//! Members fall into buckets by the first bits of their node id (public keys, so evenly spread). The digest of a
//! bucket is the exclusive or of the digests of its members' states, so one change updates it in one step. A member
//! that chooses its signatures can make its own changes invisible here, and nobody else's.

use serde::{Deserialize, Serialize};

use super::{CborError, decode_cbor, encode_cbor};
use crate::id::{Hash, NodeId};
use crate::membership::member::Member;
use crate::membership::revocations::{REVOCATION_GROUPS, RevocationDigests};
use crate::presence::accusation::Accusation;

/// Buckets kept, and most buckets of one summary.
pub const BUCKETS_MAX: usize = 1 << BUCKET_BITS_MAX;
/// Members that share a bucket on average.
const MEMBERS_PER_BUCKET: usize = 4;
const BUCKET_BITS_MAX: u32 = 10;
const DIGEST_BYTES: usize = 8;

/// The digest of each bucket; their number is a power of two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    buckets: Vec<u64>,
    revocations: RevocationDigests,
}

/// Digests of everything known, kept up to date.
#[derive(Clone, Debug)]
pub(crate) struct Digests {
    finest: Vec<u64>,
}

impl Default for Digests {
    fn default() -> Self {
        Self {
            finest: vec![0; BUCKETS_MAX],
        }
    }
}

impl Digests {
    /// Counts a member in that was not counted, or out that was.
    pub(crate) fn toggle(&mut self, member: &Member) {
        // What has not spoken is not passed on, so it is no difference worth an answer.
        if member.record().is_some() {
            self.finest[bucket_of(member.node().leading_u64(), BUCKETS_MAX)] ^= member.digest();
        }
    }

    /// Counts an accusation in that was not counted, or out that was.
    pub(crate) fn toggle_accusation(&mut self, accusation: &Accusation) {
        let digest = Hash::of(&accusation.signature.0).leading_u64();
        self.finest[bucket_of(accusation.accused.leading_u64(), BUCKETS_MAX)] ^= digest;
    }

    /// As few buckets as keep answers small when one of `members` has changed.
    pub(crate) fn summary(&self, members: usize) -> Summary {
        let wanted = members.div_ceil(MEMBERS_PER_BUCKET).next_power_of_two();
        self.folded(wanted.min(BUCKETS_MAX))
    }

    /// `count` buckets, a power of two.
    pub(crate) fn folded(&self, count: usize) -> Summary {
        let each = BUCKETS_MAX / count;
        let fold = |finest: &[u64]| finest.iter().fold(0, |digest, one| digest ^ one);
        Summary {
            buckets: self.finest.chunks(each).map(fold).collect(),
            revocations: RevocationDigests::default(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Encoded {
    #[serde(with = "serde_bytes")]
    buckets: Vec<u8>,
    #[serde(default, with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    revocations: Vec<u8>,
}

impl Summary {
    /// How many buckets there are.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether there is no bucket; there always is.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The same, with what the summarizer knows of revocations.
    #[must_use]
    pub(crate) fn with_revocations(self, revocations: RevocationDigests) -> Self {
        Self {
            revocations,
            ..self
        }
    }

    /// The digests of the revocations that the summarizer knows.
    pub(crate) fn revocations(&self) -> &RevocationDigests {
        &self.revocations
    }

    /// Whether the bucket of `node` differs from that in `other`, which has as many buckets.
    pub(crate) fn differs_at(&self, other: &Self, node: NodeId) -> bool {
        self.differs_at_beginning(other, node.leading_u64())
    }

    /// The same of a node whose id begins with these 8 bytes.
    pub(crate) fn differs_at_beginning(&self, other: &Self, beginning: u64) -> bool {
        let bucket = bucket_of(beginning, self.buckets.len());
        self.buckets.get(bucket) != other.buckets.get(bucket)
    }

    /// The CBOR encoding: the digests as big-endian bytes.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = |digests: &[u64]| -> Vec<u8> {
            digests
                .iter()
                .flat_map(|digest| digest.to_be_bytes())
                .collect()
        };
        let none = self.revocations == RevocationDigests::default();
        encode_cbor(&Encoded {
            buckets: bytes(&self.buckets),
            revocations: bytes(if none { &[] } else { &self.revocations }),
        })
    }

    /// Reads a summary.
    ///
    /// # Errors
    ///
    /// When it is not CBOR, or the number of buckets is not a power of two up to [`BUCKETS_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SummaryError> {
        let Encoded {
            buckets,
            revocations,
        } = decode_cbor(bytes)?;
        let (digests, rest) = buckets.as_chunks::<DIGEST_BYTES>();
        let found = digests.len();
        if !rest.is_empty() || !found.is_power_of_two() || found > BUCKETS_MAX {
            return Err(SummaryError::Buckets {
                bytes: buckets.len(),
            });
        }
        Ok(Self {
            buckets: digests.iter().copied().map(u64::from_be_bytes).collect(),
            revocations: revocation_digests(&revocations)?,
        })
    }
}

fn revocation_digests(bytes: &[u8]) -> Result<RevocationDigests, SummaryError> {
    let (digests, rest) = bytes.as_chunks::<DIGEST_BYTES>();
    let found = bytes.len();
    if digests.is_empty() && rest.is_empty() {
        return Ok(RevocationDigests::default());
    }
    let whole = digests.iter().copied().map(u64::from_be_bytes);
    let whole = RevocationDigests::try_from(whole.collect::<Vec<_>>());
    whole
        .ok()
        .filter(|_| rest.is_empty())
        .ok_or(SummaryError::Revocations { bytes: found })
}

/// Where a node counts whose id begins with these 8 bytes.
fn bucket_of(beginning: u64, count: usize) -> usize {
    let first_bits = (beginning >> (u64::BITS - 16)) as usize;
    first_bits >> (16 - count.trailing_zeros())
}

/// Why bytes are no summary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SummaryError {
    /// Not the encoding of one.
    #[error("not a summary: {0}")]
    NotASummary(#[from] CborError),
    /// Not the digests of all groups of revocations.
    #[error("{bytes} bytes of digests of revocations; a summary has none or {}", REVOCATION_GROUPS * DIGEST_BYTES)]
    Revocations {
        /// How many bytes there are.
        bytes: usize,
    },
    /// Not a number of digests that a summary has.
    #[error("{bytes} bytes of digests; a summary has 8, 16, 32 and so on up to {}", BUCKETS_MAX * DIGEST_BYTES)]
    Buckets {
        /// How many bytes there are.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn digests(values: &[u64]) -> Digests {
        let mut digests = Digests::default();
        for (at, value) in values.iter().enumerate() {
            digests.finest[at * 37 % BUCKETS_MAX] ^= value;
        }
        digests
    }

    #[test]
    fn a_bucket_holds_about_four_members_and_there_are_never_too_many() {
        let lengths = [0, 1, 4, 5, 1_000, 1_000_000].map(|n| digests(&[]).summary(n).len());
        assert_eq!(lengths, [1, 1, 1, 2, 256, BUCKETS_MAX]);
    }

    #[test]
    fn a_difference_shows_in_its_own_bucket_only() {
        let (one, mut other) = (digests(&[1, 2, 3]), digests(&[1, 2, 3]));
        let node = NodeId::from_public_key([0xff; 32]);
        other.finest[BUCKETS_MAX - 1] ^= 7;
        let (one, other) = (one.folded(16), other.folded(16));
        assert!(one.differs_at(&other, node));
        assert!(!one.differs_at(&other, NodeId::from_public_key([0; 32])));
    }

    #[test]
    fn a_number_of_digests_that_no_summary_has_is_refused() {
        for bytes in [0, 7, 24, BUCKETS_MAX * DIGEST_BYTES * 2] {
            let encoded = encode_cbor(&Encoded {
                buckets: vec![0; bytes],
                revocations: Vec::new(),
            });
            assert_eq!(
                Summary::decode(&encoded),
                Err(SummaryError::Buckets { bytes })
            );
        }
    }

    #[test]
    fn the_bytes_of_a_summary_are_fixed() {
        let summary = Summary {
            buckets: vec![1, 0x0203],
            revocations: RevocationDigests::default(),
        };
        let golden = b"\xa1gbuckets\x50\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x02\x03";
        assert_eq!(summary.encode(), golden);
        assert_eq!(Summary::decode(golden), Ok(summary));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_summary_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(summary) = Summary::decode(&bytes) {
                prop_assert_eq!(Summary::decode(&summary.encode()), Ok(summary));
            }
        }

        #[test]
        fn what_is_encoded_is_read_back(values in proptest::collection::vec(any::<u64>(), 0..50), bits in 0..=BUCKET_BITS_MAX) {
            let summary = digests(&values).folded(1 << bits);
            prop_assert_eq!(Summary::decode(&summary.encode()), Ok(summary));
        }
    }
}
