//! Who puts the proof of a decision into the log, for those who will never see the votes: the proposer at once, the
//! others of the electorate one after the other while nobody has.

use std::time::Duration;

use super::NodeState;
use crate::consensus::electorate::Electorate;
use crate::consensus::item::DecisionItem;
use crate::consensus::proposal::ProposalId;
use crate::id::{Hash, NodeId};
use crate::log::entry::ITEM_BYTES_MAX;
use crate::log::{AppendError, Lane};
use crate::time::Now;

/// Each waits so much longer than the one before to log a proof that nobody has logged.
const LOG_AFTER: Duration = Duration::from_secs(5);
/// And no more than so many times as long.
const LOG_TURNS_MAX: u32 = 12;

impl NodeState {
    /// Once a proposal is decided, its proof is to be logged when it is this node's turn.
    pub(super) fn schedule_logging(&mut self, now: Now, id: ProposalId) {
        let Some(known) = self.decisions.book.get(id) else {
            return;
        };
        let body = known.body();
        let decided = known.decision().is_some() && !self.decisions.logged.contains(&id);
        let turn = log_turn(self.me, id, &body.electorate, body.node);
        if let Some(turn) = turn.filter(|_| decided) {
            let at = now.monotonic + LOG_AFTER * turn.min(LOG_TURNS_MAX);
            self.decisions.unlogged.entry(id).or_insert(at);
        }
    }

    pub(super) fn log_proofs_when_due(&mut self, now: Now) {
        let due = self.decisions.unlogged.iter();
        let due = due.filter(|(_, at)| **at <= now.monotonic);
        let due: Vec<ProposalId> = due.map(|(id, _)| *id).collect();
        for id in due {
            self.decisions.unlogged.remove(&id);
            let known = self.decisions.book.get(id);
            let Some(proof) = known.and_then(|known| known.decision()).cloned() else {
                continue;
            };
            let item = DecisionItem::Decided(proof).encode();
            // Of many issuers: each makes its own from the votes.
            if item.len() > ITEM_BYTES_MAX {
                continue;
            }
            let appended = self.append(now, Lane::DECISIONS, vec![item], None);
            if let Err(AppendError::Busy | AppendError::NotOpen | AppendError::DiskFull) = appended
            {
                let again = now.monotonic + LOG_AFTER;
                self.decisions.unlogged.insert(id, again);
            }
        }
    }
}

/// The how-manieth `me` is to log the proof: the proposer first, then the electorate in an order that differs from
/// proposal to proposal; `None` for others.
fn log_turn(me: NodeId, id: ProposalId, electorate: &Electorate, proposer: NodeId) -> Option<u32> {
    if me == proposer {
        return Some(0);
    }
    let place = |node: NodeId| Hash::of(&[&id.0.as_bytes()[..], node.public_key()].concat());
    let electors = electorate.electors.iter();
    let mut nodes: Vec<NodeId> = electors.map(|elector| elector.voter.node).collect();
    nodes.dedup();
    nodes.contains(&me).then(|| {
        let before = nodes.iter().filter(|node| place(**node) < place(me));
        u32::try_from(before.count() + 1).unwrap_or(LOG_TURNS_MAX)
    })
}
