//! What a node waits for before it accuses: that a link which ended comes back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::id::NodeId;
use crate::time::Monotonic;

/// How long a link may be gone before its watcher accuses: enough to make it again where only the link broke.
pub(crate) const ACCUSE_AFTER: Duration = Duration::from_millis(600);
/// How long a node that doubts itself accuses nobody.
const DOUBT_FOR: Duration = Duration::from_secs(4);
/// How soon a member that others watch is looked at again once any of them may be gone.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Those next to the watchers, who have waited for so long, accuse as well: a watcher may have just started, and never
/// had the link that ended.
const STAND_IN_AFTER: Duration = Duration::from_secs(3);
/// How long a member is looked at again that others watch.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
/// Links that end within this time are looked at together.
const TOGETHER: Duration = Duration::from_secs(5);
/// Ends that are remembered.
const ENDS_MAX: usize = 256;
/// Fewer ends than this are no partition.
const PARTITION_LEAST: usize = 4;

/// Members whose links ended, and this node's trust in itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    waiting: BTreeMap<NodeId, Lost>,
    /// When links ended of late.
    ends: VecDeque<Monotonic>,
    doubt_until: Option<Monotonic>,
}

/// A member whose link ended.
#[derive(Clone, Copy, Debug)]
struct Lost {
    since: Monotonic,
    look_at: Monotonic,
    /// The one it had.
    incarnation: u64,
}

impl Watch {
    /// The link to a member ended.
    pub(crate) fn lost(&mut self, now: Monotonic, node: NodeId, incarnation: u64) {
        self.missed(now, node, incarnation);
        if self.ends.len() >= ENDS_MAX {
            self.ends.pop_front();
        }
        self.ends.push_back(now);
    }

    /// There is no link to a member.
    pub(crate) fn missed(&mut self, now: Monotonic, node: NodeId, incarnation: u64) {
        let lost = Lost {
            since: now,
            look_at: now + ACCUSE_AFTER,
            incarnation,
        };
        self.waiting.entry(node).or_insert(lost);
    }

    /// A member was heard of, or nothing is expected of it any more.
    pub(crate) fn heard(&mut self, node: NodeId) {
        self.waiting.remove(&node);
    }

    /// Others watch `node` so far: it is looked at again when this node may stand in for them, and when
    /// [others are gone](Self::others_gone), but not for ever.
    pub(crate) fn look_again(&mut self, now: Monotonic, node: NodeId) {
        let Some(lost) = self.waiting.get_mut(&node) else {
            return;
        };
        let [stand_in, give_up] = [STAND_IN_AFTER, GIVE_UP_AFTER].map(|after| lost.since + after);
        lost.look_at = if now < stand_in { stand_in } else { give_up };
        if now >= give_up {
            self.waiting.remove(&node);
        }
    }

    /// Members left or do not answer, who may have been the watchers of others: it may be this node's turn.
    pub(crate) fn others_gone(&mut self, now: Monotonic) {
        for lost in self.waiting.values_mut() {
            lost.look_at = lost.look_at.min(now + LOOK_AGAIN_AFTER);
        }
    }

    /// This node was stalled: that links ended is its own doing.
    pub(crate) fn own_stall(&mut self, now: Monotonic) {
        self.doubt_until = Some(now + DOUBT_FOR);
    }

    /// When to look again.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        self.waiting.values().map(|lost| lost.look_at).min()
    }

    /// Whom to accuse now if this node watches them, with the incarnation each had, and whether it may stand in for
    /// watchers that do not speak; `links` being how many stand.
    ///
    /// Nobody while this node doubts itself: it was stalled, or most of its links ended at once, which is its own end
    /// of a partition rather than the death of many. They are looked at again later.
    pub(crate) fn due(
        &mut self,
        now: Monotonic,
        links: impl FnOnce() -> usize,
    ) -> Vec<(NodeId, u64, bool)> {
        if self.next_deadline().is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        self.ends
            .retain(|end| now.since(*end) < TOGETHER + ACCUSE_AFTER);
        let partition = self.ends.len() >= PARTITION_LEAST && self.ends.len() > links();
        if partition {
            self.doubt_until = Some(now + DOUBT_FOR);
        }
        if let Some(until) = self.doubt_until.filter(|until| now < *until) {
            for lost in self.waiting.values_mut() {
                lost.look_at = lost.look_at.max(until);
            }
            return Vec::new();
        }
        let due = self.waiting.iter().filter(|(_, lost)| lost.look_at <= now);
        let stands_in = |lost: &Lost| now.since(lost.since) >= STAND_IN_AFTER;
        due.map(|(node, lost)| (*node, lost.incarnation, stands_in(lost)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(byte: u8) -> NodeId {
        NodeId::from_public_key([byte; 32])
    }

    const START: Monotonic = Monotonic(10_000);

    #[test]
    fn whoever_does_not_come_back_is_due_and_whoever_does_is_not() {
        let mut watch = Watch::default();
        watch.lost(START, node(1), 7);
        watch.lost(START, node(2), 8);
        watch.heard(node(2));
        assert_eq!(watch.due(START, || 10), []);
        let later = START + ACCUSE_AFTER;
        assert_eq!(watch.due(later, || 10), [(node(1), 7, false)]);
        watch.heard(node(1));
        assert_eq!(watch.due(later, || 10), []);
    }

    #[test]
    fn whom_others_watch_is_looked_at_again_and_given_up_in_the_end() {
        let mut watch = Watch::default();
        watch.lost(START, node(1), 7);
        let mut now = START + ACCUSE_AFTER;
        let mut looks = 0;
        while let [(silent, 7, stands_in)] = *watch.due(now, || 10) {
            assert_eq!(stands_in, now.since(START) >= STAND_IN_AFTER);
            watch.look_again(now, silent);
            assert_eq!(watch.due(now, || 10), []);
            now = watch.next_deadline().unwrap_or(now);
            looks += 1;
        }
        assert_eq!((looks, now), (3, START + GIVE_UP_AFTER));
    }

    #[test]
    fn whom_others_watch_is_looked_at_soon_once_others_are_gone() {
        let mut watch = Watch::default();
        watch.lost(START, node(1), 7);
        let late = START + STAND_IN_AFTER;
        watch.look_again(late, node(1));
        assert_eq!(watch.next_deadline(), Some(START + GIVE_UP_AFTER));
        watch.others_gone(late);
        assert_eq!(watch.next_deadline(), Some(late + LOOK_AGAIN_AFTER));
        watch.lost(late, node(2), 7);
        watch.others_gone(late);
        assert_eq!(watch.next_deadline(), Some(late + ACCUSE_AFTER));
    }

    #[test]
    fn a_node_that_was_stalled_doubts_itself_before_others() {
        let mut watch = Watch::default();
        watch.lost(START, node(1), 7);
        let late = START + ACCUSE_AFTER * 2;
        watch.own_stall(late);
        assert_eq!(watch.due(late, || 10), []);
        let again = watch.next_deadline().unwrap_or(START);
        assert!(again >= late + DOUBT_FOR);
        assert_eq!(watch.due(again, || 10), [(node(1), 7, true)]);
    }

    #[test]
    fn when_most_links_end_at_once_nobody_is_accused_for_a_while() {
        let mut watch = Watch::default();
        (1..=6).for_each(|byte| watch.lost(START, node(byte), 7));
        let due = START + ACCUSE_AFTER;
        assert_eq!(watch.due(due, || 3), []);
        let mut few = Watch::default();
        few.lost(START, node(1), 7);
        assert_eq!(few.due(due, || 0), [(node(1), 7, false)]);
    }
}
