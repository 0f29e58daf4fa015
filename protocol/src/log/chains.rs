//! All chains that a node holds, what is forked, and the frontier over them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::chain::{Chain, Place};
use super::chain_id::{ChainId, EpochId, Lane};
use super::entry::{Entry, Predecessor};
use super::fork::{Fork, ForkedEpoch};
use super::frontier::Frontier;
use crate::id::{Hash, NodeId};

/// Bytes that one author may have in one lane, in all its epochs together; an entry beyond it is refused until older
/// ones have aged.
pub const LANE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What others take of an author beyond that: they drop what has aged a little later than it does.
const LANE_SLACK_BYTES: u64 = LANE_BYTES_MAX / 4;
/// Chains of one author; one that begins another is refused until older ones have aged.
pub const CHAINS_PER_AUTHOR_MAX: usize = 4_096;
/// Forked epochs of one author that are kept; from then on nothing of it is taken.
pub const FORKS_PER_AUTHOR_MAX: usize = 16;

/// Everything held.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    chains: BTreeMap<ChainId, Chain>,
    forks: BTreeMap<ForkedEpoch, Arc<Fork>>,
    direct: BTreeSet<ChainId>,
    bytes: BTreeMap<(NodeId, Lane), u64>,
    /// Over the public chains of authors that count and are not forked.
    frontier: Frontier,
    /// Authors that are no members any more: others may have forgotten their chains.
    uncounted: BTreeSet<NodeId>,
}

/// Why an entry is not taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Its epoch is forked.
    #[error("its epoch is forked")]
    Forked,
    /// Over [`LANE_BYTES_MAX`].
    #[error("its author has too many bytes in this lane")]
    LaneFull,
    /// Over [`CHAINS_PER_AUTHOR_MAX`].
    #[error("its author has too many chains")]
    TooManyChains,
}

impl Chains {
    pub(crate) fn get(&self, id: ChainId) -> Option<&Chain> {
        self.chains.get(&id)
    }

    pub(crate) fn head(&self, id: ChainId) -> u64 {
        self.get(id).map_or(0, |chain| chain.head)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chains.is_empty() && self.forks.is_empty()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Chain> {
        self.chains.values()
    }

    /// The chains of direct lanes.
    pub(crate) fn direct(&self) -> impl Iterator<Item = &Chain> {
        self.direct.iter().filter_map(|id| self.chains.get(id))
    }

    /// The chains of one author, of all epochs and lanes.
    pub(crate) fn of_author(&self, author: NodeId) -> impl Iterator<Item = &Chain> {
        let epoch = EpochId([0; 16]);
        let lane = Lane::Public(0);
        let first = ChainId {
            author,
            epoch,
            lane,
        };
        let from_it = self.chains.range(first..).map(|(_, chain)| chain);
        from_it.take_while(move |chain| chain.id.author == author)
    }

    pub(crate) fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    pub(crate) fn forks(&self) -> impl Iterator<Item = (&ForkedEpoch, &Arc<Fork>)> {
        self.forks.iter()
    }

    pub(crate) fn is_forked(&self, epoch: ForkedEpoch) -> bool {
        self.forks.contains_key(&epoch)
    }

    /// Whether it is part of what members compare.
    pub(crate) fn counts(&self, chain: &Chain) -> bool {
        chain.id.lane.is_public()
            && !self.uncounted.contains(&chain.id.author)
            && !self.is_forked(chain.id.into())
    }

    /// Bytes that an author has in a lane.
    pub(crate) fn lane_bytes(&self, author: NodeId, lane: Lane) -> u64 {
        self.bytes.get(&(author, lane)).copied().unwrap_or_default()
    }

    /// Where an entry stands, if it may be taken at all.
    pub(crate) fn place(&self, entry: &Entry) -> Result<Place, Refused> {
        let id = entry.chain();
        let hopeless = self.forks_of(id.author) >= FORKS_PER_AUTHOR_MAX;
        if hopeless || self.is_forked(id.into()) {
            return Err(Refused::Forked);
        }
        let place = match self.get(id) {
            Some(chain) => chain.place(entry.header(), entry.hash()),
            None if self.of_author(id.author).count() >= CHAINS_PER_AUTHOR_MAX => {
                return Err(Refused::TooManyChains);
            }
            None => Chain::new(id).place(entry.header(), entry.hash()),
        };
        let bytes = self.lane_bytes(id.author, id.lane) + entry.sealed().len() as u64;
        match place {
            Place::Next if bytes > LANE_BYTES_MAX + LANE_SLACK_BYTES => Err(Refused::LaneFull),
            place => Ok(place),
        }
    }

    fn forks_of(&self, author: NodeId) -> usize {
        let of_author = |forked: &&ForkedEpoch| forked.author == author;
        self.forks.keys().filter(of_author).count()
    }

    /// Appends an entry that is the next of its chain.
    pub(crate) fn append(&mut self, entry: &Entry) {
        self.change(entry.chain(), |chain| chain.append(entry));
    }

    /// Begins a chain after what was pruned everywhere.
    pub(crate) fn begin_after(&mut self, last_pruned: &Entry) {
        self.change(last_pruned.chain(), |chain| chain.begin_after(last_pruned));
    }

    /// Entries before `first`, of so many bytes, are gone.
    pub(crate) fn pruned(&mut self, id: ChainId, first: u64, bytes: u64) {
        self.change(id, |chain| {
            (chain.first, chain.bytes) = (first, chain.bytes.saturating_sub(bytes));
        });
    }

    /// Its recipient has all of it: nothing but its end is kept, and its author stands by nothing before the next entry.
    pub(crate) fn release(&mut self, id: ChainId) {
        self.change(id, |chain| {
            chain.first = chain.head + 1;
            chain.live_from = chain.first;
            chain.bytes = 0;
        });
    }

    /// Its author stands by nothing before `live_from` any more.
    pub(crate) fn stand_by_from(&mut self, id: ChainId, live_from: u64) {
        self.change(id, |chain| chain.live_from = chain.live_from.max(live_from));
    }

    /// A chain that was kept.
    pub(crate) fn restore(&mut self, chain: Chain) {
        self.change(chain.id, |known| *known = chain);
    }

    fn change(&mut self, id: ChainId, change: impl FnOnce(&mut Chain)) {
        let mut chain = self.chains.remove(&id).unwrap_or_else(|| Chain::new(id));
        let counts = self.counts(&chain);
        if counts {
            self.frontier.toggle(&chain);
        }
        let before = chain.bytes;
        change(&mut chain);
        if counts {
            self.frontier.toggle(&chain);
        }
        let bytes = self.bytes.entry((id.author, id.lane)).or_default();
        *bytes = (*bytes + chain.bytes).saturating_sub(before);
        if !id.lane.is_public() {
            self.direct.insert(id);
        }
        self.chains.insert(id, chain);
    }

    /// Forgets a chain of which nothing is left.
    pub(crate) fn forget(&mut self, id: ChainId) {
        self.direct.remove(&id);
        if let Some(chain) = self.chains.remove(&id) {
            if self.counts(&chain) {
                self.frontier.toggle(&chain);
            }
            let bytes = self.bytes.entry((id.author, id.lane)).or_default();
            *bytes = bytes.saturating_sub(chain.bytes);
        }
    }

    /// Keeps evidence that was checked; says whether it is news.
    pub(crate) fn add_fork(&mut self, forked: ForkedEpoch, fork: Arc<Fork>) -> bool {
        if self.is_forked(forked) || self.forks_of(forked.author) >= FORKS_PER_AUTHOR_MAX {
            return false;
        }
        let in_epoch = |chain: &&Chain| ForkedEpoch::from(chain.id) == forked;
        let stopped = self.counted(forked.author);
        for chain in stopped.iter().filter(in_epoch) {
            self.frontier.toggle(chain);
        }
        self.forks.insert(forked, fork);
        if !self.uncounted.contains(&forked.author) {
            self.frontier.toggle_fork(forked);
        }
        true
    }

    /// Who of the authors counts may have changed.
    pub(crate) fn count_authors(&mut self, is_known: impl Fn(NodeId) -> bool) {
        let chains = self.chains.keys().map(|id| id.author);
        let forked = self.forks.keys().map(|forked| forked.author);
        let authors: BTreeSet<NodeId> = chains.chain(forked).collect();
        for author in authors {
            let counted = !self.uncounted.contains(&author);
            if counted != is_known(author) {
                self.toggle_author(author);
            }
        }
    }

    /// The chains of an author that are part of what members compare.
    fn counted(&self, author: NodeId) -> Vec<Chain> {
        let chains = self.of_author(author);
        chains.filter(|chain| self.counts(chain)).cloned().collect()
    }

    fn toggle_author(&mut self, author: NodeId) {
        let counted = !self.uncounted.contains(&author);
        self.uncounted.remove(&author);
        for chain in self.counted(author) {
            self.frontier.toggle(&chain);
        }
        let forks = self.forks.keys().filter(|forked| forked.author == author);
        let forks: Vec<ForkedEpoch> = forks.copied().collect();
        for forked in forks {
            self.frontier.toggle_fork(forked);
        }
        if counted {
            self.uncounted.insert(author);
        }
    }

    /// Where an author's earlier epoch ended in a lane: what the first entry of a new one names.
    pub(crate) fn predecessor(
        &self,
        author: NodeId,
        lane: Lane,
        last: Option<EpochId>,
    ) -> Option<(Predecessor, Hash)> {
        let in_lane = |chain: &&Chain| chain.id.lane == lane && chain.head > 0;
        let chains = self.of_author(author).filter(in_lane);
        let latest = chains.max_by_key(|chain| (Some(chain.id.epoch) == last, chain.head_time))?;
        let predecessor = Predecessor {
            epoch: latest.id.epoch,
            sequence: latest.head,
        };
        Some((predecessor, latest.head_hash))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::id::MeshId;
    use crate::log::entry::Draft;
    use crate::signature::Signer;
    use crate::time::Timestamp;

    fn id(epoch: u8) -> ChainId {
        ChainId {
            author: NodeId::from_public_key(SigningKey::from_bytes(&[2; 32]).public_key()),
            epoch: EpochId([epoch; 16]),
            lane: Lane::MESSAGES,
        }
    }

    fn entry(chain: ChainId, sequence: u64, previous: Hash, item: &'static [u8]) -> Entry {
        let draft = Draft {
            chain,
            sequence,
            previous,
            predecessor: None,
            time: Timestamp(sequence),
            live_from: 1,
        };
        let mesh = MeshId::from_public_key([1; 32]);
        let key = SigningKey::from_bytes(&[2; 32]);
        Entry::seal(draft, &[Bytes::from_static(item)], mesh, &key)
    }

    fn first(epoch: u8) -> Entry {
        entry(id(epoch), 1, Hash::from([0; 32]), b"one")
    }

    #[test]
    fn whoever_floods_a_lane_is_refused_there_in_every_epoch_until_something_ages() {
        let mut chains = Chains::default();
        chains.restore(Chain {
            bytes: LANE_BYTES_MAX + LANE_SLACK_BYTES,
            ..Chain::new(id(1))
        });
        assert_eq!(chains.place(&first(2)), Err(Refused::LaneFull));
        let lane = Lane::TASKS;
        let elsewhere = entry(ChainId { lane, ..id(2) }, 1, Hash::from([0; 32]), b"one");
        assert_eq!(chains.place(&elsewhere), Ok(Place::Next));
        chains.pruned(id(1), 1, 1_000);
        assert_eq!(chains.place(&first(2)), Ok(Place::Next));
    }

    #[test]
    fn an_author_may_begin_so_many_chains_and_no_more() {
        let mut chains = Chains::default();
        for number in 0..CHAINS_PER_AUTHOR_MAX {
            let mut epoch = [0; 16];
            epoch[..8].copy_from_slice(&number.to_be_bytes());
            let epoch = EpochId(epoch);
            chains.restore(Chain::new(ChainId { epoch, ..id(0) }));
        }
        assert_eq!(chains.place(&first(0xff)), Err(Refused::TooManyChains));
    }

    #[test]
    fn entries_in_any_order_of_chains_give_the_same_frontier_and_a_fork_takes_them_out() {
        let (mut one, mut other) = (Chains::default(), Chains::default());
        (1..=5).for_each(|epoch| one.append(&first(epoch)));
        (1..=5).rev().for_each(|epoch| other.append(&first(epoch)));
        assert_eq!(one.frontier(), other.frontier());
        let two = entry(id(1), 2, first(1).hash(), b"two");
        one.append(&two);
        assert_ne!(one.frontier(), other.frontier());
        let contradicting = entry(id(1), 1, Hash::from([0; 32]), b"other");
        let fork = Arc::new(Fork::of(&first(1), &contradicting).unwrap());
        let forked = ForkedEpoch::from(id(1));
        assert!(one.add_fork(forked, fork.clone()) && other.add_fork(forked, fork.clone()));
        assert!(!one.add_fork(forked, fork));
        // How far a forked epoch was applied is no difference.
        assert_eq!(one.frontier(), other.frontier());
        assert_eq!(one.place(&two), Err(Refused::Forked));
        one.count_authors(|_| false);
        assert_eq!(*one.frontier(), Frontier::default());
        one.count_authors(|_| true);
        assert_eq!(one.frontier(), other.frontier());
    }
}
