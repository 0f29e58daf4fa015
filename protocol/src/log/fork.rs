//! Evidence of a fork: two entries that one author signed for one place.
//!
//! It proves itself, so anybody may pass it on. It stops further entries of that epoch of the author, in every lane;
//! what was applied stays, and both branches are kept and shown. Which of several proofs a node holds makes no
//! difference, so the first is kept.

use serde::{Deserialize, Serialize};

use super::chain_id::{ChainId, EpochId};
use super::entry::{Entry, EntryError, SealedEntry};
use crate::id::{MeshId, NodeId};
use crate::signature::Verifier;

/// Two different entries at one place of one chain, without their bodies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// Which epoch of whom.
    pub forked: ForkedEpoch,
    /// The one whose hash is the smaller.
    pub one: SealedEntry,
    /// The other.
    pub other: SealedEntry,
}

/// Which epoch of whom is forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ForkedEpoch {
    /// Who signed two histories.
    pub author: NodeId,
    /// In which epoch.
    pub epoch: EpochId,
}

impl From<ChainId> for ForkedEpoch {
    fn from(chain: ChainId) -> Self {
        Self {
            author: chain.author,
            epoch: chain.epoch,
        }
    }
}

impl Fork {
    /// The evidence that two entries are; `None` where they are one, or of different places.
    pub fn of(one: &Entry, other: &Entry) -> Option<Self> {
        let place = |entry: &Entry| (entry.chain(), entry.sequence());
        if place(one) != place(other) || one.hash() == other.hash() {
            return None;
        }
        let (one, other) = match one.hash() < other.hash() {
            true => (one, other),
            false => (other, one),
        };
        Some(Self {
            forked: one.chain().into(),
            one: one.without_body().sealed().clone(),
            other: other.without_body().sealed().clone(),
        })
    }

    /// Whether both are signed, and of one place: then the epoch that is forked.
    ///
    /// # Errors
    ///
    /// What is wrong with either, or [`ForkError::NoFork`].
    pub fn check(&self, mesh: MeshId, verifier: &dyn Verifier) -> Result<ForkedEpoch, ForkError> {
        let one = self.one.clone().open(mesh, verifier)?;
        let other = self.other.clone().open(mesh, verifier)?;
        match Self::of(&one, &other) {
            Some(fork) if fork == *self => Ok(self.forked),
            _ => Err(ForkError::NoFork),
        }
    }

    /// The place that both entries claim, of evidence that was checked before it was kept.
    pub fn place(&self) -> Option<(ChainId, u64)> {
        let one = self.one.clone().open_unsigned().ok()?;
        Some((one.chain(), one.sequence()))
    }
}

/// Why two entries prove no fork.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// One of them is no entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// They are the same, of different places, with bodies, or in the wrong order.
    #[error("the two entries do not contradict each other")]
    NoFork,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::log::sealed_entries::alone as entry;
    use crate::signature::Ed25519;
    use crate::wire::{decode_cbor, encode_cbor};

    fn check(fork: &Fork) -> Result<ForkedEpoch, ForkError> {
        fork.check(MeshId::from_public_key([1; 32]), &Ed25519)
    }

    #[test]
    fn two_entries_of_one_place_are_evidence_whoever_shows_them() {
        let (one, other) = (entry(1, b"one"), entry(1, b"other"));
        let fork = Fork::of(&one, &other).unwrap();
        assert_eq!(Fork::of(&other, &one), Some(fork.clone()));
        let forked = check(&fork).unwrap();
        assert_eq!(forked, ForkedEpoch::from(one.chain()));
        assert_eq!(decode_cbor::<Fork>(&encode_cbor(&fork)), Ok(fork.clone()));
        assert_eq!(fork.place(), Some((one.chain(), 1)));
    }

    #[test]
    fn one_entry_and_entries_of_different_places_are_none() {
        let (one, next) = (entry(1, b"one"), entry(2, b"two"));
        assert_eq!(Fork::of(&one, &one), None);
        assert_eq!(Fork::of(&one, &next), None);
        let sealed = |entry: &Entry| entry.without_body().sealed().clone();
        let made_up = Fork {
            forked: one.chain().into(),
            one: sealed(&one),
            other: sealed(&next),
        };
        assert_eq!(check(&made_up), Err(ForkError::NoFork));
    }

    proptest! {
        #[test]
        fn one_changed_byte_proves_nothing_else(at in any::<prop::sample::Index>(), change in 1..=255_u8) {
            let fork = Fork::of(&entry(1, b"one"), &entry(1, b"other")).unwrap();
            let mut bytes = encode_cbor(&fork);
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            if let Ok(damaged) = decode_cbor::<Fork>(&bytes) {
                prop_assert!(damaged == fork || check(&damaged).is_err());
            }
        }
    }

    #[test]
    fn evidence_that_nobody_signed_is_refused() {
        let mut fork = Fork::of(&entry(1, b"one"), &entry(1, b"other")).unwrap();
        fork.one.signature.0[0] ^= 1;
        assert!(matches!(
            check(&fork),
            Err(ForkError::Entry(EntryError::Forged { .. }))
        ));
    }
}
