//! Messages that wait for their verdict: each gets one, and only so many wait at a time.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::GossipId;

/// Messages handed to control and not judged yet, those it has not heard of included; one more is ignored.
pub(crate) const AWAITED_MAX: usize = 256;

/// Time after which a message is not passed on any more, whatever the verdict: gossipsub has forgotten it.
pub(super) const VERDICT_DEADLINE: Duration = Duration::from_secs(7);

/// What waits, oldest first.
#[derive(Default)]
pub(crate) struct Awaited {
    waiting: VecDeque<(GossipId, Instant)>,
}

impl Awaited {
    /// Whether there is room for `id` to wait.
    pub(crate) fn wait(&mut self, id: GossipId, now: Instant) -> bool {
        self.forget_late(now);
        if self.waiting.len() == AWAITED_MAX {
            return false;
        }
        self.waiting.push_back((id, now + VERDICT_DEADLINE));
        true
    }

    /// Whether a verdict on `id` counts: the first one, in time.
    pub(crate) fn judge(&mut self, id: GossipId, now: Instant) -> bool {
        self.forget_late(now);
        let position = self.waiting.iter().position(|(waiting, _)| *waiting == id);
        position.and_then(|at| self.waiting.remove(at)).is_some()
    }

    fn forget_late(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|(_, end)| *end <= now) {
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> GossipId {
        let mut id = [0; 20];
        id[..8].copy_from_slice(&n.to_le_bytes());
        GossipId(id)
    }

    #[test]
    fn one_verdict_counts_and_none_on_what_was_never_heard() {
        let (mut awaited, now) = (Awaited::default(), Instant::now());
        assert!(awaited.wait(id(1), now));
        assert!(!awaited.judge(id(2), now));
        assert!(awaited.judge(id(1), now));
        assert!(!awaited.judge(id(1), now));
    }

    #[test]
    fn a_verdict_that_comes_too_late_does_not_count() {
        let (mut awaited, now) = (Awaited::default(), Instant::now());
        assert!(awaited.wait(id(1), now));
        assert!(!awaited.judge(id(1), now + VERDICT_DEADLINE));
    }

    #[test]
    fn beyond_the_bound_nothing_waits_until_there_is_room() {
        let (mut awaited, now) = (Awaited::default(), Instant::now());
        assert!((0..AWAITED_MAX).all(|n| awaited.wait(id(n), now)));
        assert!(!awaited.wait(id(AWAITED_MAX), now));
        assert!(awaited.judge(id(7), now));
        assert!(awaited.wait(id(AWAITED_MAX), now));
        assert!(!awaited.wait(id(AWAITED_MAX + 1), now));
        assert!(awaited.wait(id(AWAITED_MAX + 1), now + VERDICT_DEADLINE));
    }
}
