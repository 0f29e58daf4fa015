//! Votes that came before the proposal they are for: kept once each, bounded by whoever put them into the log.

use std::collections::BTreeMap;

use super::proposal::ProposalId;
use super::vote::Vote;
use crate::id::NodeId;
use crate::time::Timestamp;

/// Votes that one node put into the log: whoever hands on the votes of others fills its own part alone.
pub(super) const EARLY_PER_NODE_MAX: usize = 512;
/// Of all nodes together.
const EARLY_MAX: usize = 16 * 1024;

/// Where a vote was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The node in whose log.
    pub by: NodeId,
    /// When it was put there, by that node's clock.
    pub at: Timestamp,
}

/// The votes that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct EarlyVotes {
    votes: BTreeMap<ProposalId, Vec<(Vote, Carried)>>,
    of_node: BTreeMap<NodeId, usize>,
}

impl EarlyVotes {
    /// Keeps a vote, once. Says whether there is room.
    pub(super) fn keep(&mut self, vote: Vote, carried: Carried) -> bool {
        let waiting = self.votes.get(&vote.proposal);
        if waiting.is_some_and(|waiting| waiting.iter().any(|(known, _)| *known == vote)) {
            return true;
        }
        let all: usize = self.of_node.values().sum();
        let of_node = self.of_node.get(&carried.by).copied().unwrap_or_default();
        if of_node >= EARLY_PER_NODE_MAX || all >= EARLY_MAX {
            return false;
        }
        self.of_node.insert(carried.by, of_node + 1);
        let waiting = self.votes.entry(vote.proposal).or_default();
        waiting.push((vote, carried));
        true
    }

    /// Those for a proposal that has come.
    pub(super) fn take(&mut self, proposal: ProposalId) -> Vec<Vote> {
        let taken = self.votes.remove(&proposal).unwrap_or_default();
        let taken = taken.into_iter().map(|(vote, carried)| {
            self.left(carried.by);
            vote
        });
        taken.collect()
    }

    /// Forgets those that were put into the log before then.
    pub(super) fn forget_before(&mut self, before: Timestamp) {
        let mut gone = Vec::new();
        self.votes.retain(|_, waiting| {
            let old = waiting.extract_if(.., |(_, carried)| carried.at < before);
            gone.extend(old.map(|(_, carried)| carried.by));
            !waiting.is_empty()
        });
        gone.into_iter().for_each(|node| self.left(node));
    }

    fn left(&mut self, node: NodeId) {
        if let Some(of_node) = self.of_node.get_mut(&node) {
            *of_node -= 1;
            if *of_node == 0 {
                self.of_node.remove(&node);
            }
        }
    }
}
