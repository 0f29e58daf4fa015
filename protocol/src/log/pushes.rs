//! Direct entries on their way to members that hold them: few at a time to each, and what comes meanwhile goes together.
//!
//! What finds no room here is not lost: whoever lacks it finds that when frontiers are compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::Entry;
use crate::id::NodeId;
use crate::wire::log::ENTRIES_TOLD_BYTES;

/// Times that a member is handed something without having answered: a second one keeps the link busy meanwhile.
pub(crate) const UNDER_WAY_MAX: usize = 2;

/// What goes to one member.
#[derive(Debug, Default)]
struct Queue {
    under_way: usize,
    waiting: Vec<Arc<Entry>>,
    bytes: usize,
}

/// What goes to whom.
#[derive(Debug, Default)]
pub(crate) struct Pushes(BTreeMap<NodeId, Queue>);

impl Pushes {
    /// An entry is to be handed to a linked member; says whether there is room for it.
    pub(crate) fn add(&mut self, to: NodeId, entry: Arc<Entry>) -> bool {
        let queue = self.0.entry(to).or_default();
        if queue.bytes >= ENTRIES_TOLD_BYTES {
            return false;
        }
        queue.bytes += entry.sealed().len();
        queue.waiting.push(entry);
        true
    }

    /// What goes out now.
    pub(crate) fn take_due(&mut self) -> Vec<(NodeId, Vec<Arc<Entry>>)> {
        let is_due = |queue: &Queue| !queue.waiting.is_empty() && queue.under_way < UNDER_WAY_MAX;
        let due = self.0.iter_mut().filter(|(_, queue)| is_due(queue));
        due.map(|(to, queue)| {
            queue.under_way += 1;
            queue.bytes = 0;
            (*to, std::mem::take(&mut queue.waiting))
        })
        .collect()
    }

    /// A member answered, or did not and will not.
    pub(crate) fn answered(&mut self, to: NodeId) {
        if let Some(queue) = self.0.get_mut(&to) {
            queue.under_way = queue.under_way.saturating_sub(1);
            if queue.under_way == 0 && queue.waiting.is_empty() {
                self.0.remove(&to);
            }
        }
    }

    /// There is no link any more.
    pub(crate) fn forget(&mut self, to: NodeId) {
        self.0.remove(&to);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::log::sealed_entries::alone;

    fn member(byte: u8) -> NodeId {
        NodeId::from_public_key([byte; 32])
    }

    fn entry() -> Arc<Entry> {
        Arc::new(alone(1, b"for you"))
    }

    fn counts(pushes: &mut Pushes) -> Vec<(NodeId, usize)> {
        let due = pushes.take_due().into_iter();
        due.map(|(to, entries)| (to, entries.len())).collect()
    }

    #[test]
    fn what_comes_while_two_are_under_way_waits_and_goes_together() {
        let mut pushes = Pushes::default();
        let (one, other) = (member(1), member(2));
        for _ in 0..UNDER_WAY_MAX {
            assert!(pushes.add(one, entry()));
            assert_eq!(counts(&mut pushes), [(one, 1)]);
        }
        (0..5).for_each(|_| assert!(pushes.add(one, entry())));
        assert_eq!(counts(&mut pushes), []);
        assert!(pushes.add(other, entry()));
        assert_eq!(
            counts(&mut pushes),
            [(other, 1)],
            "nobody waits for another"
        );
        pushes.answered(one);
        assert_eq!(counts(&mut pushes), [(one, 5)]);
        pushes.answered(one);
        pushes.answered(one);
        pushes.forget(other);
        assert!(
            pushes.0.is_empty(),
            "nothing is kept of whom nothing goes to"
        );
    }

    #[test]
    fn a_member_that_does_not_answer_costs_no_more_than_one_answer_s_bytes() {
        let mut pushes = Pushes::default();
        let (to, pushed) = (member(1), entry());
        let all = ENTRIES_TOLD_BYTES / pushed.sealed().len() + 10;
        let taken = (0..all).filter(|_| pushes.add(to, pushed.clone())).count();
        assert!(taken < all && taken > all / 2);
    }
}
