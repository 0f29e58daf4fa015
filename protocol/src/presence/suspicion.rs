//! How long a member that enough watchers accuse is only suspected: a moment in a calm mesh, longer in one that stalls.
//!
//! Whoever crashed and whoever stalls look the same until the stall is over. So one that is suspected alone is soon
//! taken for away; where many are suspected at once, or one has come back lately, it is given the time to answer.
//!
//! It is also given a second look: whoever wakes from a stall finds its deadlines passed before it has read what came
//! meanwhile, the answers of those it suspects among it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::id::NodeId;
use crate::time::Monotonic;

/// How long a member is only suspected while the mesh is calm, before the second look.
const CALM: Duration = Duration::from_millis(900);
/// The same while it is not: a stall of five seconds is over by then, and the news of it has been told.
const UNSETTLED: Duration = Duration::from_millis(4_500);
/// After that time, whatever has come by then is read before the second look.
const SECOND_LOOK_AFTER: Duration = Duration::from_millis(100);
/// A second look that comes so much later than it was meant to was kept up by another stall, and is taken again.
const SECOND_LOOK_LATE: Duration = Duration::from_millis(300);
/// A member that answers so soon after it was suspected had stalled.
const STALLED_FOR_AT_MOST: Duration = Duration::from_secs(8);
/// How long a mesh in which a member, oneself included, had stalled is not calm.
const UNSETTLED_FOR: Duration = Duration::from_secs(60);
/// So many may be accused at once, by whomever, in a calm mesh, or one in [`CALM_SHARE`] members where that is more.
const CALM_LEAST: usize = 1;
const CALM_SHARE: usize = 100;

/// Members that enough watchers accuse.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspicion {
    pending: BTreeMap<NodeId, Pending>,
    confirmed: BTreeSet<NodeId>,
    /// Accused members of whom this node heard when that was no news any more, as after a start: since when they are
    /// silent it does not know.
    told_late: BTreeSet<NodeId>,
    unsettled_until: Option<Monotonic>,
    /// None of those that are suspected is to be looked at before then: found anew at each look, and not at each step
    /// of a mesh in which half of all are suspected.
    look_at: Option<Monotonic>,
}

/// A member that is suspected and not confirmed.
#[derive(Clone, Copy, Debug)]
struct Pending {
    since: Monotonic,
    second_look: Option<Monotonic>,
}

impl Pending {
    fn new(since: Monotonic) -> Self {
        Self {
            since,
            second_look: None,
        }
    }

    /// When to look at it, in a mesh that is not calm before `unsettled_until`.
    fn deadline(&self, unsettled_until: Option<Monotonic>) -> Monotonic {
        let calm = self.since + CALM;
        let settled = unsettled_until.map_or(calm, |until| until.max(calm));
        let first_look = settled.min(self.since + UNSETTLED);
        self.second_look.unwrap_or(first_look)
    }

    /// Looks at it at `now`; says whether it has had all its time.
    fn look(&mut self, now: Monotonic, unsettled_until: Option<Monotonic>) -> bool {
        let due = self.deadline(unsettled_until);
        if now < due {
            return false;
        }
        let punctual = self.second_look.is_some() && now.since(due) < SECOND_LOOK_LATE;
        self.second_look = Some(now + SECOND_LOOK_AFTER);
        punctual
    }
}

impl Suspicion {
    /// Whether `node` is suspected, or was for long enough.
    pub(crate) fn holds(&self, node: NodeId) -> bool {
        self.pending.contains_key(&node) || self.confirmed.contains(&node)
    }

    /// `node`, of whom nothing was said here before, is accused by an answer and not by news.
    pub(crate) fn told_late(&mut self, node: NodeId) {
        self.told_late.insert(node);
    }

    /// Enough watchers accuse `node`.
    pub(crate) fn suspect(&mut self, now: Monotonic, node: NodeId) {
        if !self.confirmed.contains(&node) {
            let pending = self.pending.entry(node);
            let deadline = pending
                .or_insert(Pending::new(now))
                .deadline(self.unsettled_until);
            self.look_by(deadline);
        }
    }

    /// Nothing is held against `node` any more, which has said itself that it stops.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.pending.remove(&node);
        self.confirmed.remove(&node);
        self.told_late.remove(&node);
    }

    /// Nothing is held against `node` any more, of whom others had said that it is silent: if not for long, as far as
    /// this node can tell, it had stalled.
    pub(crate) fn clear(&mut self, now: Monotonic, node: NodeId) {
        let pending = self.pending.remove(&node);
        let long = pending.is_some_and(|pending| now.since(pending.since) >= STALLED_FOR_AT_MOST);
        let told_late = self.told_late.remove(&node);
        if !self.confirmed.remove(&node) && !long && !told_late {
            self.unsettled_until = Some(now + UNSETTLED_FOR);
        }
    }

    /// This node was stalled: others may have answered meanwhile, and it has not read it.
    pub(crate) fn own_stall(&mut self, now: Monotonic) {
        self.unsettled_until = Some(now + UNSETTLED_FOR);
        for pending in self.pending.values_mut() {
            *pending = Pending::new(now);
        }
        // Later than before, all of them.
        let deadlines = self
            .pending
            .values()
            .map(|pending| pending.deadline(self.unsettled_until));
        self.look_at = deadlines.min();
    }

    /// Whether `node` has been suspected for long enough.
    pub(crate) fn is_confirmed(&mut self, now: Monotonic, node: NodeId) -> bool {
        let unsettled_until = self.unsettled_until;
        if let Some(pending) = self.pending.get_mut(&node) {
            if pending.look(now, unsettled_until) {
                self.pending.remove(&node);
                self.confirmed.insert(node);
            } else {
                let deadline = pending.deadline(unsettled_until);
                self.look_by(deadline);
            }
        }
        self.confirmed.contains(&node)
    }

    /// Those that are suspected, not confirmed, and to be looked at now.
    pub(crate) fn due(&mut self, now: Monotonic) -> Vec<NodeId> {
        if self.look_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let deadline = |pending: &Pending| pending.deadline(self.unsettled_until);
        let due = self.pending.iter();
        let due = due.filter(|(_, pending)| deadline(pending) <= now);
        let due = due.map(|(node, _)| *node).collect();
        let later = self.pending.values().map(deadline);
        self.look_at = later.filter(|at| *at > now).min();
        due
    }

    /// When to look at them again: not later than when the next may be confirmed.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        self.look_at.filter(|_| !self.pending.is_empty())
    }

    fn look_by(&mut self, deadline: Monotonic) {
        let earlier = self.look_at.filter(|at| *at < deadline);
        self.look_at = Some(earlier.unwrap_or(deadline));
    }

    /// Looks whether the mesh is calm: `accused` of its `members` are accused and not taken for away.
    pub(crate) fn look_around(&mut self, now: Monotonic, accused: usize, members: usize) {
        if accused > CALM_LEAST.max(members / CALM_SHARE) {
            let until = now + UNSETTLED + CALM;
            self.unsettled_until = self.unsettled_until.max(Some(until));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Monotonic = Monotonic(100_000);

    fn node(byte: u8) -> NodeId {
        NodeId::from_public_key([byte; 32])
    }

    /// Looks at `node` when its time is over, and again.
    fn confirmed_by(suspicion: &mut Suspicion, deadline: Monotonic, node: NodeId) -> bool {
        assert!(!suspicion.is_confirmed(deadline, node));
        suspicion.is_confirmed(deadline + SECOND_LOOK_AFTER, node)
    }

    #[test]
    fn one_alone_is_soon_confirmed_and_many_at_once_are_given_time() {
        let mut calm = Suspicion::default();
        calm.suspect(START, node(1));
        calm.look_around(START, 1, 50);
        assert!(!calm.is_confirmed(START, node(1)));
        assert!(confirmed_by(&mut calm, START + CALM, node(1)));
        let mut stalled = Suspicion::default();
        (1..20).for_each(|byte| stalled.suspect(START, node(byte)));
        stalled.look_around(START, 19, 50);
        assert!(!stalled.is_confirmed(START + CALM, node(1)));
        assert!(confirmed_by(&mut stalled, START + UNSETTLED, node(1)));
        assert_eq!(stalled.pending.len(), 18);
    }

    #[test]
    fn where_one_has_come_back_lately_the_next_is_given_time() {
        let mut suspicion = Suspicion::default();
        suspicion.suspect(START, node(1));
        suspicion.clear(START + CALM, node(1));
        let later = START + Duration::from_secs(10);
        suspicion.suspect(later, node(2));
        suspicion.look_around(later, 1, 50);
        assert!(!suspicion.is_confirmed(later + CALM, node(2)));
        assert!(confirmed_by(&mut suspicion, later + UNSETTLED, node(2)));
        let much_later = START + UNSETTLED_FOR * 2;
        suspicion.look_around(much_later, 0, 50);
        suspicion.suspect(much_later, node(3));
        assert!(confirmed_by(&mut suspicion, much_later + CALM, node(3)));
    }

    #[test]
    fn whoever_wakes_from_a_stall_reads_what_came_meanwhile_before_it_confirms() {
        let mut suspicion = Suspicion::default();
        suspicion.suspect(START, node(1));
        let woken = START + Duration::from_secs(30);
        assert_eq!(suspicion.due(START), []);
        assert_eq!(suspicion.due(woken), [node(1)]);
        assert!(!suspicion.is_confirmed(woken, node(1)));
        let again = woken + SECOND_LOOK_AFTER;
        assert_eq!(suspicion.next_deadline(), Some(again));
        let woken_again = again + SECOND_LOOK_LATE;
        assert!(!suspicion.is_confirmed(woken_again, node(1)));
        let punctual = woken_again + SECOND_LOOK_AFTER;
        assert!(suspicion.is_confirmed(punctual, node(1)));
        assert_eq!(suspicion.next_deadline(), None);
    }

    #[test]
    fn after_a_stall_of_its_own_a_node_gives_everybody_the_time_to_answer() {
        let mut suspicion = Suspicion::default();
        suspicion.suspect(START, node(1));
        let woken = START + Duration::from_secs(30);
        suspicion.own_stall(woken);
        suspicion.suspect(woken, node(2));
        for silent in [node(1), node(2)] {
            assert!(!suspicion.is_confirmed(woken + CALM + SECOND_LOOK_AFTER, silent));
            assert!(confirmed_by(&mut suspicion, woken + UNSETTLED, silent));
        }
    }

    #[test]
    fn of_whom_a_node_heard_late_it_cannot_tell_that_it_stalled() {
        let mut suspicion = Suspicion::default();
        suspicion.told_late(node(1));
        suspicion.suspect(START, node(1));
        suspicion.clear(START, node(1));
        assert_eq!(suspicion.unsettled_until, None);
        suspicion.suspect(START, node(1));
        suspicion.clear(START, node(1));
        assert_eq!(suspicion.unsettled_until, Some(START + UNSETTLED_FOR));
    }
}
