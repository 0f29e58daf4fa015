//! News of members, whoever passes it on: checked once, taken where it is later than what was known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::input::RequestId;
use super::output::{Judgement, Output, Reply};
use super::record::{Record, RecordKey, Write};
use crate::id::{NodeId, NodeName, RegionName};
use crate::limits::{GOSSIP_BYTES_MAX, KEPT_AFTER_EXPIRY};
use crate::membership::admission::Refusal;
use crate::membership::certificate::Validity;
use crate::membership::member::Member;
use crate::membership::roster::{Inserted, Roster};
use crate::mutation::Mutation;
use crate::time::{Monotonic, Now, Timestamp};
use crate::wire::announcement::Announcement;

/// A member may change as often as this on average. What it says beyond that is not taken, and makes no work for the
/// mesh: a reconciliation brings whatever is left of it.
const CHANGE_EVERY: Duration = Duration::from_millis(500);
/// Changes of one member that may follow each other at once, before [`CHANGE_EVERY`] counts.
const CHANGES_AT_ONCE: u32 = 4;
/// Members whose changes are counted; while more change at once, the others' wait for a reconciliation.
const CHANGED_MAX: usize = 16_384;

/// Whose record was taken lately: a leaky bucket each, kept as the time at which it is empty.
#[derive(Default)]
pub(super) struct Changed {
    empty_at: BTreeMap<NodeId, Monotonic>,
}

impl Changed {
    /// Whether `node` may change again; if so, it counts as changed now.
    fn may_change(&mut self, now: Monotonic, node: NodeId) -> bool {
        let empty_at = self
            .empty_at
            .get(&node)
            .map_or(now, |empty| now.max(*empty));
        if empty_at.since(now) > CHANGE_EVERY * (CHANGES_AT_ONCE - 1) {
            return false;
        }
        if self.empty_at.len() >= CHANGED_MAX {
            self.empty_at.retain(|_, empty| *empty > now);
        }
        let room = self.empty_at.len() < CHANGED_MAX;
        if room {
            self.empty_at.insert(node, empty_at + CHANGE_EVERY);
        }
        room
    }
}

/// How a linked member told something itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// As it happened.
    AsNews,
    /// When it was asked what is not known here.
    InAnswer,
    /// As well, and what was asked for does not fit one answer.
    InParts,
}

/// What came of one member that was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    News,
    /// Known, older than what is known, or for another time.
    Nothing,
    /// It proves nothing, whoever looks at it.
    Forged,
}

impl NodeState {
    pub(super) fn gossiped(
        &mut self,
        now: Now,
        request: RequestId,
        from: NodeId,
        announcement: Announcement,
    ) {
        let judgement = self.judge_gossip(now, from, &announcement);
        if judgement == Judgement::Accept {
            self.carry(&Arc::new(announcement));
        }
        self.reply(request, Reply::Gossiped(judgement));
    }

    /// Takes what was said to everybody; says whether it is to be passed on.
    pub(super) fn judge_gossip(
        &mut self,
        now: Now,
        from: NodeId,
        announcement: &Announcement,
    ) -> Judgement {
        let mut judgement = Judgement::Ignore;
        if self.is_member(from) {
            let told = self.take_revocations(now, &announcement.revocations);
            judgement = match told.forged {
                true => Judgement::Reject,
                false if told.news.is_empty() => Judgement::Ignore,
                false => Judgement::Accept,
            };
            for member in &announcement.members {
                self.passing_on.heard(member);
                match self.hear(now, from, member) {
                    Heard::News if judgement == Judgement::Ignore => judgement = Judgement::Accept,
                    Heard::Forged => judgement = Judgement::Reject,
                    Heard::News | Heard::Nothing => {}
                }
            }
            match self.take_accusations(now, &announcement.accusations, true) {
                (_, true) => judgement = Judgement::Reject,
                (news, false) if !news.is_empty() && judgement == Judgement::Ignore => {
                    judgement = Judgement::Accept;
                }
                (_, false) => {}
            }
            match self.log_gossiped(now, from, announcement) {
                (_, true) => judgement = Judgement::Reject,
                (true, false) if judgement == Judgement::Ignore => judgement = Judgement::Accept,
                (_, false) => {}
            }
        }
        judgement
    }

    /// Takes what a linked member told this node itself, and passes on what is news where nobody else does. Returns how
    /// much was news.
    pub(super) fn take_announced(
        &mut self,
        now: Now,
        from: NodeId,
        announcement: &Announcement,
        how: Told,
    ) -> usize {
        if !self.is_member(from) {
            return 0;
        }
        let revoked = self.take_revocations(now, &announcement.revocations).news;
        self.tell_of_revocations(&revoked);
        let known_before = self.roster.as_ref().map_or(0, |roster| roster.known_len());
        let told = announcement.members.iter();
        let news: Vec<Arc<Member>> = told
            .filter(|member| self.hear(now, from, member) == Heard::News)
            .cloned()
            .collect();
        let (accused, _) =
            self.take_accusations(now, &announcement.accusations, how == Told::AsNews);
        self.pass_on_accusations(now, accused);
        // To whom most is new the others need not be told of it: it is they who know.
        let newcomer = how == Told::InParts || news.len() > known_before / 2;
        let carried = self.region_of(from) != self.topology.region();
        for member in &news {
            if member.has_left() && member.node() == from {
                // It says so once, and to whom it tells it are all who can pass it on.
                self.publish(Announcement::of([member.clone()], GOSSIP_BYTES_MAX));
            } else if !newcomer || member.node() == from {
                let teller = (from, carried);
                self.passing_on.add(now.monotonic, self.me, teller, member);
            }
        }
        news.len() + revoked.len()
    }

    fn hear(&mut self, now: Now, from: NodeId, member: &Arc<Member>) -> Heard {
        let (node, Some(roster), Some(record)) =
            (member.node(), self.roster.as_deref(), member.record())
        else {
            return Heard::Nothing;
        };
        let verifier = self.keys.verifier.clone();
        if roster.revocations().check(member.chain()).is_err() {
            return Heard::Nothing;
        }
        let known = roster.known(node);
        let known = if node == self.me {
            self.own.member()
        } else {
            known
        };
        let old = known.is_some_and(|known| !member.takes_over_from(known, now.wall));
        if old || !is_timely(member, now.wall) {
            return Heard::Nothing;
        }
        let certified = known.is_some_and(|known| known.chain() == member.chain());
        let checked = if certified {
            member.check_record(&*verifier)
        } else {
            member.check(roster.mesh, &*verifier)
        };
        if checked.is_err() {
            return Heard::Forged;
        }
        if node == self.me {
            self.hear_of_self(now, member.chain(), record);
            return Heard::Nothing;
        }
        let update = known.is_some_and(|known| known.record().is_some()) && !record.leaving;
        let update = update && !Mutation::HearEveryChange.is_on();
        if update && !self.changed.may_change(now.monotonic, node) {
            return Heard::Nothing;
        }
        match self.take(now, member.clone(), Some(from)) {
            Ok(Inserted::New) => Heard::News,
            Ok(Inserted::Known | Inserted::Full) | Err(_) => Heard::Nothing,
        }
    }

    /// Puts a verified member into the roster, and in time on disk. Says whether it was news. Who told of it is asked
    /// first for what it offers.
    ///
    /// # Errors
    ///
    /// When another has taken its place, or the roster is full.
    pub(super) fn take(
        &mut self,
        now: Now,
        member: Arc<Member>,
        teller: Option<NodeId>,
    ) -> Result<Inserted, Refusal> {
        let node = member.node();
        let Some(roster) = &mut self.roster else {
            return Err(Refusal::NoMesh);
        };
        roster.revocations().check(member.chain())?;
        let mut replaced = None;
        if !member.has_left() {
            replaced = member.chain().body().replaces;
            replaced = replaced.filter(|old| Self::takes_the_place(roster, &member, *old));
            check_not_replaced(roster, &member)?;
        }
        let before = roster.known(node).cloned();
        let inserted = Arc::make_mut(roster).insert(member.clone(), now.wall);
        match inserted {
            Inserted::Full => {
                return Err(Refusal::Full {
                    what: "the roster".to_owned(),
                });
            }
            Inserted::Known => {}
            Inserted::New => {
                self.has_changed(now, before, &member, teller);
                if let Some(old) = replaced {
                    self.forget_replaced(now, old);
                }
            }
        }
        Ok(inserted)
    }

    fn has_changed(
        &mut self,
        now: Now,
        before: Option<Arc<Member>>,
        member: &Arc<Member>,
        teller: Option<NodeId>,
    ) {
        let node = member.node();
        self.roster_changed = true;
        if let Some(before) = &before {
            self.digests.toggle(before);
        }
        self.digests.toggle(member);
        self.presence_of(now, member);
        let was_here = before.as_ref().is_some_and(|before| !before.has_left());
        let region_before = before.as_ref().and_then(|before| before.region());
        match (was_here, member.has_left()) {
            (false, false) => self.joined_topology(node, member.region()),
            (true, true) => self.departed(now, node, region_before),
            (true, false) if region_before != member.region() => {
                self.left_topology(node, region_before);
                self.joined_topology(node, member.region());
            }
            (true, false) | (false, true) => {}
        }
        self.topology_changed |= self.topology.is_candidate(node);
        self.save_later(now, Write::Put(Record::of_member(member)));
        if member.has_left() {
            // Whoever left tells it once, and may be told of by nobody else.
            self.persist(Vec::new());
        }
        self.offers.touch_member(node);
        let name_of = |member: &Arc<Member>| member.chain().body().name.clone();
        let before = before.filter(|before| !before.has_left());
        if member.has_left() || before.as_ref().map(name_of) != Some(name_of(member)) {
            self.touch_namesakes(now, node, &name_of(member));
            if let Some(before) = &before {
                self.touch_namesakes(now, node, &name_of(before));
            }
        }
        if let Some(record) = member.record().filter(|record| !record.leaving) {
            if member.chain().body().role.offers() {
                self.want_manifest(now, node, record.manifest, teller);
            }
            if !record.addresses.is_empty() && self.links.is_known(node) {
                self.links.sighted(now.monotonic, node, true);
            }
        }
    }

    /// Those to whom the same name is certified may go by another now, this node with the next certificate.
    fn touch_namesakes(&mut self, now: Now, changed: NodeId, name: &NodeName) {
        let Some(roster) = &self.roster else {
            return;
        };
        for node in roster.namesakes(name).filter(|node| *node != changed) {
            self.offers.touch_member(node);
            if node == self.me {
                self.renewal.check_at(now.monotonic);
            }
        }
    }

    /// A member is none any more: nothing of it is kept but the word that it left.
    fn departed(&mut self, now: Now, node: NodeId, region: Option<&RegionName>) {
        if self.links.is_up(node) {
            self.outputs.push_back(Output::Disconnect { node });
        }
        self.book.forget(node);
        self.links.forget(node);
        self.offers.forget(node);
        self.manifests.forget(node);
        self.reconciliation.forget(node);
        self.clear_accusations(now, node);
        self.presence.others_gone(now);
        self.unsaved.add(Write::Delete(RecordKey::Addresses(node)));
        self.left_topology(node, region);
    }

    /// Forgets those whose certificates ended long ago, and so everybody else forgets as well.
    pub(super) fn forget_long_expired(&mut self, now: Now) {
        let Some(roster) = &self.roster else {
            return;
        };
        let ended = |member: &&Arc<Member>| !is_timely(member, now.wall);
        let ended: Vec<Arc<Member>> = roster.all_known().filter(ended).cloned().collect();
        for member in ended {
            self.forget_member(now, &member);
        }
    }

    /// Nothing is known of a node any more.
    pub(super) fn forget_member(&mut self, now: Now, member: &Arc<Member>) {
        let node = member.node();
        if let Some(roster) = &mut self.roster {
            Arc::make_mut(roster).remove(node);
        }
        self.roster_changed = true;
        self.digests.toggle(member);
        self.touch_namesakes(now, node, &member.chain().body().name);
        if !member.has_left() {
            self.departed(now, node, member.region());
        }
        self.passing_on.forget(node);
        self.save_later(now, Write::Delete(RecordKey::Member(node)));
    }
}

/// Whether a certificate is of this time: not of the future, and not one that ended so long ago that it is forgotten.
fn is_timely(member: &Member, now: Timestamp) -> bool {
    let expires = member.chain().body().expires;
    now < expires + KEPT_AFTER_EXPIRY && member.chain().validity(now) != Validity::NotYet
}

/// A key that was replaced is a member's no more where its successor is known, under the name that it took along.
fn check_not_replaced(roster: &Roster, member: &Member) -> Result<(), Refusal> {
    let (node, name) = (member.node(), &member.chain().body().name);
    let replaces = |other: &NodeId| {
        let chain = roster.member(*other);
        chain.is_some_and(|chain| {
            chain.body().replaces == Some(node) && chain.issuer_rank() <= member.chain().rank()
        })
    };
    match roster.namesakes(name).find(replaces) {
        Some(holder) => Err(Refusal::NameTaken {
            name: name.clone(),
            holder,
        }),
        None => Ok(()),
    }
}
