//! Links as they are dialed, come up, fail and are let go.

use std::time::Duration;

use super::{NodeState, Output};
use crate::id::NodeId;
use crate::links::{LINGER, LONGEST_PAUSE};
use crate::membership::certificate::Validity;
use crate::time::Now;

/// How long a link is kept for whoever asked for it.
const WANTED_LINK_FOR: Duration = Duration::from_secs(60);
/// Longest pause between dials of a member of another region that is to be linked and is not known to be away.
const LONGEST_PAUSE_ACROSS: Duration = Duration::from_secs(4);

impl NodeState {
    pub(super) fn dial_due(&mut self, now: Now) {
        for node in self.links.due(now.monotonic) {
            let addresses = self.addresses_to_dial(now, node);
            if addresses.is_empty() {
                self.dial_failed(now, node, false);
            } else {
                self.outputs.push_back(Output::Dial { node, addresses });
            }
        }
    }

    /// Ends idle links, but not those that the other end would make again at once.
    pub(super) fn release_idle(&mut self, now: Now) {
        for node in self.links.idle(now.monotonic) {
            if self.is_chosen_by(node) {
                self.links.keep(now.monotonic, node, LINGER);
            } else {
                self.outputs.push_back(Output::Release { node });
            }
        }
    }

    pub(super) fn choose_neighbours(&mut self, now: Now) {
        if !std::mem::take(&mut self.topology_changed) {
            return;
        }
        let may_be_dialed = |node: NodeId| {
            let chain = self.roster.as_ref().and_then(|roster| roster.member(node));
            chain.is_some_and(|chain| chain.validity(now.wall) != Validity::Expired)
        };
        let failing = |node: NodeId| self.links.is_failing(node);
        let mut neighbours = self.topology.neighbours(may_be_dialed, failing);
        let is_here = |node: NodeId| may_be_dialed(node) && !self.presence.is_away(node);
        let is_good = |node: NodeId| is_here(node) && !failing(node);
        self.topology.choose_across(is_here, is_good);
        neighbours.extend(self.topology.across());
        self.links.want(now.monotonic, &neighbours);
    }

    pub(super) fn dial_failed(&mut self, now: Now, node: NodeId, refused: bool) {
        // Where a region was cut off, its members are as well as they were before, and there are few links to try.
        let region_cut_off =
            self.region_of(node) != self.topology.region() && !self.presence.is_away(node);
        let longest = match region_cut_off || self.topology.across().contains(&node) {
            true => LONGEST_PAUSE_ACROSS,
            false => LONGEST_PAUSE,
        };
        if self.links.failed(now.monotonic, node, refused, longest) {
            self.book.forget(node);
        }
        if !refused && self.is_member(node) && self.links.is_worth_a_search(node) {
            self.outputs.push_back(Output::Seek { node });
        }
        self.manifests.unreached(now.monotonic, node);
        self.watch_failed_dial(now, node);
        self.offers.touch_member(node);
        self.topology_changed |= self.links.is_failing(node);
    }

    pub(super) fn link_wanted(&mut self, now: Now, node: NodeId) {
        if self.is_member(node) {
            self.links.keep(now.monotonic, node, WANTED_LINK_FOR);
        }
    }

    pub(super) fn link_up(&mut self, now: Now, node: NodeId, address: Option<String>) {
        if !self.is_member(node) {
            self.outputs.push_back(Output::Disconnect { node });
            return;
        }
        self.links.up(now.monotonic, node, address.is_some());
        if let Some(address) = address {
            self.book.succeeded(now.wall, node, &address);
            self.save_addresses(now, node);
        }
        self.watch_link_up(node);
        self.check_expiry_soon(now);
        self.topology_changed = true;
        self.offers.touch_member(node);
        self.manifests.link_up(now.monotonic, node);
        self.reconciliation.ask(now.monotonic, node);
        self.log_link_up(now, node);
    }

    pub(super) fn link_down(&mut self, now: Now, node: NodeId) {
        if self.links.down(now.monotonic, node) {
            self.watch_lost_link(now, node);
        }
        if self.links.standing().next().is_none() {
            self.set_caught_up(false);
        }
        self.manifests.link_down(now.monotonic, node);
        self.reconciliation.forget(node);
        self.log.repair.forget(node);
        self.log.pushes.forget(node);
        self.offers.touch_member(node);
        self.topology_changed = true;
    }
}
