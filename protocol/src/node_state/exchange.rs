//! Announcing this node to those it is linked to, and taking what they announce.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::output::Output;
use crate::address_book::Source;
use crate::id::{Hash, NodeId};
use crate::limits::ADDRESSES_PER_NODE_MAX;
use crate::membership::admission::check_member;
use crate::membership::roster::Roster;
use crate::time::{Monotonic, Now};
use crate::wire::announcement::{AnnouncedMember, Announcement};

/// Manifests of other nodes that one node keeps.
pub const MANIFESTS_MAX: usize = 1_000;

/// Pause before an announcement or a fetch that failed over a standing link is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A fetch that was neither answered nor refused by then is tried again.
const FETCH_LOST_AFTER: Duration = Duration::from_secs(30);

/// Announcements and fetches under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    /// Whom to tell, and from when on.
    due: BTreeMap<NodeId, Monotonic>,
    everyone: bool,
    /// The manifests wanted: of whom, which, and when to ask (again).
    wanted: BTreeMap<NodeId, (Hash, Monotonic)>,
}

impl Exchange {
    pub(super) fn announce_to(&mut self, node: NodeId) {
        self.due.insert(node, Monotonic(0));
    }

    pub(super) fn announce_to_all(&mut self) {
        self.everyone = true;
    }

    pub(super) fn announce_failed(&mut self, now: Monotonic, node: NodeId) {
        self.due.entry(node).or_insert(now + RETRY_AFTER);
    }

    pub(super) fn fetch_failed(&mut self, now: Monotonic, node: NodeId) {
        if let Some((_, when)) = self.wanted.get_mut(&node) {
            *when = now + RETRY_AFTER;
        }
    }

    pub(super) fn link_down(&mut self, node: NodeId) {
        self.due.remove(&node);
        self.wanted.remove(&node);
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        let fetches = self.wanted.values().map(|(_, when)| *when);
        self.due.values().copied().chain(fetches).min()
    }
}

impl NodeState {
    pub(super) fn announce_when_due(&mut self, now: Now) {
        let Some(roster) = self.roster.clone() else {
            return;
        };
        if std::mem::take(&mut self.exchange.everyone) {
            let linked: Vec<NodeId> = self.links.standing().collect();
            for node in linked {
                self.exchange.announce_to(node);
            }
        }
        let ready = |when: &Monotonic| *when <= now.monotonic;
        if !self.exchange.due.values().any(ready) {
            return;
        }
        let announcement = Arc::new(self.announcement(&roster));
        let due = self.exchange.due.clone();
        for (to, _) in due.into_iter().filter(|(_, when)| ready(when)) {
            self.exchange.due.remove(&to);
            if self.links.is_up(to) {
                let announcement = announcement.clone();
                self.outputs
                    .push_back(Output::Announce { to, announcement });
            }
        }
    }

    fn announcement(&self, roster: &Roster) -> Announcement {
        let own = AnnouncedMember {
            chain: roster.own.clone(),
            addresses: self.listening.clone(),
        };
        let others = roster.members().map(|(node, chain)| AnnouncedMember {
            chain: chain.clone(),
            addresses: self.book.addresses(node),
        });
        Announcement {
            addresses: self
                .listening
                .iter()
                .take(ADDRESSES_PER_NODE_MAX)
                .cloned()
                .collect(),
            manifest: self.offers.manifest().hash,
            members: std::iter::once(own).chain(others).collect(),
            leaving: false,
        }
    }

    pub(super) fn goodbye(&self) -> Announcement {
        Announcement {
            addresses: Vec::new(),
            manifest: self.offers.manifest().hash,
            members: Vec::new(),
            leaving: true,
        }
    }

    pub(super) fn announced(&mut self, now: Now, from: NodeId, announcement: Announcement) {
        if !self.is_member(from) {
            return;
        }
        if announcement.leaving {
            self.forget_member(from);
            return;
        }
        let news = self
            .book
            .tell(now.wall, from, announcement.addresses, Source::Announcement);
        if news {
            self.persist_addresses(from);
        }
        for member in announcement.members {
            self.hear_of(now, from, member);
        }
        self.want_manifest(now, from, announcement.manifest);
    }

    /// Takes a certificate that a member passed on, if it proves membership by itself.
    fn hear_of(&mut self, now: Now, from: NodeId, member: AnnouncedMember) {
        let Some(roster) = self.roster.clone() else {
            return;
        };
        let subject = member.chain.body().subject;
        if subject == self.me {
            return;
        }
        let known = roster.member(subject);
        if known.is_none_or(|known| known.body().expires < member.chain.body().expires) {
            let verifier = self.keys.verifier.clone();
            let good = check_member(&member.chain, roster.mesh, subject, now.wall, &*verifier);
            if good.is_err() || self.take_member(now, &roster, member.chain).is_err() {
                return;
            }
        }
        if subject != from
            && self
                .book
                .tell(now.wall, subject, member.addresses, Source::Member)
        {
            self.persist_addresses(subject);
            self.links.sighted(now.monotonic, subject, true);
        }
    }

    fn want_manifest(&mut self, now: Now, from: NodeId, hash: Hash) {
        if self.offers.has(from, hash) {
            self.exchange.wanted.remove(&from);
        } else if self.exchange.wanted.get(&from).is_none_or(|w| w.0 != hash) {
            self.exchange.wanted.insert(from, (hash, now.monotonic));
        }
    }

    pub(super) fn fetch_when_due(&mut self, now: Now) {
        for (from, (hash, when)) in &mut self.exchange.wanted {
            if *when <= now.monotonic {
                *when = now.monotonic + FETCH_LOST_AFTER;
                self.outputs.push_back(Output::FetchManifest {
                    from: *from,
                    hash: *hash,
                });
            }
        }
    }

    pub(super) fn manifest_fetched(&mut self, now: Now, from: NodeId, bytes: &[u8]) {
        let wanted = self.exchange.wanted.get(&from).map(|(hash, _)| *hash);
        let taken = wanted.is_some_and(|hash| self.offers.take(from, hash, bytes));
        if taken {
            self.exchange.wanted.remove(&from);
        } else {
            self.exchange.fetch_failed(now.monotonic, from);
        }
    }
}
