//! Whom a node keeps links to: everybody in a small mesh, a few neighbours in a large one.
//!
//! Each node chooses [`NEIGHBOURS`] others by rendezvous hashing (Thaler and Ravishankar, 1998): those nearest to it, so
//! that its [watchers](crate::presence) are the first of them, and those next who watch it in their place. Nobody has
//! to agree with anybody, an arrival or a loss moves few links, and since each is also chosen by about as many others,
//! the whole is a random graph that stays connected and a few steps across.
//!
//! Where members are in several regions, all this is within each, and [`crate::region_links`] are between them; only a
//! region that is too small to watch over its own borrows the nearest of others.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{NodeId, RegionName};
use crate::limits::FULL_LINKS_MAX;
use crate::presence::{self, WATCHERS};
use crate::region_links::{Region, RegionLinks};

/// Others that one node chooses once there are more than [`FULL_LINKS_MAX`].
pub const NEIGHBOURS: usize = 8;

/// The nearest that are remembered: everybody in a small mesh, and else those that take the place of neighbours that
/// cannot be reached.
const CANDIDATES_MAX: usize = FULL_LINKS_MAX;

/// Everybody's distance to one node, as far as it matters.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    me: NodeId,
    /// The nearest [`CANDIDATES_MAX`] of all members, or all of them.
    candidates: BTreeMap<Distance, NodeId>,
    members: usize,
    /// Those of them that are in this node's region.
    inside: usize,
    between: RegionLinks,
    /// The members of other regions that were last chosen for the links between regions.
    across: BTreeSet<NodeId>,
}

/// Whoever is in another region is farther than everybody in this one; then by hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Distance {
    outside: bool,
    hash: u64,
}

impl Topology {
    pub(crate) fn new(me: NodeId, region: Region) -> Self {
        Self {
            me,
            candidates: BTreeMap::new(),
            members: 0,
            inside: 0,
            between: RegionLinks::new(me, region),
            across: BTreeSet::new(),
        }
    }

    /// This node's region.
    pub(crate) fn region(&self) -> Option<&RegionName> {
        self.between.region()
    }

    /// Whether members are in more than one region.
    pub(crate) fn has_regions(&self) -> bool {
        self.between.has_others()
    }

    /// A member that was not counted yet, or not in this region. Says whether all members must be
    /// [considered](Self::consider) again.
    pub(crate) fn joined(&mut self, node: NodeId, region: Option<&RegionName>) -> bool {
        self.members += 1;
        self.inside += usize::from(self.between.is_own(region));
        self.rank(node, region);
        self.between.joined(node, region)
    }

    /// A member that was counted in `region` is none any more. Says whether too few candidates are left, so that all
    /// members must be [considered](Self::consider) again.
    pub(crate) fn left(&mut self, node: NodeId, region: Option<&RegionName>) -> bool {
        self.members = self.members.saturating_sub(1);
        let own = usize::from(self.between.is_own(region));
        self.inside = self.inside.saturating_sub(own);
        self.candidates.remove(&self.distance(node, region));
        // Once everybody is to be a neighbour, those that were too far before are candidates as well.
        let enough = if self.is_full() {
            self.members
        } else {
            self.members.min(CANDIDATES_MAX / 2)
        };
        let few = self.between.left(node, region, self.inside);
        few || self.candidates.len() < enough
    }

    pub(crate) fn consider(&mut self, node: NodeId, region: Option<&RegionName>) {
        self.rank(node, region);
        self.between.consider(node, region);
    }

    fn rank(&mut self, node: NodeId, region: Option<&RegionName>) {
        self.candidates.insert(self.distance(node, region), node);
        if self.candidates.len() > CANDIDATES_MAX {
            self.candidates.pop_last();
        }
    }

    /// Whether `node` may be chosen.
    pub(crate) fn is_candidate(&self, node: NodeId) -> bool {
        let hash = presence::distance(self.me, node);
        [false, true].iter().any(|outside| {
            self.candidates.contains_key(&Distance {
                outside: *outside,
                hash,
            })
        }) || self.between.is_candidate(node)
    }

    /// Whether `node` may be chosen for a link between regions.
    pub(crate) fn may_carry(&self, node: NodeId) -> bool {
        self.between.is_candidate(node)
    }

    /// Whether everybody is a neighbour of everybody.
    pub(crate) fn is_full(&self) -> bool {
        self.members <= FULL_LINKS_MAX
    }

    /// The nodes to be linked to: of those that `may_be_dialed`, so many that enough of them are not `failing`.
    pub(crate) fn neighbours(
        &self,
        may_be_dialed: impl Fn(NodeId) -> bool,
        failing: impl Fn(NodeId) -> bool,
    ) -> BTreeSet<NodeId> {
        let mut good = 0;
        let nearest = self
            .candidates
            .iter()
            .filter(|(_, node)| may_be_dialed(**node));
        nearest
            .take_while(|(distance, node)| {
                let wanted = match distance.outside {
                    _ if self.is_full() => usize::MAX,
                    true => WATCHERS,
                    false => NEIGHBOURS,
                };
                let enough = good >= wanted;
                good += usize::from(!failing(**node));
                !enough
            })
            .map(|(_, node)| *node)
            .collect()
    }

    /// Chooses the links between regions anew; [`Topology::across`] names them from here on.
    pub(crate) fn choose_across(
        &mut self,
        is_here: impl Fn(NodeId) -> bool,
        is_good: impl Fn(NodeId) -> bool,
    ) {
        self.across = self.between.chosen(is_here, is_good);
    }

    /// The members of other regions to which this node holds the links between the regions.
    pub(crate) fn across(&self) -> &BTreeSet<NodeId> {
        &self.across
    }

    fn distance(&self, node: NodeId, region: Option<&RegionName>) -> Distance {
        Distance {
            outside: !self.between.is_own(region),
            hash: presence::distance(self.me, node),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Hash;

    fn node(number: u32) -> NodeId {
        NodeId::from_public_key(*Hash::of(&number.to_be_bytes()).as_bytes())
    }

    fn topology(me: u32, members: u32) -> Topology {
        let mut topology = Topology::new(node(me), None);
        for number in (0..members).filter(|number| *number != me) {
            topology.joined(node(number), None);
        }
        topology
    }

    fn chosen(topology: &Topology) -> BTreeSet<NodeId> {
        topology.neighbours(|_| true, |_| false)
    }

    #[test]
    fn in_a_mesh_that_has_become_small_everybody_is_a_neighbour_again() {
        let mut topology = topology(0, 60);
        let mut members: BTreeSet<NodeId> = (1..60).map(node).collect();
        for number in 1..40 {
            members.remove(&node(number));
            if topology.left(node(number), None) {
                members
                    .iter()
                    .for_each(|member| topology.consider(*member, None));
            }
        }
        assert_eq!(chosen(&topology), members);
    }

    #[test]
    fn in_a_small_mesh_everybody_is_a_neighbour() {
        assert_eq!(chosen(&topology(0, 33)).len(), 32);
        assert_eq!(chosen(&topology(0, 34)).len(), NEIGHBOURS);
    }

    #[test]
    fn a_neighbour_that_fails_is_kept_and_another_is_added() {
        let topology = topology(0, 500);
        let before = chosen(&topology);
        let failing = *before.iter().next().expect("neighbours");
        let after = topology.neighbours(|_| true, |node| node == failing);
        assert_eq!(after.len(), NEIGHBOURS + 1);
        assert!(after.is_superset(&before));
    }

    #[test]
    fn one_more_member_moves_at_most_one_link() {
        let mut topology = topology(0, 500);
        let before = chosen(&topology);
        for number in 500..600 {
            topology.joined(node(number), None);
        }
        let after = chosen(&topology);
        assert!(before.intersection(&after).count() >= NEIGHBOURS / 2);
    }

    #[test]
    fn all_are_considered_again_before_candidates_run_out() {
        let mut topology = topology(0, 500);
        let mut again = 0;
        for number in 1..400 {
            if topology.left(node(number), None) {
                again += 1;
                (number + 1..500).for_each(|number| topology.consider(node(number), None));
            }
            assert!(chosen(&topology).len() >= NEIGHBOURS);
        }
        assert!(again < 80, "{again} times");
    }

    #[test]
    fn the_links_of_a_thousand_nodes_join_them_all_in_few_steps() {
        const NODES: u32 = 1_000;
        let mut links: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
        for me in 0..NODES {
            for other in chosen(&topology(me, NODES)) {
                links.entry(node(me)).or_default().insert(other);
                links.entry(other).or_default().insert(node(me));
            }
        }
        let mut reached = BTreeSet::from([node(0)]);
        let mut steps = 0;
        while reached.len() < NODES as usize && steps < 10 {
            let next = reached.iter().flat_map(|at| links[at].iter().copied());
            reached = reached.iter().copied().chain(next).collect();
            steps += 1;
        }
        assert!(reached.len() == NODES as usize && steps <= 5, "{steps}");
        let most = links.values().map(BTreeSet::len).max();
        assert!(most < Some(40), "{most:?}");
    }
}
