//! Who is nearest to a member: found once among all, and kept until the members change, as it is asked again with
//! every word about a member that is silent.

use std::collections::BTreeMap;

use crate::id::NodeId;

/// How many of the nearest are kept of each: more than places there are, since some may be away.
const KEPT: usize = 20;
/// Members of whom the nearest are kept; with one more, it begins anew.
const ASKED_MAX: usize = 64;

/// How far a member is from another: those of its region are nearer than all others, and each of them by its hash.
pub(crate) type Distance = (bool, u64);

/// The nearest to those members that were asked about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nearest {
    of: BTreeMap<NodeId, Vec<(Distance, NodeId)>>,
}

impl Nearest {
    /// Who is a member has changed.
    pub(crate) fn forget(&mut self) {
        self.of.clear();
    }

    /// Whether fewer than `places` of `members` that are here are nearer to `watched` than `own`. Each member comes with its
    /// distance, and only those that are near are asked whether they are one, as `node` says.
    pub(crate) fn is_among<T, I: Iterator<Item = (Distance, T)>>(
        &mut self,
        (watched, own): (NodeId, Distance),
        places: usize,
        members: impl Fn() -> I,
        node: impl Fn(T) -> Option<NodeId>,
        is_here: impl Fn(NodeId) -> bool,
    ) -> bool {
        if let Some(kept) = self.of.get(&watched) {
            let nearer = kept.iter().take_while(|(distance, _)| *distance < own);
            let here = nearer.clone().filter(|(_, node)| is_here(*node));
            if here.take(places).count() >= places {
                return false;
            }
            // Else so many are away that those kept do not tell.
            if nearer.count() < kept.len() || kept.len() < KEPT {
                return true;
            }
        }
        // That somebody is far is soon found without: only what took a look at all is kept.
        let look = Look {
            watched,
            own,
            places,
        };
        let Some(nearest) = look.at_all(members(), node, is_here) else {
            return false;
        };
        if self.of.len() >= ASKED_MAX {
            self.of.clear();
        }
        self.of.insert(watched, nearest);
        true
    }
}

/// A question that takes a look at all members.
struct Look {
    watched: NodeId,
    own: Distance,
    places: usize,
}

impl Look {
    /// Those of `members` that are nearest, in order; `None` as soon as so many that are here are nearer that there is
    /// no place left.
    fn at_all<T>(
        &self,
        members: impl Iterator<Item = (Distance, T)>,
        node: impl Fn(T) -> Option<NodeId>,
        is_here: impl Fn(NodeId) -> bool,
    ) -> Option<Vec<(Distance, NodeId)>> {
        let mut nearest: Vec<(Distance, NodeId)> = Vec::with_capacity(KEPT + 1);
        let mut nearer = 0;
        for (distance, member) in members {
            let full = nearest.len() >= KEPT;
            let far = full && nearest.last().is_some_and(|(last, _)| distance >= *last);
            if far && distance >= self.own {
                continue;
            }
            let Some(node) = node(member).filter(|node| *node != self.watched) else {
                continue;
            };
            nearer += usize::from(distance < self.own && is_here(node));
            if nearer >= self.places {
                return None;
            }
            if !far {
                let place = nearest.partition_point(|(other, _)| *other < distance);
                nearest.insert(place, (distance, node));
                nearest.truncate(KEPT);
            }
        }
        Some(nearest)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::id::Hash;
    use crate::presence::{WATCHERS, distance};

    fn node(number: u32) -> NodeId {
        NodeId::from_public_key(*Hash::of(&number.to_be_bytes()).as_bytes())
    }

    fn is_among(
        nearest: &mut Nearest,
        watched: u32,
        watcher: u32,
        places: usize,
        away: &BTreeSet<NodeId>,
    ) -> bool {
        let watched = node(watched);
        let far = |number| (false, distance(watched, node(number)));
        let members = || (0..100).map(|number| (far(number), node(number)));
        let is_here = |node: NodeId| !away.contains(&node);
        nearest.is_among((watched, far(watcher)), places, members, Some, is_here)
    }

    #[test]
    fn everybody_has_three_watchers_and_watches_about_three() {
        let (mut nearest, nobody) = (Nearest::default(), BTreeSet::new());
        let mut watching = [0; 100];
        for watched in 0..100 {
            let others = (0..100).filter(|watcher| *watcher != watched);
            let watchers: Vec<u32> = others
                .filter(|watcher| is_among(&mut nearest, watched, *watcher, WATCHERS, &nobody))
                .collect();
            assert_eq!(watchers.len(), WATCHERS);
            watchers.iter().for_each(|at| watching[*at as usize] += 1);
        }
        assert!(watching.iter().all(|count| *count < 15), "{watching:?}");
    }

    #[test]
    fn those_next_take_the_places_of_any_number_who_are_away() {
        let mut nearest = Nearest::default();
        let mut order: Vec<u32> = (1..100).collect();
        order.sort_by_key(|other| distance(node(0), node(*other)));
        for gone in [0, 1, 9, 10, 40, 90] {
            let away = order[..gone].iter().copied().map(node).collect();
            let among = |place: &u32| is_among(&mut nearest, 0, *place, WATCHERS, &away);
            let watchers: Vec<u32> = order[gone..].iter().copied().filter(among).collect();
            assert_eq!(watchers, order[gone..gone + WATCHERS], "{gone} away");
        }
    }
}
