//! The one queue of a world: events in order of time, and of their scheduling where the time is the same.
//!
//! Of many thousands that wait, few happen next. The others wait unsorted, by spans of time, so that the sorted part
//! stays small and close together in memory.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

/// Time whose events are sorted together, in microseconds.
const SPAN_US: u64 = 4_000;

/// Events that are still to happen.
pub(crate) struct Queue<E> {
    /// Everything before `sorted_until_us`.
    heap: BinaryHeap<Scheduled<E>>,
    /// The rest, by span.
    later: BTreeMap<u64, Vec<Scheduled<E>>>,
    sorted_until_us: u64,
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
            later: BTreeMap::new(),
            sorted_until_us: 0,
            scheduled: 0,
        }
    }
}

impl<E> Queue<E> {
    /// Has `event` happen at `at_us`.
    pub(crate) fn schedule(&mut self, at_us: u64, event: E) {
        self.scheduled += 1;
        let scheduled = Scheduled {
            at_us,
            sequence: self.scheduled,
            event,
        };
        if at_us < self.sorted_until_us {
            self.heap.push(scheduled);
        } else {
            let span = self.later.entry(at_us / SPAN_US).or_default();
            span.push(scheduled);
        }
    }

    /// The next event and its time.
    pub(crate) fn next(&mut self) -> Option<(u64, E)> {
        if self.heap.is_empty() {
            let (span, events) = self.later.pop_first()?;
            self.sorted_until_us = (span + 1) * SPAN_US;
            self.heap = events.into();
        }
        let next = self.heap.pop()?;
        Some((next.at_us, next.event))
    }

    /// How many are waiting.
    pub(crate) fn len(&self) -> usize {
        self.heap.len() + self.later.values().map(Vec::len).sum::<usize>()
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
    }

    #[test]
    fn what_lies_far_ahead_comes_in_order_too() {
        let mut queue = Queue::default();
        for at_us in [9 * SPAN_US, 3, 2 * SPAN_US, 2 * SPAN_US + 1, SPAN_US] {
            queue.schedule(at_us, at_us);
        }
        let mut order = Vec::new();
        while let Some((_, at_us)) = queue.next() {
            order.push(at_us);
            if at_us == SPAN_US {
                queue.schedule(at_us + 5, at_us + 5);
            }
        }
        assert!(order.is_sorted() && order.len() == 6, "{order:?}");
    }

    #[test]
    fn an_empty_queue_gives_nothing() {
        let mut queue = Queue::<u8>::default();
        assert!(queue.next().is_none());
        assert_eq!(queue.len(), 0);
    }
}
