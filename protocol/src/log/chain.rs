//! A chain as a node knows it: where it ends, from where on it is kept, and what may follow.

use serde::{Deserialize, Serialize};

use super::chain_id::ChainId;
use super::entry::{Entry, Header};
use crate::id::Hash;
use crate::time::Timestamp;

/// What is kept of a chain beside its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Which.
    pub id: ChainId,
    /// The sequence of its last entry; 0 where there is none yet.
    pub head: u64,
    /// The hash of its last entry.
    pub head_hash: Hash,
    /// The author's clock then.
    pub head_time: Timestamp,
    /// The first entry that is kept; one beyond [`Chain::head`] where none is.
    pub first: u64,
    /// The author stands by entries from here on.
    pub live_from: u64,
    /// Bytes of the entries that are kept.
    pub bytes: u64,
}

/// Where an entry stands to a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is the next.
    Next,
    /// Its sequence is taken: most likely by itself.
    Known,
    /// Entries from this sequence on are missing before it.
    Gap {
        /// The first that is missing.
        from: u64,
    },
    /// Another entry stands where it or the one before it should: the author signed two histories.
    Diverges {
        /// The place that both claim.
        sequence: u64,
    },
}

impl Chain {
    /// A chain of which nothing is known.
    pub fn new(id: ChainId) -> Self {
        Self {
            id,
            head: 0,
            head_hash: Hash::from([0; 32]),
            head_time: Timestamp(0),
            first: 1,
            live_from: 1,
            bytes: 0,
        }
    }

    /// Where an entry with this header and hash stands.
    pub fn place(&self, header: &Header, hash: Hash) -> Place {
        let sequence = header.sequence;
        if sequence == self.head && hash != self.head_hash {
            return Place::Diverges { sequence };
        }
        if sequence <= self.head {
            return Place::Known;
        }
        if sequence > self.head + 1 {
            let from = self.head + 1;
            return Place::Gap { from };
        }
        if self.head > 0 && header.previous != self.head_hash {
            let sequence = self.head;
            return Place::Diverges { sequence };
        }
        Place::Next
    }

    /// Goes on with an entry that is the next.
    pub fn append(&mut self, entry: &Entry) {
        let header = entry.header();
        debug_assert_eq!(self.place(header, entry.hash()), Place::Next);
        self.head = header.sequence;
        self.head_hash = entry.hash();
        self.head_time = header.time;
        self.live_from = self.live_from.max(header.live_from);
        self.bytes += entry.sealed().len() as u64;
    }

    /// Begins after an entry that somebody else dropped: what came before is gone everywhere.
    pub fn begin_after(&mut self, last_pruned: &Entry) {
        let header = last_pruned.header();
        self.head = header.sequence;
        self.head_hash = last_pruned.hash();
        self.head_time = header.time;
        self.first = header.sequence + 1;
        self.live_from = self.live_from.max(header.live_from);
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::sealed_entries::{chain_in, following};

    fn entry(sequence: u64, previous: Hash, item: &'static [u8]) -> Entry {
        following(previous, chain_in(3), sequence, item)
    }

    fn chain_of_two() -> (Chain, Entry, Entry) {
        let one = entry(1, Hash::from([0; 32]), b"one");
        let two = entry(2, one.hash(), b"two");
        let mut chain = Chain::new(chain_in(3));
        chain.append(&one);
        chain.append(&two);
        (chain, one, two)
    }

    #[test]
    fn the_next_the_known_and_the_missing_are_told_apart() {
        let (chain, one, two) = chain_of_two();
        let place = |entry: &Entry| chain.place(entry.header(), entry.hash());
        assert_eq!(place(&one), Place::Known);
        assert_eq!(place(&two), Place::Known);
        let three = entry(3, two.hash(), b"three");
        assert_eq!(place(&three), Place::Next);
        let five = entry(5, two.hash(), b"five");
        assert_eq!(place(&five), Place::Gap { from: 3 });
    }

    #[test]
    fn another_last_entry_and_one_that_follows_another_diverge() {
        let (chain, one, _) = chain_of_two();
        let place = |entry: &Entry| chain.place(entry.header(), entry.hash());
        let sequence = 2;
        let other = entry(2, one.hash(), b"other");
        assert_eq!(place(&other), Place::Diverges { sequence });
        let after = entry(3, other.hash(), b"three");
        assert_eq!(place(&after), Place::Diverges { sequence });
    }

    #[test]
    fn a_chain_whose_beginning_is_pruned_goes_on_after_it() {
        let (_, _, two) = chain_of_two();
        let mut chain = Chain::new(chain_in(3));
        chain.begin_after(&two);
        assert_eq!((chain.first, chain.head, chain.bytes), (3, 2, 0));
        let three = entry(3, two.hash(), b"three");
        assert_eq!(chain.place(three.header(), three.hash()), Place::Next);
    }
}
