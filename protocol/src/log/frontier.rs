//! The frontier: where every chain ends, as digests that two members compare.
//!
//! Authors fall into [`GROUPS`] by their keys. The digest of a group is the exclusive or of one term for each chain, so
//! that an entry changes it in one step; the digest of all is the hash over the groups. An author that searches for
//! keys can make its own changes cancel out, and nobody else's.

use super::chain::Chain;
use super::fork::ForkedEpoch;
use crate::id::{Hash, NodeId};
use crate::wire::encode_cbor;
use crate::wire::log::GROUPS;

/// The digests of all groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frontier {
    groups: Vec<u64>,
}

impl Default for Frontier {
    fn default() -> Self {
        Self {
            groups: vec![0; GROUPS],
        }
    }
}

impl Frontier {
    /// Counts a chain in that was not counted as it is, or out that was.
    pub(crate) fn toggle(&mut self, chain: &Chain) {
        if chain.head > 0 {
            let term = (chain.id, chain.head, chain.head_hash);
            self.groups[group_of(chain.id.author)] ^= Hash::of(&encode_cbor(&term)).leading_u64();
        }
    }

    /// Counts a forked epoch in or out.
    pub(crate) fn toggle_fork(&mut self, forked: ForkedEpoch) {
        let digest = Hash::of(&encode_cbor(&forked)).leading_u64();
        self.groups[group_of(forked.author)] ^= digest;
    }

    /// The digest of each group.
    pub(crate) fn groups(&self) -> &[u64] {
        &self.groups
    }

    /// 32 bytes over all of it.
    pub(crate) fn digest(&self) -> Hash {
        let bytes: Vec<u8> = self.groups.iter().flat_map(|g| g.to_be_bytes()).collect();
        Hash::of(&bytes)
    }
}

/// The group of an author.
pub(crate) fn group_of(author: NodeId) -> usize {
    usize::from(author.public_key()[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::chain_id::{ChainId, EpochId, Lane};

    fn chain(author: u8, head: u64) -> Chain {
        let id = ChainId {
            author: NodeId::from_public_key([author; 32]),
            epoch: EpochId([1; 16]),
            lane: Lane::MESSAGES,
        };
        Chain {
            head,
            ..Chain::new(id)
        }
    }

    #[test]
    fn equal_frontiers_have_equal_digests_in_whatever_order_they_came_about() {
        let (mut one, mut other) = (Frontier::default(), Frontier::default());
        one.toggle(&chain(1, 1));
        one.toggle(&chain(2, 5));
        one.toggle(&chain(1, 1));
        one.toggle(&chain(1, 2));
        other.toggle(&chain(1, 2));
        other.toggle(&chain(2, 5));
        assert_eq!(one.digest(), other.digest());
        other.toggle_fork(chain(7, 1).id.into());
        assert_ne!(one.digest(), other.digest());
    }

    #[test]
    fn a_difference_shows_in_the_group_of_its_author() {
        let (mut one, other) = (Frontier::default(), Frontier::default());
        one.toggle(&chain(9, 1));
        let differing = one.groups().iter().zip(other.groups());
        let differing = differing.map(|(one, other)| one != other);
        assert_eq!(differing.filter(|differs| *differs).count(), 1);
        assert_ne!(one.groups()[9], 0);
    }

    #[test]
    fn a_chain_without_entries_is_no_difference() {
        let mut frontier = Frontier::default();
        frontier.toggle(&chain(1, 0));
        assert_eq!(frontier, Frontier::default());
    }
}
