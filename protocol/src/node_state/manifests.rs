//! Manifests of members: which are wanted, over which links, and when to ask.
//!
//! A manifest is asked of its node, over a link; where there is none, one is made for it, a few at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::NodeState;
use super::output::Output;
use crate::id::{Hash, NodeId};
use crate::time::{Monotonic, Now};

/// Manifests of other nodes that one node keeps.
pub const MANIFESTS_MAX: usize = 1_000;

/// Pause before a fetch that failed over a standing link is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A fetch that was neither answered nor refused by then is tried again.
const FETCH_LOST_AFTER: Duration = Duration::from_secs(30);
/// Links made at one time for no other reason than a manifest.
const LINKS_AT_ONCE: usize = 4;
/// How long such a link is kept, and waited for.
const LINK_FOR: Duration = Duration::from_secs(15);
/// Pause before a link is made again for a manifest whose node could not be reached.
const UNREACHED_PAUSE: Duration = Duration::from_secs(30);

/// What is wanted of one node.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    hash: Hash,
    next: Next,
}

/// What is waited for before a manifest is asked for (again).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A time: then it is asked for over the link, or a link is queued for.
    At(Monotonic),
    /// A turn to make a link.
    Turn,
    /// The link being made, until then.
    Link(Monotonic),
}

/// The manifests that are not here yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Manifests {
    wanted: BTreeMap<NodeId, Wanted>,
    /// Whoever waits for a turn, and maybe some that do not any more.
    turns: VecDeque<NodeId>,
    linking: BTreeSet<NodeId>,
}

impl Manifests {
    /// A fetch under way ends first: however often a member changes its mind, it is asked one thing at a time.
    fn want(&mut self, now: Monotonic, node: NodeId, hash: Hash) {
        let next = Next::At(now);
        self.wanted
            .entry(node)
            .or_insert(Wanted { hash, next })
            .hash = hash;
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.wanted.remove(&node);
        self.linking.remove(&node);
    }

    pub(super) fn link_up(&mut self, now: Monotonic, node: NodeId) {
        self.linking.remove(&node);
        self.set_next(node, Next::At(now));
    }

    pub(super) fn link_down(&mut self, now: Monotonic, node: NodeId) {
        self.linking.remove(&node);
        self.set_next(node, Next::At(now + RETRY_AFTER));
    }

    pub(super) fn unreached(&mut self, now: Monotonic, node: NodeId) {
        if self.linking.remove(&node) {
            self.set_next(node, Next::At(now + UNREACHED_PAUSE));
        }
    }

    pub(super) fn fetch_failed(&mut self, now: Monotonic, node: NodeId) {
        self.set_next(node, Next::At(now + RETRY_AFTER));
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        let times = self.wanted.values().filter_map(|wanted| match wanted.next {
            Next::At(at) | Next::Link(at) => Some(at),
            Next::Turn => None,
        });
        times.min()
    }

    fn set_next(&mut self, node: NodeId, next: Next) {
        if let Some(wanted) = self.wanted.get_mut(&node) {
            wanted.next = next;
        }
    }

    /// Everybody whose time has come, with what is wanted of them.
    fn due(&self, now: Monotonic) -> Vec<(NodeId, Hash)> {
        let due = self.wanted.iter().filter(|(_, wanted)| match wanted.next {
            Next::At(at) | Next::Link(at) => at <= now,
            Next::Turn => false,
        });
        due.map(|(node, wanted)| (*node, wanted.hash)).collect()
    }

    /// The next in the queue, while links may be made for it.
    fn next_turn(&mut self) -> Option<NodeId> {
        while self.linking.len() < LINKS_AT_ONCE {
            let node = self.turns.pop_front()?;
            let waits = |wanted: &Wanted| wanted.next == Next::Turn;
            if self.wanted.get(&node).is_some_and(waits) {
                return Some(node);
            }
        }
        None
    }
}

impl NodeState {
    pub(super) fn want_manifest(&mut self, now: Now, node: NodeId, hash: Hash) {
        if self.offers.needs(node, hash) {
            self.manifests.want(now.monotonic, node, hash);
        } else {
            self.manifests.forget(node);
        }
    }

    pub(super) fn fetch_when_due(&mut self, now: Now) {
        let at = now.monotonic;
        for (from, hash) in self.manifests.due(at) {
            self.manifests.linking.remove(&from);
            if self.links.is_up(from) {
                let lost = Next::At(at + FETCH_LOST_AFTER);
                self.manifests.set_next(from, lost);
                self.outputs.push_back(Output::FetchManifest { from, hash });
            } else {
                self.manifests.set_next(from, Next::Turn);
                self.manifests.turns.push_back(from);
            }
        }
        while let Some(node) = self.manifests.next_turn() {
            self.manifests.linking.insert(node);
            self.manifests.set_next(node, Next::Link(at + LINK_FOR));
            self.links.keep(at, node, LINK_FOR);
        }
    }

    pub(super) fn manifest_fetched(&mut self, now: Now, from: NodeId, bytes: &[u8]) {
        let wanted = self.manifests.wanted.get(&from).map(|wanted| wanted.hash);
        let taken = wanted.is_some_and(|hash| self.offers.take(from, hash, bytes));
        if taken {
            self.manifests.forget(from);
        } else {
            self.manifests.fetch_failed(now.monotonic, from);
        }
    }
}
