//! Regions: who is where, and how news crosses from one to another.
//!
//! News is gossiped within each region. Whoever holds a link between regions carries it across once, and whoever it is
//! carried to gossips it there, marked so that nobody carries it on: all regions are told by the one it comes from. What
//! is lost on the way is found by asking, as everywhere.

use std::sync::Arc;

use super::NodeState;
use super::output::{Judgement, Output};
use crate::id::{NodeId, RegionName};
use crate::region_links::Region;
use crate::time::Now;
use crate::topology::Topology;
use crate::wire::announcement::Announcement;

impl NodeState {
    /// Where this node is.
    pub(super) fn own_region(&self) -> Region {
        self.topology.region().cloned()
    }

    /// Where a member says it is, this node included.
    pub(super) fn region_of(&self, node: NodeId) -> Option<&RegionName> {
        if node == self.me {
            return self.topology.region();
        }
        self.roster.as_ref()?.known(node)?.region()
    }

    /// This node is in `region` from here on.
    pub(super) fn set_region(&mut self, region: Region) {
        if self.topology.region() == region.as_ref() {
            return;
        }
        self.own.set_region(region.clone());
        self.topology = Topology::new(self.me, region);
        self.topology_changed = true;
        self.presence.members_changed();
        self.offers.touch_all();
        let Some(roster) = self.roster.clone() else {
            return;
        };
        let mut again = false;
        for member in roster.all_known().filter(|member| !member.has_left()) {
            again |= self.topology.joined(member.node(), member.region());
        }
        if again {
            self.consider_all();
        }
    }

    pub(super) fn joined_topology(&mut self, node: NodeId, region: Option<&RegionName>) {
        self.presence.members_changed();
        if self.topology.joined(node, region) {
            self.consider_all();
        }
    }

    pub(super) fn left_topology(&mut self, node: NodeId, region: Option<&RegionName>) {
        self.topology_changed = true;
        self.presence.members_changed();
        if self.topology.left(node, region) {
            self.consider_all();
        }
    }

    pub(super) fn consider_all(&mut self) {
        let Some(roster) = &self.roster else {
            return;
        };
        for member in roster.all_known().filter(|member| !member.has_left()) {
            self.topology.consider(member.node(), member.region());
        }
    }

    /// Tells everybody: gossiped in this region, carried to the others by whoever holds a link to them.
    pub(super) fn publish(&mut self, announcement: Announcement) {
        let announcement = Arc::new(announcement);
        let told_elsewhere = self.carry(&announcement) || announcement.carried;
        let is_near = |node: NodeId| self.region_of(node) == self.topology.region();
        let alone = told_elsewhere && !self.links.standing().any(is_near);
        if !alone {
            self.outputs.push_back(Output::Publish(announcement));
        }
    }

    /// Says to the members at the other ends of its links between regions what was said in this one; whether there are
    /// any.
    pub(super) fn carry(&mut self, announcement: &Arc<Announcement>) -> bool {
        let across = self.topology.across().iter().copied();
        let to: Vec<NodeId> = across.filter(|node| self.links.is_up(*node)).collect();
        let carries = !announcement.carried && !to.is_empty();
        if carries {
            let announcement = announcement.clone();
            self.outputs.push_back(Output::Carry { to, announcement });
        }
        carries
    }

    /// Takes what was carried here, and gossips it where it is news.
    pub(super) fn carried(&mut self, now: Now, from: NodeId, announcement: Announcement) {
        let judgement = self.judge_gossip(now, from, &announcement);
        let is_far = self.region_of(from) != self.topology.region();
        if judgement == Judgement::Accept && is_far {
            let carried = true;
            self.publish(Announcement {
                carried,
                ..announcement
            });
        }
    }
}
