//! Repair: whatever gossip missed is found by comparing summaries with one linked member after another.
//!
//! Each side only pulls. A node asks whoever it has just been linked to, then one of its links every
//! [`RECONCILE_EVERY`] in turn, and whoever asked it something that shows a difference. It asks one after the other, since
//! most would tell it the same, and pauses longer each time an answer brought it nothing new.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::hearing::Told;
use super::input::RequestId;
use super::output::{Output, Reply};
use crate::id::NodeId;
use crate::mutation::Mutation;
use crate::time::{Monotonic, Now};
use crate::wire::announcement::Announcement;
use crate::wire::summary::{BUCKETS_MAX, Summary};

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
/// Whoever had more to tell than fits one answer is asked for it so soon, where nobody else is linked.
const GO_ON_AFTER: Duration = Duration::from_millis(250);

/// Whom to ask, and who has not answered yet. Holds linked members only.
#[derive(Default)]
pub(super) struct Reconciliation {
    due: BTreeMap<NodeId, Monotonic>,
    asked: BTreeMap<NodeId, Asked>,
    /// When the latest question that is not answered yet counts as slow, by whom it was put to.
    slow_at: BTreeMap<NodeId, Monotonic>,
    /// Those who are to go on where others had more to tell than fits one answer, until they have.
    goes_on: BTreeSet<NodeId>,
    /// Who had more to tell last: whoever goes on may know less.
    had_more: Option<NodeId>,
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
        self.goes_on.remove(&node);
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

    /// `node` had more to tell than fits one answer: the next of those that are `linked` goes on at once, which begins
    /// elsewhere; only where there is no other, the same, after a moment in which there may be one.
    fn goes_on(&mut self, now: Monotonic, node: NodeId, linked: &BTreeSet<NodeId>) {
        let owes_none = |other: &&NodeId| self.asked.get(other).is_none_or(|asked| !asked.open);
        let after = linked.range((Bound::Excluded(node), Bound::Unbounded));
        let mut others = after.chain(linked.range(..node)).filter(owes_none);
        let (next, at) = match others.next() {
            Some(other) => (*other, now),
            None => (node, now + GO_ON_AFTER),
        };
        self.had_more = Some(node);
        self.ask_for_more(at, next);
    }

    fn ask_for_more(&mut self, at: Monotonic, node: NodeId) {
        self.asked.remove(&node);
        self.slow_at.remove(&node);
        self.due.insert(node, at);
        self.goes_on.insert(node);
    }

    /// `node` has no more to tell: whether that was all says whoever had more before.
    fn ends_with(&mut self, now: Monotonic, node: NodeId) {
        if let Some(before) = self.had_more.take().filter(|before| *before != node) {
            self.ask_for_more(now, before);
        }
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.due.remove(&node);
        self.asked.remove(&node);
        self.slow_at.remove(&node);
        self.goes_on.remove(&node);
        self.had_more = self.had_more.filter(|other| *other != node);
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
            let bounds = (Bound::Excluded(turn), Bound::Unbounded);
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
            // Whoever is told in parts says what it knows as exactly as it can: nothing is told it twice.
            let summary = match self.reconciliation.goes_on.is_empty() {
                true => self.digests.summary(roster.known_len() + 1),
                false => self.digests.folded(BUCKETS_MAX),
            };
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

    pub(super) fn reconciled(&mut self, now: Now, from: NodeId, announcement: &Announcement) {
        let under_way = !self.reconciliation.goes_on.is_empty();
        self.reconciliation.goes_on.remove(&from);
        let how = match under_way || announcement.more {
            true => Told::InParts,
            false => Told::InAnswer,
        };
        let news = self.take_announced(now, from, announcement, how);
        if self.is_member(from) {
            self.set_caught_up(true);
        }
        let fruitful = news > 0 || announcement.members.is_empty();
        self.reconciliation.was_fruitful(from, fruitful);
        self.reconciliation.ended(now.monotonic, from, false);
        if announcement.more && news > 0 && self.links.is_up(from) {
            let linked: BTreeSet<NodeId> = self.links.standing().collect();
            self.reconciliation.goes_on(now.monotonic, from, &linked);
        } else if how == Told::InParts {
            self.reconciliation.ends_with(now.monotonic, from);
        }
    }
}
