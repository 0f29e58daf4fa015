//! Notices that this node itself was stalled, by looking at the clock more often than a stall that matters lasts.

use std::time::Duration;

use crate::time::Monotonic;

/// How often it looks: a stall of [`LOOK_EVERY`] and [`LATE`] never goes unnoticed, and a link outlives it.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A look that comes so much later than it was meant to was kept up by a stall.
const LATE: Duration = Duration::from_millis(700);

/// When this node looks at the clock next.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnStall {
    look_at: Option<Monotonic>,
}

impl OwnStall {
    /// Looks at the clock; says whether this node was stalled until now.
    pub(crate) fn look(&mut self, now: Monotonic) -> bool {
        let due = self.look_at.is_none_or(|at| at <= now);
        let stalled = self.look_at.is_some_and(|at| now.since(at) >= LATE);
        if due {
            self.look_at = Some(now + LOOK_EVERY);
        }
        stalled
    }

    /// When to look again.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        self.look_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_comes_late_says_that_this_node_was_stalled() {
        let mut own = OwnStall::default();
        let start = Monotonic(10_000);
        assert!(!own.look(start));
        assert_eq!(own.next_deadline(), Some(start + LOOK_EVERY));
        assert!(!own.look(start + LOOK_EVERY));
        let next = start + LOOK_EVERY * 2;
        assert!(own.look(next + LATE));
        assert!(!own.look(next + LATE));
    }
}
