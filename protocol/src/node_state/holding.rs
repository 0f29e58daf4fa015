//! Members whose direct entries are not taken for now: what they sent before waits unread, and fills their share.

use std::collections::BTreeSet;

use super::NodeState;
use crate::id::NodeId;
use crate::log::chain_id::{ChainId, Lane};
use crate::log::direct::mailboxes;
use crate::mutation::Mutation;
use crate::time::Now;

impl NodeState {
    /// Nothing is taken of these members' direct lanes to this node. Whoever was named before and is not any more is
    /// asked at once for what it has meanwhile.
    pub(super) fn hold_direct(&mut self, now: Now, authors: BTreeSet<NodeId>) {
        let freed: Vec<NodeId> = self.log.held.difference(&authors).copied().collect();
        self.log.held = authors;
        for author in freed {
            self.ask_for_what_was_held(now, author);
        }
    }

    /// The author keeps it, and where that is away so do this node's mailboxes.
    fn ask_for_what_was_held(&mut self, now: Now, author: NodeId) {
        if self.links.is_up(author) {
            return self.log.repair.compare_anew(now.monotonic, author);
        }
        self.link_wanted(now, author);
        let Some(roster) = self.roster.clone() else {
            return;
        };
        let boxes = mailboxes(&roster, self.me).into_iter();
        for node in boxes.filter(|node| self.links.is_up(*node)) {
            self.log.repair.compare_anew(now.monotonic, node);
        }
    }

    /// Whether entries of this chain are left with whoever has them.
    pub(super) fn is_held(&self, chain: ChainId) -> bool {
        let for_me = chain.lane == Lane::Direct(self.me);
        for_me && self.log.held.contains(&chain.author) && !Mutation::SkipShares.is_on()
    }
}
