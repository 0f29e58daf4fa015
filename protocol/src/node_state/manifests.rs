//! Manifests of members: which are wanted, over which links, and when to ask.
//!
//! A manifest is asked of its node, where there is a link. Else it is asked of linked members, many at once: first of
//! whoever told of it, who is likely to have it, then of others in turn. Where none of a few has it, a link is made for
//! it, a few at a time. Its hash, which its node signed, says whether it is the one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::output::Output;
use crate::id::{Hash, NodeId};
use crate::membership::role::Role;
use crate::time::{Monotonic, Now};
use crate::wire::manifests::{MANIFESTS_ASKED_MAX, ManifestsAsked, ManifestsTold};

/// Manifests of other nodes that one node keeps.
pub const MANIFESTS_MAX: usize = 1_000;

/// Pause before a fetch that failed is tried again, doubled each time up to [`RETRY_AFTER_MAX`].
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The longest such pause: what a member announces may never be had.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(64);
/// A fetch that was neither answered nor refused by then is tried again.
const FETCH_LOST_AFTER: Duration = Duration::from_secs(30);
/// How long those that others are asked for gather, so that they are asked for together.
const GATHER_FOR: Duration = Duration::from_millis(250);
/// How many others are asked before a link is made.
const OTHERS_ASKED: u32 = 3;
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
    /// Who told of it, until it has been asked.
    teller: Option<NodeId>,
    /// How many were asked in vain.
    asked: u32,
    /// How often it was not had in a row.
    failures: u32,
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
    /// Who was asked last of those asked in turn.
    turn: Option<NodeId>,
}

impl Manifests {
    /// A fetch under way ends first: however often a member changes its mind, it is asked one thing at a time.
    fn want(&mut self, at: Monotonic, node: NodeId, hash: Hash, teller: Option<NodeId>) {
        let wanted = self.wanted.entry(node).or_insert(Wanted {
            hash,
            teller,
            asked: 0,
            failures: 0,
            next: Next::At(at),
        });
        (wanted.hash, wanted.teller, wanted.asked) = (hash, teller, 0);
        wanted.failures = 0;
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
            if let Some(wanted) = self.wanted.get_mut(&node) {
                wanted.asked = 0;
            }
        }
    }

    pub(super) fn fetch_failed(&mut self, now: Monotonic, node: NodeId) {
        if let Some(wanted) = self.wanted.get_mut(&node) {
            let pause = RETRY_AFTER * (1 << wanted.failures.min(6));
            wanted.failures = wanted.failures.saturating_add(1);
            wanted.next = Next::At(now + pause.min(RETRY_AFTER_MAX));
        }
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
    fn due(&self, now: Monotonic) -> Vec<(NodeId, Wanted)> {
        let due = self.wanted.iter().filter(|(_, wanted)| match wanted.next {
            Next::At(at) | Next::Link(at) => at <= now,
            Next::Turn => false,
        });
        due.map(|(node, wanted)| (*node, *wanted)).collect()
    }

    /// Who is to be asked after the one who was last.
    fn next_other(&mut self, linked: &BTreeSet<NodeId>) -> Option<NodeId> {
        let after = self
            .turn
            .map(|turn| (Bound::Excluded(turn), Bound::Unbounded));
        let next = after.and_then(|after| linked.range(after).next());
        self.turn = next.or_else(|| linked.first()).copied();
        self.turn
    }

    /// Somebody is asked for the manifest of `node`, who was not asked before.
    fn asked_other(&mut self, lost: Monotonic, node: NodeId) {
        if let Some(wanted) = self.wanted.get_mut(&node) {
            wanted.teller = None;
            wanted.asked += 1;
            wanted.next = Next::At(lost);
        }
    }

    /// Whether some of these are on their way.
    pub(super) fn is_any_wanted(&self, hashes: &BTreeSet<Hash>) -> bool {
        let wanted = |wanted: &Wanted| hashes.contains(&wanted.hash);
        !hashes.is_empty() && self.wanted.values().any(wanted)
    }

    /// Whoever has this manifest.
    fn wanting(&self, hash: Hash) -> Vec<NodeId> {
        let wanted = self.wanted.iter().filter(|(_, wanted)| wanted.hash == hash);
        wanted.map(|(node, _)| *node).collect()
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
    pub(super) fn want_manifest(
        &mut self,
        now: Now,
        node: NodeId,
        hash: Hash,
        teller: Option<NodeId>,
    ) {
        if self.offers.needs(node, hash) {
            let gather = if self.links.is_up(node) {
                Duration::ZERO
            } else {
                GATHER_FOR
            };
            let at = now.monotonic + gather;
            self.manifests.want(at, node, hash, teller);
        } else {
            self.manifests.forget(node);
        }
    }

    pub(super) fn fetch_when_due(&mut self, now: Now) {
        let at = now.monotonic;
        let due = self.manifests.due(at);
        let mut for_others = Vec::new();
        for (from, wanted) in due {
            self.manifests.linking.remove(&from);
            if self.links.is_up(from) {
                let lost = Next::At(at + FETCH_LOST_AFTER);
                self.manifests.set_next(from, lost);
                let hash = wanted.hash;
                self.outputs.push_back(Output::FetchManifest { from, hash });
            } else if wanted.asked < OTHERS_ASKED {
                for_others.push((from, wanted));
            } else {
                self.manifests.set_next(from, Next::Turn);
                self.manifests.turns.push_back(from);
            }
        }
        if !for_others.is_empty() {
            self.ask_others(at, for_others);
        }
        while let Some(node) = self.manifests.next_turn() {
            self.manifests.linking.insert(node);
            self.manifests.set_next(node, Next::Link(at + LINK_FOR));
            self.links.keep(at, node, LINK_FOR);
        }
    }

    /// Asks whoever told of each, and for the rest whoever is next.
    fn ask_others(&mut self, at: Monotonic, due: Vec<(NodeId, Wanted)>) {
        let mut of_tellers: BTreeMap<Option<NodeId>, Vec<(NodeId, Hash)>> = BTreeMap::new();
        for (node, wanted) in due {
            let teller = wanted.teller.filter(|teller| self.links.is_up(*teller));
            of_tellers
                .entry(teller)
                .or_default()
                .push((node, wanted.hash));
        }
        let linked: BTreeSet<NodeId> = self.links.standing().collect();
        for (teller, wanted) in of_tellers {
            for some in wanted.chunks(MANIFESTS_ASKED_MAX) {
                let Some(from) = teller.or_else(|| self.manifests.next_other(&linked)) else {
                    for (node, _) in some {
                        self.manifests.set_next(*node, Next::Turn);
                        self.manifests.turns.push_back(*node);
                    }
                    continue;
                };
                for (node, _) in some {
                    self.manifests.asked_other(at + FETCH_LOST_AFTER, *node);
                }
                let hashes: BTreeSet<Hash> = some.iter().map(|(_, hash)| *hash).collect();
                let hashes = hashes.into_iter().collect();
                let asked = Arc::new(ManifestsAsked { hashes });
                self.outputs.push_back(Output::AskManifests { from, asked });
            }
        }
    }

    pub(super) fn manifests_told(
        &mut self,
        now: Now,
        asked: &ManifestsAsked,
        told: &ManifestsTold,
    ) {
        for bytes in &told.manifests {
            let hash = Hash::of(bytes);
            for node in self.manifests.wanting(hash) {
                if self.offers.take(node, hash, bytes) {
                    self.manifests.forget(node);
                    self.answer_waiting_for(hash);
                }
            }
        }
        for hash in &asked.hashes {
            for node in self.manifests.wanting(*hash) {
                self.manifests.fetch_failed(now.monotonic, node);
            }
        }
    }

    pub(super) fn manifest_fetched(&mut self, now: Now, from: NodeId, bytes: &[u8]) {
        let wanted = self.manifests.wanted.get(&from).map(|wanted| wanted.hash);
        let roster = self.roster.as_ref();
        let guest = roster.is_some_and(|roster| roster.own.body().role == Role::Guest);
        let taken = wanted.filter(|hash| match guest {
            true => self.offers.take_part(from, *hash, bytes),
            false => self.offers.take(from, *hash, bytes),
        });
        if let Some(hash) = taken {
            self.manifests.forget(from);
            self.answer_waiting_for(hash);
        } else {
            self.manifests.fetch_failed(now.monotonic, from);
        }
    }
}
