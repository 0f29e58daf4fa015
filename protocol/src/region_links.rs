//! The few links between two regions, on which both sides agree without a word.
//!
//! Between each two regions [`LINKS_BETWEEN_REGIONS`] links are elected by rendezvous hashing (Thaler and Ravishankar,
//! 1998): for each, the member of either region that is nearest to the link's own number, of those who are here. One
//! that goes away costs the links that it held and no other, and everybody who knows the same members names the same
//! two in its place.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{Hash, NodeId, RegionName};
use crate::presence::mix;

/// Links between each two regions.
pub const LINKS_BETWEEN_REGIONS: usize = 3;
/// Other regions that a region is linked to: the nearest by hash, where there are more.
pub const REGIONS_LINKED_MAX: usize = 32;
/// Members that are tried for one link, the first and those in its place while it fails.
const TRIED_MAX: usize = 3;
/// The nearest to a link's number that are remembered of either region.
const RANKED_MAX: usize = 8;

/// Where a node is; those that do not say it are a region of their own.
pub(crate) type Region = Option<RegionName>;

/// The links between this node's region and others, as far as this node knows the members.
#[derive(Clone, Debug)]
pub(crate) struct RegionLinks {
    me: NodeId,
    region: Region,
    /// By the number of the pair; the lowest are linked.
    others: BTreeMap<u64, OtherRegion>,
}

#[derive(Clone, Debug)]
struct OtherRegion {
    members: usize,
    links: [Ends; LINKS_BETWEEN_REGIONS],
}

/// Who may be at either end of one link, by distance to its number.
#[derive(Clone, Debug, Default)]
struct Ends {
    ours: BTreeMap<u64, NodeId>,
    theirs: BTreeMap<u64, NodeId>,
}

impl RegionLinks {
    pub(crate) fn new(me: NodeId, region: Region) -> Self {
        Self {
            me,
            region,
            others: BTreeMap::new(),
        }
    }

    pub(crate) fn region(&self) -> Option<&RegionName> {
        self.region.as_ref()
    }

    /// Whether `region` is this node's own.
    pub(crate) fn is_own(&self, region: Option<&RegionName>) -> bool {
        self.region.as_ref() == region
    }

    /// Whether any member is in another region.
    pub(crate) fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// A member is in `region`, and was not counted there yet. Says whether that region is new here, so that this one's
    /// members must be [considered](Self::consider) again.
    pub(crate) fn joined(&mut self, node: NodeId, region: Option<&RegionName>) -> bool {
        if self.is_own(region) {
            self.consider(node, region);
            return false;
        }
        let pair = pair_number(self.region.as_ref(), region);
        let is_new = !self.others.contains_key(&pair);
        if is_new {
            let mut other = OtherRegion {
                members: 0,
                links: Default::default(),
            };
            other.rank_ours(pair, self.me);
            self.others.insert(pair, other);
            if self.others.len() > REGIONS_LINKED_MAX {
                self.others.pop_last();
            }
        }
        if let Some(other) = self.others.get_mut(&pair) {
            other.members += 1;
        }
        self.consider(node, region);
        is_new && self.others.contains_key(&pair)
    }

    /// Counts a member for the links again.
    pub(crate) fn consider(&mut self, node: NodeId, region: Option<&RegionName>) {
        if self.is_own(region) {
            for (pair, other) in &mut self.others {
                other.rank_ours(*pair, node);
            }
            return;
        }
        let pair = pair_number(self.region.as_ref(), region);
        if let Some(other) = self.others.get_mut(&pair) {
            for (number, ends) in numbers(pair).zip(&mut other.links) {
                rank(&mut ends.theirs, number, node);
            }
        }
    }

    /// A member that was counted in `region` is not there any more. Says whether so few are left that all must be
    /// [considered](Self::consider) again; `inside` being how many members this region has beside this node.
    pub(crate) fn left(
        &mut self,
        node: NodeId,
        region: Option<&RegionName>,
        inside: usize,
    ) -> bool {
        if self.is_own(region) {
            let mut few = false;
            for (pair, other) in &mut self.others {
                for (number, ends) in numbers(*pair).zip(&mut other.links) {
                    ends.ours.remove(&distance(number, node));
                    few |= ends.ours.len() < (inside + 1).min(RANKED_MAX / 2);
                }
            }
            return few;
        }
        let pair = pair_number(self.region.as_ref(), region);
        let Some(other) = self.others.get_mut(&pair) else {
            return false;
        };
        other.members = other.members.saturating_sub(1);
        let mut few = false;
        for (number, ends) in numbers(pair).zip(&mut other.links) {
            ends.theirs.remove(&distance(number, node));
            few |= ends.theirs.len() < other.members.min(RANKED_MAX / 2);
        }
        if other.members == 0 {
            self.others.remove(&pair);
        }
        few
    }

    /// Whether `node` may be at an end of a link.
    pub(crate) fn is_candidate(&self, node: NodeId) -> bool {
        self.others.iter().any(|(pair, other)| {
            numbers(*pair).zip(&other.links).any(|(number, ends)| {
                let distance = distance(number, node);
                ends.ours.contains_key(&distance) || ends.theirs.contains_key(&distance)
            })
        })
    }

    /// The members of other regions that this node is to be linked to: it is the end of a link of those of its region
    /// that are here, and `is_good` says whom of the other end's region it may count on. Where it can count on nobody,
    /// the first are tried nevertheless: a region that was cut off comes back by them.
    pub(crate) fn chosen(
        &self,
        is_here: impl Fn(NodeId) -> bool,
        is_good: impl Fn(NodeId) -> bool,
    ) -> BTreeSet<NodeId> {
        let mut chosen = BTreeSet::new();
        for ends in self.others.values().flat_map(|other| &other.links) {
            let first = ends
                .ours
                .values()
                .find(|node| **node == self.me || is_here(**node));
            if first != Some(&self.me) {
                continue;
            }
            let (here, away): (Vec<NodeId>, Vec<NodeId>) =
                ends.theirs.values().partition(|node| is_here(**node));
            let mut good = false;
            let tried = here.into_iter().chain(away).take_while(|node| {
                let enough = good;
                good |= is_good(*node);
                !enough
            });
            chosen.extend(tried.take(TRIED_MAX));
        }
        chosen
    }
}

impl OtherRegion {
    fn rank_ours(&mut self, pair: u64, node: NodeId) {
        for (number, ends) in numbers(pair).zip(&mut self.links) {
            rank(&mut ends.ours, number, node);
        }
    }
}

fn rank(ranking: &mut BTreeMap<u64, NodeId>, number: u64, node: NodeId) {
    ranking.insert(distance(number, node), node);
    if ranking.len() > RANKED_MAX {
        ranking.pop_last();
    }
}

/// The same at both ends.
fn pair_number(one: Option<&RegionName>, other: Option<&RegionName>) -> u64 {
    let text = |region: Option<&RegionName>| region.map_or(String::new(), ToString::to_string);
    let mut names = [text(one), text(other)];
    names.sort();
    // No name has a comma.
    Hash::of(names.join(",").as_bytes()).leading_u64()
}

/// One number for each link of a pair of regions.
fn numbers(pair: u64) -> impl Iterator<Item = u64> {
    (0..LINKS_BETWEEN_REGIONS as u64).map(move |link| mix(pair.wrapping_add(link)))
}

fn distance(number: u64, node: NodeId) -> u64 {
    mix(number ^ node.leading_u64())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const REGIONS: [&str; 3] = ["eu-west", "us-east", "asia"];
    const NODES: u32 = 60;

    fn node(number: u32) -> NodeId {
        NodeId::from_public_key(*Hash::of(&number.to_be_bytes()).as_bytes())
    }

    fn region(number: u32) -> RegionName {
        REGIONS[number as usize % REGIONS.len()].parse().unwrap()
    }

    /// What `me` knows of everybody in `members`.
    fn links(me: u32, members: impl Iterator<Item = u32> + Clone) -> RegionLinks {
        let mut links = RegionLinks::new(node(me), Some(region(me)));
        let others = || members.clone().filter(|number| *number != me);
        for number in others() {
            if links.joined(node(number), Some(&region(number))) {
                others().for_each(|number| links.consider(node(number), Some(&region(number))));
            }
        }
        links
    }

    /// Every link that somebody chooses, by both its ends.
    fn all_links(gone: &BTreeSet<NodeId>) -> BTreeSet<[NodeId; 2]> {
        let mut all = BTreeSet::new();
        for me in (0..NODES).filter(|me| !gone.contains(&node(*me))) {
            let is_here = |node| !gone.contains(&node);
            for other in links(me, 0..NODES).chosen(is_here, is_here) {
                let mut ends = [node(me), other];
                ends.sort();
                all.insert(ends);
            }
        }
        all
    }

    #[test]
    fn both_ends_choose_the_same_few_links() {
        let all = all_links(&BTreeSet::new());
        let pairs = 3;
        assert!(all.len() <= pairs * LINKS_BETWEEN_REGIONS, "{}", all.len());
        for [one, other] in all {
            let number = |id| (0..NODES).find(|number| node(*number) == id).unwrap();
            let (one_number, other_number) = (number(one), number(other));
            assert_ne!(region(one_number), region(other_number));
            for (me, them) in [(one_number, other), (other_number, one)] {
                assert!(
                    links(me, 0..NODES)
                        .chosen(|_| true, |_| true)
                        .contains(&them)
                );
            }
        }
    }

    #[test]
    fn whoever_goes_away_is_replaced_and_no_other_link_moves() {
        let before = all_links(&BTreeSet::new());
        let gone = BTreeSet::from([before.first().unwrap()[0]]);
        let after = all_links(&gone);
        let stays = |ends: &&[NodeId; 2]| !ends.iter().any(|end| gone.contains(end));
        assert!(before.iter().filter(stays).all(|ends| after.contains(ends)));
        assert_eq!(after.iter().filter(|ends| !stays(ends)).count(), 0);
        assert_eq!(after.len(), before.len());
    }

    #[test]
    fn for_a_link_that_fails_others_are_tried_and_not_without_end() {
        let all = all_links(&BTreeSet::new());
        let end = all.first().unwrap()[0];
        let me = (0..NODES).find(|number| node(*number) == end).unwrap();
        let links = links(me, 0..NODES);
        let chosen = links.chosen(|_| true, |_| true);
        let first = *chosen.first().unwrap();
        let more = links.chosen(|_| true, |node| node != first);
        assert!(more.is_superset(&chosen) && more.len() > chosen.len());
        let none = links.chosen(|_| true, |_| false);
        assert!(none.len() <= TRIED_MAX * LINKS_BETWEEN_REGIONS * (REGIONS.len() - 1));
    }

    #[test]
    fn a_region_of_which_nobody_is_here_is_tried_nevertheless() {
        let all = all_links(&BTreeSet::new());
        let end = all.first().unwrap()[0];
        let me = (0..NODES).find(|number| node(*number) == end).unwrap();
        let inside = |other: NodeId| {
            let number = (0..NODES).find(|number| node(*number) == other).unwrap();
            region(number) == region(me)
        };
        assert!(!links(me, 0..NODES).chosen(inside, inside).is_empty());
    }

    #[test]
    fn members_that_leave_are_made_up_for_by_those_who_stay() {
        let mut links = links(0, 0..NODES);
        let mut inside = NODES as usize / 3 - 1;
        for number in 1..NODES - 3 {
            inside -= usize::from(region(number) == region(0));
            if links.left(node(number), Some(&region(number)), inside) {
                let stay = number + 1..NODES;
                stay.for_each(|number| links.consider(node(number), Some(&region(number))));
            }
        }
        assert!(links.has_others());
        for number in NODES - 3..NODES {
            links.left(node(number), Some(&region(number)), 0);
        }
        assert!(!links.has_others());
    }

    #[test]
    fn more_regions_than_are_linked_cost_nothing() {
        let mut links = RegionLinks::new(node(0), None);
        for number in 1..200 {
            let region: RegionName = format!("region-{number}").parse().unwrap();
            links.joined(node(number), Some(&region));
        }
        assert_eq!(links.others.len(), REGIONS_LINKED_MAX);
        let chosen = links.chosen(|_| true, |_| true);
        assert!(chosen.len() <= REGIONS_LINKED_MAX * LINKS_BETWEEN_REGIONS);
    }
}
