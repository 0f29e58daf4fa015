//! The members of a mesh as one node knows them: an immutable snapshot, replaced whole.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::certificate::{CertificateChain, Role, Validity};
use super::member::Member;
use super::namesakes;
use super::revocations::Revocations;
use super::sorted_chunks::{SortKey, SortedChunks};
use crate::id::{Hash, MeshId, NodeId, NodeName, ServerName};
use crate::limits::{ISSUER_CHAIN_MAX, ROSTER_MAX};
use crate::mutation::Mutation;
use crate::time::Timestamp;

/// What one node knows of its mesh. A clone is cheap: most of it is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// The mesh.
    pub mesh: MeshId,
    /// This node's own certificate.
    pub own: Arc<CertificateChain>,
    /// Everybody known, those that left too; by node.
    known: SortedChunks<Keyed>,
    /// Those that have not left; by a hash of the name, then by node. Shared apart, as names seldom change.
    named: Arc<SortedChunks<Named>>,
    /// Who keeps a name that was certified to several: whoever was known by it first.
    kept: Arc<BTreeMap<NodeName, NodeId>>,
    /// Who was put out.
    revocations: Arc<Revocations>,
    caught_up: bool,
}

/// Who goes by a name that has this hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    key: u64,
    node: NodeId,
}

/// A member behind the beginning of what it is sorted by, which tells most members apart without looking at them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Keyed {
    key: u64,
    member: Arc<Member>,
}

impl SortKey for Named {
    fn sort_key(&self) -> u64 {
        self.key
    }
}

impl SortKey for Keyed {
    fn sort_key(&self) -> u64 {
        self.key
    }
}

impl Roster {
    /// A roster with nobody but its owner.
    pub fn new(mesh: MeshId, own: Arc<CertificateChain>) -> Self {
        Self {
            mesh,
            own,
            known: SortedChunks::default(),
            named: Arc::default(),
            kept: Arc::default(),
            revocations: Arc::default(),
            caught_up: true,
        }
    }

    /// The same members, with a fresh certificate of the owner's.
    #[must_use]
    pub fn with_own(self, own: Arc<CertificateChain>) -> Self {
        Self { own, ..self }
    }

    /// Who was put out of the mesh; none of them is a member here.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Whether somebody has told what was not known since this node started or was last linked with nobody: until then
    /// it does not know who was put out meanwhile, and serves nobody.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    pub(crate) fn set_caught_up(&mut self, caught_up: bool) {
        self.caught_up = caught_up;
    }

    /// Whether a member may see the tools of a server of this node.
    pub fn may_see(&self, caller: NodeId, server: &ServerName) -> bool {
        let me = self.own.body().subject;
        let chain = self.member(caller);
        chain.is_some_and(|chain| chain.body().grant().may_see(me, server))
    }

    /// Whether a member may call a tool of a server of this node, which says of itself that it only reads or not.
    pub fn may_call(&self, caller: NodeId, server: &ServerName, read_only: bool) -> bool {
        let me = self.own.body().subject;
        let chain = self.member(caller);
        chain.is_some_and(|chain| chain.body().grant().may_call(me, server, read_only))
    }

    pub(crate) fn set_revocations(&mut self, revocations: Revocations) {
        self.revocations = Arc::new(revocations);
    }

    /// The certificate of another member, whether or not it is valid now.
    pub fn member(&self, node: NodeId) -> Option<&Arc<CertificateChain>> {
        let member = self.known(node).filter(|member| !member.has_left());
        member.map(|member| member.chain())
    }

    /// What is known of another node, one that left included.
    pub fn known(&self, node: NodeId) -> Option<&Arc<Member>> {
        let found = self
            .known
            .find(node.leading_u64(), |keyed| by_node(keyed, node))?;
        Some(&found.member)
    }

    /// All other members, by node id.
    pub fn members(&self) -> impl Iterator<Item = (NodeId, &Arc<CertificateChain>)> {
        self.all_known()
            .filter(|member| !member.has_left())
            .map(|member| (member.node(), member.chain()))
    }

    /// Everybody else known, those that left too, by node id.
    pub fn all_known(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.known.iter().map(|keyed| &keyed.member)
    }

    /// Everybody else known, those that left too, behind the first 8 bytes of its id; for looks at all of them that pass
    /// over most.
    pub(crate) fn all_known_by_beginning(&self) -> impl Iterator<Item = (u64, &Arc<Member>)> {
        self.known.iter().map(|keyed| (keyed.key, &keyed.member))
    }

    /// The same, from the first whose id does not begin before `beginning`, round to the one before it.
    pub(crate) fn all_known_from(
        &self,
        beginning: u64,
    ) -> impl Iterator<Item = (u64, &Arc<Member>)> {
        let before = self
            .known
            .iter()
            .take_while(move |keyed| keyed.key < beginning);
        let all = self.known.from(beginning).chain(before);
        all.map(|keyed| (keyed.key, &keyed.member))
    }

    /// How many other members there are.
    pub fn len(&self) -> usize {
        self.named.len()
    }

    /// How many other nodes are known, those that left too; at most [`ROSTER_MAX`].
    pub fn known_len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is no other member.
    pub fn is_empty(&self) -> bool {
        self.named.len() == 0
    }

    /// Whether a link to `node` may stand at `now`; none may once this node itself was put out.
    pub fn admits(&self, node: NodeId, now: Timestamp) -> bool {
        self.member(node)
            .is_some_and(|chain| chain.validity(now) == Validity::Valid)
            && self.revocations.check(&self.own).is_ok()
    }

    /// Whether this node may issue certificates.
    pub fn is_admin(&self) -> bool {
        self.own.body().role == Role::Admin
    }

    /// Whether certificates that this node issues at `now` will be accepted: it is an admin, its own certificate is
    /// valid, and there is room in the chain below it.
    pub fn may_issue(&self, now: Timestamp) -> bool {
        self.is_admin()
            && self.own.validity(now) == Validity::Valid
            && self.own.issuers.len() < ISSUER_CHAIN_MAX
    }

    /// Who goes by `name` here, this node included. Of several to whom it was certified, this node itself, else whoever
    /// was known by it first; the others go by what [`Roster::name_of`] says.
    pub fn named(&self, name: &NodeName) -> Option<NodeId> {
        let keeper = self.keeper(name);
        if keeper.is_some() || !namesakes::tells_apart(name) {
            return keeper;
        }
        self.all_named().find(|node| self.goes_by(*node, name))
    }

    /// What `node` goes by here: the name of its certificate, made longer where another keeps that one.
    pub fn name_of(&self, node: NodeId) -> Option<NodeName> {
        let certified = &self.chain_of(node)?.body().name;
        if self.keeper(certified) == Some(node) {
            return Some(certified.clone());
        }
        let is_free = |name: &NodeName| self.keeper(name).is_none();
        Some(namesakes::told_apart(certified, node, is_free))
    }

    /// All to whom `name` is certified, this node included.
    pub(crate) fn namesakes(&self, name: &NodeName) -> impl Iterator<Item = NodeId> {
        let own = self.own.body();
        let own = (own.name == *name).then_some(own.subject);
        own.into_iter().chain(self.others_named(name))
    }

    /// Somebody other than `node` that goes by `name`, or to whom it is certified.
    pub(crate) fn other_holder(&self, name: &NodeName, node: NodeId) -> Option<NodeId> {
        let namesake = self.namesakes(name).find(|other| *other != node);
        namesake.or_else(|| self.named(name).filter(|other| *other != node))
    }

    /// Whether `node` is to have another name at `now`: one that is valid precedes it under the one it has.
    pub(crate) fn must_yield(&self, node: NodeId, now: Timestamp) -> bool {
        let Some(chain) = self.chain_of(node) else {
            return false;
        };
        let namesakes = self.namesakes(&chain.body().name);
        let mut chains = namesakes.filter_map(|other| self.chain_of(other));
        chains.any(|other| {
            other.validity(now) == Validity::Valid
                && namesakes::precedes(other.body(), chain.body())
        })
    }

    /// Has names that several have go by the rule alone, as after a start nobody was known first.
    pub(crate) fn forget_who_was_first(&mut self) {
        self.kept = Arc::default();
    }

    fn chain_of(&self, node: NodeId) -> Option<&Arc<CertificateChain>> {
        match self.own.body().subject == node {
            true => Some(&self.own),
            false => self.member(node),
        }
    }

    fn keeper(&self, name: &NodeName) -> Option<NodeId> {
        let mut namesakes = self.namesakes(name);
        let first = namesakes.next()?;
        if first == self.own.body().subject || namesakes.next().is_none() {
            return Some(first);
        }
        let kept = self.kept.get(name).copied();
        if let Some(kept) = kept.filter(|kept| self.namesakes(name).any(|node| node == *kept)) {
            return Some(kept);
        }
        let all = self.namesakes(name).filter_map(|node| self.chain_of(node));
        let bodies = all.map(|chain| chain.body());
        let first = bodies.reduce(|one, other| match namesakes::precedes(other, one) {
            true => other,
            false => one,
        });
        first.map(|body| body.subject)
    }

    /// The other members to whom `name` is certified.
    fn others_named(&self, name: &NodeName) -> impl Iterator<Item = NodeId> {
        // Names of one hash stand together.
        let key = name_key(name);
        let first = self.named.from(key);
        let hashed = first.take_while(move |named| named.key == key);
        hashed.map(|named| named.node).filter(move |node| {
            let known = self.known(*node);
            known.is_some_and(|member| name_of(member) == name)
        })
    }

    fn all_named(&self) -> impl Iterator<Item = NodeId> {
        self.named.iter().map(|named| named.node)
    }

    /// Whether `node` goes by `name` because its own is another's.
    fn goes_by(&self, node: NodeId, name: &NodeName) -> bool {
        namesakes::may_be(name, node) && self.name_of(node).as_ref() == Some(name)
    }

    /// Takes a member that has been verified; says whether it is news at `now`. Something older never replaces
    /// something newer, a certificate alone does not replace a valid one whose holder has spoken, and a full roster
    /// takes nobody new.
    pub fn insert(&mut self, member: Arc<Member>, now: Timestamp) -> Inserted {
        let node = member.node();
        if node == self.own.body().subject {
            return Inserted::Known;
        }
        match self.known(node).cloned() {
            Some(known) if !member.takes_over_from(&known, now) => return Inserted::Known,
            Some(known) if has_same_name(&known, &member) => {}
            Some(known) => {
                self.unname(&known);
                self.name(&member, now);
            }
            None if self.known.len() >= ROSTER_MAX => return Inserted::Full,
            None => self.name(&member, now),
        }
        let key = node.leading_u64();
        self.known
            .insert(Keyed { key, member }, |other| by_node(other, node));
        Inserted::New
    }

    /// Forgets a node.
    pub fn remove(&mut self, node: NodeId) -> Option<Arc<Member>> {
        let removed = self
            .known
            .remove(node.leading_u64(), |keyed| by_node(keyed, node))?
            .member;
        self.unname(&removed);
        Some(removed)
    }

    fn name(&mut self, member: &Member, now: Timestamp) {
        if !member.has_left() {
            self.keep_name(member, now);
            let named = Named::of(member);
            Arc::make_mut(&mut self.named).insert(named, |other| other.cmp(&named));
        }
    }

    /// Before `member` has its name: whoever keeps it, and is a member now, goes on to.
    fn keep_name(&mut self, member: &Member, now: Timestamp) {
        let name = name_of(member);
        let Some(keeper) = self.keeper(name) else {
            return;
        };
        let keeps = self.admits(keeper, now) && !Mutation::NamesFollowTheNewest.is_on();
        let keeper = if keeps { keeper } else { member.node() };
        Arc::make_mut(&mut self.kept).insert(name.clone(), keeper);
    }

    fn unname(&mut self, member: &Member) {
        let name = name_of(member);
        if self.kept.get(name) == Some(&member.node()) {
            Arc::make_mut(&mut self.kept).remove(name);
        }
        let named = Named::of(member);
        Arc::make_mut(&mut self.named).remove(named.key, |other| other.cmp(&named));
    }
}

impl Named {
    fn of(member: &Member) -> Self {
        Self {
            key: name_key(name_of(member)),
            node: member.node(),
        }
    }
}

fn name_of(member: &Member) -> &NodeName {
    &member.chain().body().name
}

/// Whether both are members, under one name.
fn has_same_name(one: &Member, other: &Member) -> bool {
    !one.has_left() && !other.has_left() && name_of(one) == name_of(other)
}

/// The last characters of a name that has a number at its end differ most, so all of them count: a hash, the same at
/// every call.
fn name_key(name: &NodeName) -> u64 {
    Hash::of(name.as_str().as_bytes()).leading_u64()
}

fn by_node(keyed: &Keyed, node: NodeId) -> Ordering {
    let by_key = keyed.key.cmp(&node.leading_u64());
    by_key.then_with(|| keyed.member.node().cmp(&node))
}

/// What became of a certificate offered to a roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It was taken.
    New,
    /// It says nothing new.
    Known,
    /// There is no room: [`ROSTER_MAX`] members are known.
    Full,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::id::Hash;
    use crate::limits::CERTIFICATE_LIFETIME;
    use crate::membership::certificate::{CERTIFICATE_VERSION, CertificateBody};
    use crate::membership::peer_record::PeerRecord;
    use crate::signature::Signer;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_bytes(&[byte; 32])
    }

    fn chain(byte: u8, name: &str, issued: Timestamp) -> Arc<CertificateChain> {
        let body = CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh: MeshId::from_public_key(key(99).public_key()),
            serial: 1,
            subject: NodeId::from_public_key(key(byte).public_key()),
            name: name.parse().unwrap(),
            role: Role::Member,
            not_before: issued,
            expires: issued + CERTIFICATE_LIFETIME,
            only: Vec::new(),
            replaces: None,
        };
        Arc::new(body.sign(&key(99), Vec::new()))
    }

    fn silent(byte: u8, issued: Timestamp) -> Arc<Member> {
        Arc::new(Member::new(chain(byte, "silent", issued), None))
    }

    fn spoken(byte: u8, name: &str, sequence: u64, leaving: bool) -> Arc<Member> {
        let chain = chain(byte, name, NOW);
        let (addresses, manifest) = (Vec::new(), Hash::of(b""));
        let record = PeerRecord::sign(&key(byte), &chain, sequence, addresses, manifest, leaving);
        Arc::new(Member::new(chain, Some(record)))
    }

    fn roster() -> Roster {
        let own = chain(1, "desk", NOW);
        Roster::new(own.body().mesh, own)
    }

    #[test]
    fn a_certificate_alone_replaces_one_whose_holder_has_spoken_only_when_that_is_over() {
        let mut roster = roster();
        let member = spoken(2, "laptop", 5, false);
        let renewed = silent(2, Timestamp(NOW.0 + 1_000));
        assert_eq!(roster.insert(member.clone(), NOW), Inserted::New);
        assert_eq!(roster.insert(renewed.clone(), NOW), Inserted::Known);
        let expired = NOW + CERTIFICATE_LIFETIME * 2;
        assert_eq!(roster.insert(renewed, expired), Inserted::New);
    }

    #[test]
    fn a_rotated_key_is_known_by_the_certificate_it_speaks_under_though_another_was_issued_to_it_later()
     {
        let mut roster = roster();
        let mut unused = CertificateChain::clone(&chain(2, "laptop", Timestamp(NOW.0 + 1_000)));
        let member = spoken(2, "laptop", 5, false);
        assert_eq!(
            roster.insert(silent(2, Timestamp(NOW.0 + 1_000)), NOW),
            Inserted::New
        );
        assert_eq!(roster.insert(member.clone(), NOW), Inserted::Known);
        roster.remove(member.node());
        unused.certificate.body.replaces = Some(NodeId::from_public_key([7; 32]));
        let unused = Arc::new(Member::new(Arc::new(unused), None));
        assert_eq!(roster.insert(unused.clone(), NOW), Inserted::New);
        let expired = NOW + CERTIFICATE_LIFETIME * 2;
        assert_eq!(roster.insert(member.clone(), expired), Inserted::Known);
        assert_eq!(roster.insert(member, NOW), Inserted::New);
        assert_eq!(roster.insert(unused, NOW), Inserted::Known);
    }

    #[test]
    fn who_left_is_known_and_is_no_member_and_its_name_is_free() {
        let mut roster = roster();
        let (here, gone) = (spoken(2, "laptop", 5, false), spoken(2, "laptop", 4, true));
        roster.insert(here.clone(), NOW);
        assert_eq!(roster.named(&"laptop".parse().unwrap()), Some(here.node()));
        assert_eq!(roster.insert(gone, NOW), Inserted::New);
        assert_eq!(roster.insert(here.clone(), NOW), Inserted::Known);
        assert_eq!((roster.len(), roster.known_len()), (0, 1));
        assert_eq!(roster.named(&"laptop".parse().unwrap()), None);
        assert!(!roster.admits(here.node(), NOW));
    }

    fn holder(byte: u8, name: &str, issued: u64) -> Arc<Member> {
        Arc::new(Member::new(
            chain(byte, name, Timestamp(NOW.0 + issued)),
            None,
        ))
    }

    #[test]
    fn of_two_with_one_name_the_first_known_keeps_it_and_both_are_found_by_what_they_go_by() {
        let (one, other) = (holder(2, "twin", 10), holder(3, "twin", 0));
        for (first, second) in [(&one, &other), (&other, &one)] {
            let mut roster = roster();
            roster.insert(first.clone(), NOW);
            roster.insert(second.clone(), NOW);
            let twin: NodeName = "twin".parse().unwrap();
            assert_eq!(roster.named(&twin), Some(first.node()));
            assert_eq!(roster.name_of(first.node()), Some(twin.clone()));
            let told_apart = roster.name_of(second.node()).unwrap();
            assert!(told_apart.as_str().starts_with("twin-"));
            assert_eq!(roster.named(&told_apart), Some(second.node()));
            roster.remove(first.node());
            assert_eq!(roster.name_of(second.node()), Some(twin));
            assert_eq!(roster.named(&told_apart), None);
        }
    }

    #[test]
    fn everybody_agrees_who_of_two_with_one_name_is_to_have_another() {
        let (early, late) = (holder(2, "twin", 0), holder(3, "twin", 10));
        for order in [[&early, &late], [&late, &early]] {
            let mut roster = roster();
            for member in order {
                roster.insert(member.clone(), NOW);
            }
            assert!(roster.must_yield(late.node(), NOW));
            assert!(!roster.must_yield(early.node(), NOW));
            roster.forget_who_was_first();
            let twin = "twin".parse().unwrap();
            assert_eq!(roster.named(&twin), Some(early.node()));
            let after = early.chain().end();
            assert!(!roster.must_yield(late.node(), after));
        }
    }

    #[test]
    fn a_node_is_to_itself_what_its_certificate_says() {
        let mut roster = roster();
        let other = holder(2, "desk", 0);
        roster.insert(other.clone(), NOW);
        let me = roster.own.body().subject;
        assert_eq!(roster.named(&"desk".parse().unwrap()), Some(me));
        let told_apart = roster.name_of(other.node()).unwrap();
        assert_eq!(roster.named(&told_apart), Some(other.node()));
    }

    #[test]
    fn whoever_changes_its_name_goes_by_the_new_one_only() {
        let mut roster = roster();
        roster.insert(silent(2, NOW), NOW);
        let renamed = spoken(2, "laptop", 5, false);
        let later = Arc::new(Member::new(chain(2, "laptop", Timestamp(NOW.0 + 1)), None));
        assert_eq!(roster.insert(later, NOW), Inserted::New);
        assert_eq!(roster.named(&"silent".parse().unwrap()), None);
        assert_eq!(
            roster.named(&"laptop".parse().unwrap()),
            Some(renamed.node())
        );
        assert_eq!(roster.members().count(), 1);
    }
}
