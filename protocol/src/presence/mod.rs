//! Presence: who of the members is here, without a heartbeat from everybody to everybody.
//!
//! Each member has three watchers, the nearest to it by hash, with whom it keeps a link. Only they accuse it, once the
//! link has been gone for a while; two of them make it count as away everywhere, and a fresh record of its own, with a
//! higher sequence, clears it. The idea of suspicion and refutation is SWIM's (Das, Gupta and Motivala, 2002), that of
//! a node which doubts itself first is Lifeguard's (Dadgar, Phillips and Currey, 2018).

pub mod accusation;
pub(crate) mod own_stall;
pub(crate) mod suspicion;
pub(crate) mod table;
pub(crate) mod watch;

use crate::id::NodeId;

/// Members that watch each member.
pub const WATCHERS: usize = 3;
/// Watchers that must accuse a member before it counts as away, where it has so many.
pub const ACCUSERS_NEEDED: usize = 2;
/// Accusers that are kept of one member: more than it has watchers, because not everybody knows the same members.
pub const ACCUSERS_KEPT: usize = 4;

/// How far `watcher` is from `watched`: the smallest watch. The same everywhere.
///
/// Mixed from the first 8 bytes of both keys, since it is asked of all members whenever a link ends. Whoever wants to
/// watch somebody can try keys until one is near, as it could with any hash; two must accuse.
pub(crate) fn distance(watched: NodeId, watcher: NodeId) -> u64 {
    mix(mix(watched.leading_u64()) ^ watcher.leading_u64())
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Whether fewer than `places` of those whose keys begin with `others`, and who count, are nearer to `watched` than
/// `watcher` is. Whether one counts is asked only of those few that are nearer.
pub(crate) fn is_among_nearest<T>(
    watched: NodeId,
    watcher: NodeId,
    others: impl Iterator<Item = (u64, T)>,
    counts: impl Fn(&T) -> bool,
    places: usize,
) -> bool {
    let origin = mix(watched.leading_u64());
    let own = mix(origin ^ watcher.leading_u64());
    let nearer = others.filter(|(beginning, other)| mix(origin ^ beginning) < own && counts(other));
    nearer.take(places).count() < places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Hash;

    fn node(number: u32) -> NodeId {
        NodeId::from_public_key(*Hash::of(&number.to_be_bytes()).as_bytes())
    }

    #[test]
    fn everybody_has_three_watchers_and_watches_about_three() {
        let all = || (0..100).map(node);
        let mut watching = [0; 100];
        for watched in all() {
            let is_watcher = |at: &u32| {
                let others = all().map(|other| (other.leading_u64(), other));
                let counts = |other: &NodeId| *other != node(*at) && *other != watched;
                node(*at) != watched
                    && is_among_nearest(watched, node(*at), others, counts, WATCHERS)
            };
            let watchers: Vec<u32> = (0..100).filter(is_watcher).collect();
            assert_eq!(watchers.len(), WATCHERS);
            watchers.iter().for_each(|at| watching[*at as usize] += 1);
        }
        assert!(watching.iter().all(|count| *count < 15), "{watching:?}");
    }
}
