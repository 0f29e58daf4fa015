//! Announcing this node to those it is linked to, and taking what they announce.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::output::Output;
use crate::address_book::Source;
use crate::id::{Hash, NodeId};
use crate::membership::admission::check_member;
use crate::membership::roster::Roster;
use crate::time::{Monotonic, Now};
use crate::wire::announcement::{AnnouncedMember, Announcement, tellable};

/// Manifests of other nodes that one node keeps.
pub const MANIFESTS_MAX: usize = 1_000;

/// Pause before an announcement or a fetch that failed over a standing link is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A fetch that was neither answered nor refused by then is tried again.
const FETCH_LOST_AFTER: Duration = Duration::from_secs(30);
/// Pause before the next announcement to a node that has not been told of every member.
const NEXT_PART_AFTER: Duration = Duration::from_secs(5);

/// Announcements and fetches under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    /// Whom to tell, and from when on.
    due: BTreeMap<NodeId, Monotonic>,
    everyone: bool,
    /// Whom the last announcement did not tell of every member, because it did not hold them all.
    rounds: BTreeMap<NodeId, Round>,
    /// The manifests wanted: of whom, which, and when to ask (again).
    wanted: BTreeMap<NodeId, (Hash, Monotonic)>,
}

/// A cursor in the circle of members that one linked node is told of, part by part.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// The last one told.
    after: NodeId,
    /// How many are still to be told, from there on.
    left: usize,
}

/// One announcement, and how much of the circle it tells.
struct Part {
    announcement: Arc<Announcement>,
    last: Option<NodeId>,
    told: usize,
}

impl Exchange {
    pub(super) fn announce_to(&mut self, node: NodeId) {
        self.due.insert(node, Monotonic(0));
        self.begin_again(node);
    }

    /// Whoever is in the middle of a round has the whole circle before it again, from where it is.
    fn begin_again(&mut self, node: NodeId) {
        if let Some(round) = self.rounds.get_mut(&node) {
            round.left = usize::MAX;
        }
    }

    /// `part` was sent to `node`; what it left out of `everyone` follows.
    fn told(&mut self, now: Monotonic, node: NodeId, part: &Part, everyone: usize) {
        let round = self.rounds.remove(&node);
        let wanted = round.map_or(everyone, |round| round.left.min(everyone));
        let left = wanted.saturating_sub(part.told);
        if let Some(after) = part.last.filter(|_| left > 0) {
            self.rounds.insert(node, Round { after, left });
            self.due.insert(node, now + NEXT_PART_AFTER);
        }
    }

    pub(super) fn announce_to_all(&mut self) {
        self.everyone = true;
    }

    pub(super) fn announce_failed(&mut self, now: Monotonic, node: NodeId) {
        self.due.entry(node).or_insert(now + RETRY_AFTER);
        self.begin_again(node);
    }

    pub(super) fn fetch_failed(&mut self, now: Monotonic, node: NodeId) {
        if let Some((_, when)) = self.wanted.get_mut(&node) {
            *when = now + RETRY_AFTER;
        }
    }

    pub(super) fn link_down(&mut self, node: NodeId) {
        self.due.remove(&node);
        self.rounds.remove(&node);
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
        let due = self.exchange.due.iter();
        let ready = due.filter(|(_, when)| **when <= now.monotonic);
        let ready: Vec<NodeId> = ready.map(|(node, _)| *node).collect();
        let mut parts = BTreeMap::new();
        for to in ready {
            self.exchange.due.remove(&to);
            if !self.links.is_up(to) {
                continue;
            }
            let after = self.exchange.rounds.get(&to).map(|round| round.after);
            let part = parts
                .entry(after)
                .or_insert_with(|| self.announcement(&roster, after));
            self.exchange.told(now.monotonic, to, part, roster.len());
            let announcement = part.announcement.clone();
            self.outputs
                .push_back(Output::Announce { to, announcement });
        }
    }

    /// What there is to say now, with the members behind `after` as far as they fit.
    fn announcement(&self, roster: &Roster, after: Option<NodeId>) -> Part {
        let mut announcement = Announcement {
            addresses: tellable(self.listening.iter().cloned()),
            manifest: self.offers.manifest().hash,
            members: Vec::new(),
            leaving: false,
        };
        let own = AnnouncedMember::new(roster.own.clone(), self.listening.iter().cloned());
        announcement.fill([own]);
        let others = roster.members_after(after);
        let told =
            announcement.fill(others.map(|(node, chain)| {
                AnnouncedMember::new(chain.clone(), self.book.addresses(node))
            }));
        let last = announcement.members.last().filter(|_| told > 0);
        Part {
            last: last.map(|member| member.chain.body().subject),
            told,
            announcement: Arc::new(announcement),
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
            // Hearsay is tried when the next dial is due, and hastens none: it may be a lie, and there may be many.
            self.persist_addresses(subject);
        }
    }

    fn want_manifest(&mut self, now: Now, from: NodeId, hash: Hash) {
        if self.offers.has(from, hash) {
            self.exchange.wanted.remove(&from);
        } else {
            // A fetch under way ends first: however often a member changes its mind, it is asked one thing at a time.
            let wanted = self.exchange.wanted.entry(from);
            wanted.or_insert((hash, now.monotonic)).0 = hash;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use ed25519_dalek::SigningKey;

    use super::super::{Input, Keys, Record};
    use super::*;
    use crate::id::MeshId;
    use crate::membership::certificate::{
        CERTIFICATE_VERSION, Certificate, CertificateBody, CertificateChain, Role,
    };
    use crate::signature::{Ed25519, Signature, Signer};
    use crate::time::Timestamp;
    use crate::wire::announcement::ANNOUNCEMENT_BYTES_MAX;

    const MEMBERS: u32 = 5_000;

    fn node(number: u32) -> NodeId {
        let mut key = [1; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        NodeId::from_public_key(key)
    }

    fn mesh() -> MeshId {
        MeshId::from_public_key([9; 32])
    }

    /// A certificate that nobody checks here.
    fn chain(subject: NodeId) -> Arc<CertificateChain> {
        let body = CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh: mesh(),
            serial: 1,
            subject,
            name: "member".parse().unwrap(),
            role: Role::Member,
            not_before: Timestamp(1_800_000_000_000),
            expires: Timestamp(1_801_209_600_000),
        };
        let certificate = Certificate {
            body,
            signature: Signature([7; 64]),
        };
        Arc::new(CertificateChain {
            issuers: vec![certificate.clone()],
            certificate,
        })
    }

    struct Crowd {
        state: NodeState,
        now: Now,
    }

    impl Crowd {
        /// A node that knows 5,000 others and is linked to none.
        fn new() -> Self {
            let now = Now {
                wall: Timestamp(1_800_000_000_000),
                monotonic: Monotonic(0),
            };
            let key = SigningKey::from_bytes(&[8; 32]);
            let me = NodeId::from_public_key(key.public_key());
            let keys = Keys {
                node: Arc::new(key),
                root: None,
                verifier: Arc::new(Ed25519),
            };
            let (mesh, own) = (mesh(), chain(me));
            let home = Record::Home { mesh, chain: own };
            let members = (0..MEMBERS).map(|number| Record::Member(chain(node(number))));
            let state = NodeState::new(now, keys, std::iter::once(home).chain(members));
            Self { state, now }
        }

        /// What `to` is told because of `input`: checked to be readable and led by the teller itself.
        fn told(&mut self, to: NodeId, input: Input) -> Vec<BTreeSet<NodeId>> {
            self.state.handle(self.now, input);
            let outputs = std::iter::from_fn(|| self.state.poll_output());
            let told: Vec<_> = outputs
                .filter_map(|output| match output {
                    Output::Announce {
                        to: whom,
                        announcement,
                    } if whom == to => Some(announcement),
                    _ => None,
                })
                .collect();
            told.iter()
                .map(|announcement| self.members_in(announcement))
                .collect()
        }

        fn members_in(&self, announcement: &Announcement) -> BTreeSet<NodeId> {
            let bytes = announcement.encode();
            assert!(bytes.len() <= ANNOUNCEMENT_BYTES_MAX);
            let read = Announcement::decode(&bytes).unwrap();
            let mut subjects = read
                .members
                .iter()
                .map(|member| member.chain.body().subject);
            assert_eq!(subjects.next(), Some(self.state.me()));
            subjects.collect()
        }

        fn link(&mut self, node: NodeId) -> Vec<BTreeSet<NodeId>> {
            self.told(
                node,
                Input::LinkUp {
                    node,
                    address: None,
                },
            )
        }

        /// What `to` is told when the next pause has passed.
        fn wait(&mut self, to: NodeId) -> Vec<BTreeSet<NodeId>> {
            self.now.monotonic = self.now.monotonic + NEXT_PART_AFTER;
            self.told(to, Input::Wake)
        }

        /// Everyone `to` is told of until there is nothing left to tell, and in how many announcements.
        fn rest_of_the_round(&mut self, to: NodeId) -> (BTreeSet<NodeId>, usize) {
            let (mut heard, mut count) = (BTreeSet::new(), 0);
            loop {
                let told = self.wait(to);
                if told.is_empty() {
                    return (heard, count);
                }
                count += told.len();
                heard.extend(told.into_iter().flatten());
            }
        }
    }

    #[test]
    fn of_five_thousand_members_as_many_as_fit_are_told_at_once_and_the_rest_soon() {
        let mut crowd = Crowd::new();
        let first = crowd.link(node(0));
        assert_eq!(first.len(), 1);
        let part = first[0].len();
        assert!((100..2_500).contains(&part), "{part}");
        let (rest, announcements) = crowd.rest_of_the_round(node(0));
        let all: BTreeSet<NodeId> = first[0].union(&rest).copied().collect();
        assert_eq!(all, (0..MEMBERS).map(node).collect());
        assert_eq!(
            announcements + 1,
            5_000_usize.div_ceil(part),
            "and no longer than it takes"
        );
    }

    #[test]
    fn a_change_in_the_middle_goes_on_from_there_and_once_around() {
        let mut crowd = Crowd::new();
        let first = crowd.link(node(0));
        let changed = crowd.told(
            node(0),
            Input::Listening {
                addresses: vec!["/ip4/192.0.2.1/tcp/1".to_owned()],
            },
        );
        assert_eq!(changed.len(), 1, "a change is told at once");
        assert!(
            first[0].is_disjoint(&changed[0]),
            "behind whoever was told last"
        );
        let (rest, _) = crowd.rest_of_the_round(node(0));
        let since: BTreeSet<NodeId> = changed[0].union(&rest).copied().collect();
        assert_eq!(
            since,
            (0..MEMBERS).map(node).collect(),
            "all of them after the change"
        );
    }

    #[test]
    fn each_linked_node_is_told_of_all() {
        let mut crowd = Crowd::new();
        let mut one = crowd.link(node(0)).remove(0);
        one.extend(crowd.wait(node(0)).into_iter().flatten());
        let mut other = crowd.link(node(1)).remove(0);
        loop {
            crowd.now.monotonic = crowd.now.monotonic + NEXT_PART_AFTER;
            crowd.state.handle(crowd.now, Input::Wake);
            let mut still = true;
            while let Some(output) = crowd.state.poll_output() {
                if let Output::Announce { to, announcement } = output {
                    still = false;
                    let heard = if to == node(0) { &mut one } else { &mut other };
                    heard.extend(crowd.members_in(&announcement));
                }
            }
            if still {
                break;
            }
        }
        assert_eq!(one.len(), 5_000);
        assert_eq!(other.len(), 5_000);
    }

    #[test]
    fn more_listen_addresses_than_may_be_told_do_not_silence_a_node() {
        let mut crowd = Crowd::new();
        let addresses = (0..40).map(|port| format!("/ip4/192.0.2.1/tcp/{port}"));
        let addresses = addresses.collect();
        crowd.told(node(0), Input::Listening { addresses });
        assert_eq!(crowd.link(node(0)).len(), 1);
    }
}
