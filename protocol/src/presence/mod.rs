//! Presence: who of the members is here, without a heartbeat from everybody to everybody.
//!
//! Each member has three watchers, the nearest to it by hash, with whom it keeps a link. Only they accuse it, once the
//! link has been gone for a while; two of them make it count as away everywhere, and a fresh record of its own, with a
//! higher sequence, clears it. The idea of suspicion and refutation is SWIM's (Das, Gupta and Motivala, 2002), that of
//! a node which doubts itself first is Lifeguard's (Dadgar, Phillips and Currey, 2018).

pub mod accusation;
pub(crate) mod nearest;
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
    distance_from(origin(watched), watcher.leading_u64())
}

/// Where `watched` stands, for [`distance_from`].
pub(crate) const fn origin(watched: NodeId) -> u64 {
    mix(watched.leading_u64())
}

/// How far the member whose key begins with `beginning` is from whoever stands at `origin`.
pub(crate) const fn distance_from(origin: u64, beginning: u64) -> u64 {
    mix(origin ^ beginning)
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
