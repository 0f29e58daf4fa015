//! How long a member that enough watchers accuse is only suspected: a moment in a calm mesh, longer in one that stalls.
//!
//! Whoever crashed and whoever stalls look the same until the stall is over. So one that is suspected alone is soon
//! taken for away; where many are suspected at once, or one has come back lately, it is given the time to answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::id::NodeId;
use crate::time::Monotonic;

/// How long a member is only suspected while the mesh is calm.
const CALM: Duration = Duration::from_millis(1_000);
/// The same while it is not: a stall of five seconds is over by then, and the news of it has been told.
const UNSETTLED: Duration = Duration::from_millis(4_500);
/// A member that answers so soon after it was suspected had stalled.
const STALLED_FOR_AT_MOST: Duration = Duration::from_secs(8);
/// How long a mesh in which a member had stalled is not calm.
const UNSETTLED_FOR: Duration = Duration::from_secs(60);
/// So many may be accused at once, by whomever, in a calm mesh, or one in [`CALM_SHARE`] members where that is more.
const CALM_LEAST: usize = 1;
const CALM_SHARE: usize = 100;

/// Members that enough watchers accuse, and since when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspicion {
    pending: BTreeMap<NodeId, Monotonic>,
    confirmed: BTreeSet<NodeId>,
    unsettled_until: Option<Monotonic>,
}

impl Suspicion {
    /// Enough watchers accuse `node`.
    pub(crate) fn suspect(&mut self, now: Monotonic, node: NodeId) {
        if !self.confirmed.contains(&node) {
            self.pending.entry(node).or_insert(now);
        }
    }

    /// Nothing is held against `node` any more.
    pub(crate) fn clear(&mut self, now: Monotonic, node: NodeId) {
        self.confirmed.remove(&node);
        let since = self.pending.remove(&node);
        if since.is_some_and(|since| now.since(since) < STALLED_FOR_AT_MOST) {
            self.unsettled_until = Some(now + UNSETTLED_FOR);
        }
    }

    /// Whether `node` has been suspected for long enough.
    pub(crate) fn is_confirmed(&mut self, now: Monotonic, node: NodeId) -> bool {
        let patience = self.patience();
        let since = self.pending.get(&node);
        if since.is_some_and(|since| *since + patience <= now) {
            self.pending.remove(&node);
            self.confirmed.insert(node);
        }
        self.confirmed.contains(&node)
    }

    /// Those that are suspected and not confirmed.
    pub(crate) fn open(&self) -> Vec<NodeId> {
        self.pending.keys().copied().collect()
    }

    /// When the next of them may be confirmed.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        let patience = self.patience();
        self.pending.values().map(|since| *since + patience).min()
    }

    /// Looks whether the mesh is calm: `accused` of its `members` are accused and not taken for away.
    pub(crate) fn look_around(&mut self, now: Monotonic, accused: usize, members: usize) {
        if self.unsettled_until.is_some_and(|until| until <= now) {
            self.unsettled_until = None;
        }
        if accused > CALM_LEAST.max(members / CALM_SHARE) {
            let until = now + UNSETTLED + CALM;
            self.unsettled_until = self.unsettled_until.max(Some(until));
        }
    }

    fn patience(&self) -> Duration {
        match self.unsettled_until {
            Some(_) => UNSETTLED,
            None => CALM,
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

    #[test]
    fn one_alone_is_soon_confirmed_and_many_at_once_are_given_time() {
        let mut calm = Suspicion::default();
        calm.suspect(START, node(1));
        calm.look_around(START, 1, 50);
        assert!(!calm.is_confirmed(START, node(1)));
        assert!(calm.is_confirmed(START + CALM, node(1)));
        let mut stalled = Suspicion::default();
        (1..20).for_each(|byte| stalled.suspect(START, node(byte)));
        stalled.look_around(START, 19, 50);
        assert!(!stalled.is_confirmed(START + CALM, node(1)));
        assert!(stalled.is_confirmed(START + UNSETTLED, node(1)));
        assert_eq!(stalled.open().len(), 18);
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
        assert!(suspicion.is_confirmed(later + UNSETTLED, node(2)));
        let much_later = START + UNSETTLED_FOR * 2;
        suspicion.look_around(much_later, 0, 50);
        suspicion.suspect(much_later, node(3));
        assert!(suspicion.is_confirmed(much_later + CALM, node(3)));
    }
}
