//! The one queue of a world: events in order of time, and of their scheduling where the time is the same.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Events that are still to happen.
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Scheduled<E>>,
    scheduled: u64,
}

struct Scheduled<E> {
    at_us: u64,
    sequence: u64,
    event: E,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            scheduled: 0,
        }
    }
}

impl<E> Queue<E> {
    /// Has `event` happen at `at_us`.
    pub(crate) fn schedule(&mut self, at_us: u64, event: E) {
        self.scheduled += 1;
        self.heap.push(Scheduled {
            at_us,
            sequence: self.scheduled,
            event,
        });
    }

    /// The next event and its time.
    pub(crate) fn next(&mut self) -> Option<(u64, E)> {
        let next = self.heap.pop()?;
        Some((next.at_us, next.event))
    }

    /// How many are waiting.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

impl<E> Ord for Scheduled<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives its greatest first.
        (other.at_us, other.sequence).cmp(&(self.at_us, self.sequence))
    }
}

impl<E> PartialOrd for Scheduled<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Scheduled<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Scheduled<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_and_then_of_scheduling() {
        let mut queue = Queue::default();
        for (at_us, event) in [(5, "c"), (1, "a"), (5, "d"), (3, "b"), (5, "e")] {
            queue.schedule(at_us, event);
        }
        let order: String = std::iter::from_fn(|| queue.next())
            .map(|(_, event)| event)
            .collect();
        assert_eq!(order, "abcde");
        assert_eq!(queue.len(), 0);
    }
}
