//! What a watcher waits for before it accuses: that a link which ended comes back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::id::NodeId;
use crate::time::Monotonic;

/// How long a link may be gone before its watcher accuses: enough to make it again where only the link broke.
pub(crate) const ACCUSE_AFTER: Duration = Duration::from_millis(600);
/// How long a node that doubts itself accuses nobody.
const DOUBT_FOR: Duration = Duration::from_secs(4);
/// Links that end within this time are looked at together.
const TOGETHER: Duration = Duration::from_secs(5);
/// Ends that are remembered.
const ENDS_MAX: usize = 256;
/// Fewer ends than this are no partition.
const PARTITION_LEAST: usize = 4;

/// Members whose links ended, and this node's trust in itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// When to accuse whom, and the incarnation it had.
    waiting: BTreeMap<NodeId, (Monotonic, u64)>,
    /// When links ended of late.
    ends: VecDeque<Monotonic>,
    doubt_until: Option<Monotonic>,
}

impl Watch {
    /// The link to a member that this node watches ended.
    pub(crate) fn lost(&mut self, now: Monotonic, node: NodeId, incarnation: u64) {
        let at = now + ACCUSE_AFTER;
        self.waiting.entry(node).or_insert((at, incarnation));
    }

    /// Some link ended, watched or not.
    pub(crate) fn link_ended(&mut self, now: Monotonic) {
        if self.ends.len() >= ENDS_MAX {
            self.ends.pop_front();
        }
        self.ends.push_back(now);
    }

    /// A member was heard of.
    pub(crate) fn heard(&mut self, node: NodeId) {
        self.waiting.remove(&node);
    }

    /// This node was stalled: that links ended is its own doing.
    pub(crate) fn own_stall(&mut self, now: Monotonic) {
        self.doubt_until = Some(now + DOUBT_FOR);
    }

    /// When to look again.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        self.waiting.values().map(|(at, _)| *at).min()
    }

    /// Whom to accuse now, with the incarnation each had, `links` being how many stand.
    ///
    /// Nobody while this node doubts itself: it was stalled, or most of its links ended at once, which is its own end
    /// of a partition rather than the death of many. They are looked at again later.
    pub(crate) fn due(&mut self, now: Monotonic, links: usize) -> Vec<(NodeId, u64)> {
        if self.next_deadline().is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        self.ends
            .retain(|end| now.since(*end) < TOGETHER + ACCUSE_AFTER);
        let partition = self.ends.len() >= PARTITION_LEAST && self.ends.len() > links;
        if partition {
            self.doubt_until = Some(now + DOUBT_FOR);
        }
        if let Some(until) = self.doubt_until.filter(|until| now < *until) {
            for (at, _) in self.waiting.values_mut() {
                *at = (*at).max(until);
            }
            return Vec::new();
        }
        let due = self.waiting.iter().filter(|(_, (at, _))| *at <= now);
        let due: Vec<_> = due
            .map(|(node, (_, incarnation))| (*node, *incarnation))
            .collect();
        due.iter().for_each(|(node, _)| self.heard(*node));
        due
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
    fn whoever_does_not_come_back_is_accused_once_and_whoever_does_is_not() {
        let mut watch = Watch::default();
        watch.lost(START, node(1), 7);
        watch.lost(START, node(2), 8);
        watch.heard(node(2));
        assert_eq!(watch.due(START, 10), []);
        let later = START + ACCUSE_AFTER;
        assert_eq!(watch.due(later, 10), [(node(1), 7)]);
        assert_eq!(watch.due(later, 10), []);
    }

    #[test]
    fn a_node_that_was_stalled_doubts_itself_before_others() {
        let mut watch = Watch::default();
        watch.lost(START, node(1), 7);
        let late = START + ACCUSE_AFTER * 2;
        watch.own_stall(late);
        assert_eq!(watch.due(late, 10), []);
        let again = watch.next_deadline().unwrap_or(START);
        assert!(again >= late + DOUBT_FOR);
        assert_eq!(watch.due(again, 10), [(node(1), 7)]);
    }

    #[test]
    fn when_most_links_end_at_once_nobody_is_accused_for_a_while() {
        let mut watch = Watch::default();
        for byte in 1..=6 {
            watch.link_ended(START);
            watch.lost(START, node(byte), 7);
        }
        let due = START + ACCUSE_AFTER;
        assert_eq!(watch.due(due, 3), []);
        let mut few = Watch::default();
        few.link_ended(START);
        few.lost(START, node(1), 7);
        assert_eq!(few.due(due, 0), [(node(1), 7)]);
    }
}
