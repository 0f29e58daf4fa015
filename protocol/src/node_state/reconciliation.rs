//! Repair: whatever gossip missed is found by comparing summaries with one linked member after another.
//!
//! Each side only pulls. A node asks whoever it has just been linked to, then one of its links every
//! [`RECONCILE_EVERY`] in turn, and whoever asked it something that shows a difference. It asks one after the other, since
//! most would tell it the same, and pauses longer each time an answer brought it nothing new.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::input::RequestId;
use super::output::{Output, Reply};
use super::presence::accusations_bytes;
use crate::id::NodeId;
use crate::membership::admission::Refusal;
use crate::mutation::Mutation;
use crate::time::{Monotonic, Now};
use crate::wire::announcement::{ANNOUNCEMENT_BYTES_MAX, Announcement};
use crate::wire::summary::Summary;

/// Time between two questions that a node asks without a cause.
pub const RECONCILE_EVERY: Duration = Duration::from_secs(5);
/// Pause before a linked member is asked once more.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Longest pause before a linked member is asked once more, after answers that brought nothing new.
const ASK_AGAIN_AFTER_MAX: Duration = Duration::from_secs(30);
/// The next is asked though this one has not answered.
const SLOW_AFTER: Duration = Duration::from_secs(2);
/// A question that was neither answered nor refused by then is forgotten.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// Whom to ask, and who has not answered yet. Holds linked members only.
#[derive(Default)]
pub(super) struct Reconciliation {
    due: BTreeMap<NodeId, Monotonic>,
    asked: BTreeMap<NodeId, Asked>,
    /// When the latest question that is not answered yet counts as slow, by whom it was put to.
    slow_at: BTreeMap<NodeId, Monotonic>,
    /// Those who had more to tell than fits one answer, until they have told the rest.
    goes_on: BTreeSet<NodeId>,
    /// Whose turn was last.
    turn: Option<NodeId>,
    next_turn: Option<Monotonic>,
}

/// The latest question to one node.
#[derive(Clone, Copy)]
struct Asked {
    at: Monotonic,
    open: bool,
    /// Answers in a row that differed and brought nothing new.
    fruitless: u32,
}

impl Asked {
    /// From when on the next question may be asked.
    fn next(self) -> Monotonic {
        let pause = if self.open {
            LOST_AFTER
        } else {
            (ASK_AGAIN_AFTER * (1 << self.fruitless.min(5))).min(ASK_AGAIN_AFTER_MAX)
        };
        self.at + pause
    }
}

impl Reconciliation {
    /// Asks `node` as soon as it was not asked within [`ASK_AGAIN_AFTER`] and owes no answer.
    pub(super) fn ask(&mut self, now: Monotonic, node: NodeId) {
        let asked = self.asked.get(&node);
        let at = asked.map_or(now, |asked| now.max(asked.next()));
        self.due.entry(node).or_insert(at);
    }

    /// `node` answered, or will not. With `again` it is asked once more.
    pub(super) fn ended(&mut self, now: Monotonic, node: NodeId, again: bool) {
        if let Some(asked) = self.asked.get_mut(&node) {
            asked.open = false;
        }
        self.slow_at.remove(&node);
        if self.due.remove(&node).is_some() || again {
            self.ask(now, node);
        }
    }

    /// The answer of `node` brought something new, or nothing although it differed.
    fn was_fruitful(&mut self, node: NodeId, fruitful: bool) {
        if let Some(asked) = self.asked.get_mut(&node) {
            asked.fruitless = match fruitful {
                true => 0,
                false => asked.fruitless.saturating_add(1),
            };
        }
    }

    /// When the answer that is waited for counts as slow; `None` where none is waited for.
    fn waits_until(&self, now: Monotonic) -> Option<Monotonic> {
        self.slow_at
            .values()
            .copied()
            .filter(|slow| *slow > now)
            .max()
    }

    /// `node` had more to tell than fits one answer: it goes on at once.
    fn goes_on(&mut self, now: Monotonic, node: NodeId) {
        self.asked.remove(&node);
        self.slow_at.remove(&node);
        self.due.insert(node, now);
        self.goes_on.insert(node);
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.due.remove(&node);
        self.asked.remove(&node);
        self.slow_at.remove(&node);
        self.goes_on.remove(&node);
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        let due = self.due.values().copied().min();
        // While an answer is waited for, nobody else is asked.
        let slow = self.slow_at.values().copied().max();
        let due = due.map(|due| slow.map_or(due, |slow| due.max(slow)));
        due.into_iter().chain(self.next_turn).min()
    }

    /// Whoever has been due longest.
    fn take_due(&mut self, now: Monotonic) -> Option<NodeId> {
        let due = self.due.iter().filter(|(_, at)| **at <= now);
        let node = due.min_by_key(|(_, at)| **at).map(|(node, _)| *node)?;
        self.due.remove(&node);
        Some(node)
    }

    fn asks(&mut self, at: Monotonic, node: NodeId) {
        let asked = self.asked.entry(node).or_insert(Asked {
            at,
            open: true,
            fruitless: 0,
        });
        (asked.at, asked.open) = (at, true);
        self.slow_at.insert(node, at + SLOW_AFTER);
    }

    /// Who is next after the one whose turn was last.
    fn take_turn(&mut self, linked: &BTreeSet<NodeId>) -> Option<NodeId> {
        let after = self.turn.map(|turn| {
            let bounds = (std::ops::Bound::Excluded(turn), std::ops::Bound::Unbounded);
            linked.range(bounds).next().copied()
        });
        self.turn = after.flatten().or_else(|| linked.first().copied());
        self.turn
    }
}

impl NodeState {
    pub(super) fn reconcile_when_due(&mut self, now: Now) {
        let at = now.monotonic;
        if self.reconciliation.next_turn.is_none_or(|next| next <= at) {
            let linked: BTreeSet<NodeId> = self.links.standing().collect();
            self.reconciliation.next_turn = (!linked.is_empty()).then(|| at + RECONCILE_EVERY);
            if let Some(node) = self.reconciliation.take_turn(&linked) {
                self.reconciliation.ask(at, node);
            }
        }
        if self.reconciliation.waits_until(at).is_some() {
            return;
        }
        let Some(roster) = &self.roster else {
            return;
        };
        while let Some(to) = self.reconciliation.take_due(at) {
            if !self.links.is_up(to) || Mutation::NeverReconcile.is_on() {
                continue;
            }
            self.reconciliation.asks(at, to);
            let summary = self.digests.summary(roster.known_len() + 1);
            let summary = match Mutation::KeepRevocationsSecret.is_on() {
                true => summary,
                false => summary.with_revocations(roster.revocations().digests()),
            };
            let summary = Arc::new(summary);
            self.outputs.push_back(Output::Reconcile { to, summary });
            return;
        }
    }

    pub(super) fn reconcile_asked(
        &mut self,
        now: Now,
        request: RequestId,
        from: NodeId,
        theirs: &Summary,
    ) {
        let answer = self.differences(now, from, theirs);
        self.reply(request, Reply::Reconciled(answer));
    }

    /// What this node knows wherever `theirs` differs.
    fn differences(
        &mut self,
        now: Now,
        from: NodeId,
        theirs: &Summary,
    ) -> Result<Arc<Announcement>, Refusal> {
        let roster = self.roster.as_ref().ok_or(Refusal::NoMesh)?;
        roster.member(from).ok_or(Refusal::OtherMesh)?;
        let ours = self.digests.folded(theirs.len());
        let ours = match Mutation::KeepRevocationsSecret.is_on() {
            true => ours,
            false => ours.with_revocations(roster.revocations().digests()),
        };
        if ours == *theirs {
            return Ok(Arc::default());
        }
        let own = self.own.member();
        let own = own.map(|own| (self.me.leading_u64(), own));
        // Its own word first: it is what somebody new here can do most with.
        let told = own.into_iter().chain(roster.all_known_by_beginning());
        let told = told.filter(|(beginning, _)| ours.differs_at_beginning(theirs, *beginning));
        let told = told.map(|(_, member)| member.clone());
        let told = told.filter(|member| member.record().is_some());
        let revoked = roster.revocations().unknown_to(theirs.revocations());
        let revoked = revoked.filter(|_| !Mutation::KeepRevocationsSecret.is_on());
        let accusations = self.accusations_for(&ours, theirs);
        let room = ANNOUNCEMENT_BYTES_MAX - accusations_bytes(accusations.len());
        let mut answer = Announcement::telling(revoked, told, room);
        answer.accusations = accusations;
        self.reconciliation.ask(now.monotonic, from);
        Ok(Arc::new(answer))
    }

    pub(super) fn reconciled(&mut self, now: Now, from: NodeId, announcement: &Announcement) {
        let rest = self.reconciliation.goes_on.remove(&from);
        let in_parts = rest || announcement.more;
        let news = self.take_announced(now, from, announcement, in_parts);
        if self.is_member(from) {
            self.set_caught_up(true);
        }
        let fruitful = news > 0 || announcement.members.is_empty();
        self.reconciliation.was_fruitful(from, fruitful);
        self.reconciliation.ended(now.monotonic, from, false);
        if announcement.more && news > 0 && self.links.is_up(from) {
            self.reconciliation.goes_on(now.monotonic, from);
        }
    }
}
