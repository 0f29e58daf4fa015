//! Counts silence in ticks of this node, so that time in which the node itself did not run counts as one tick at most.

use std::time::Duration;

use peerage_protocol::limits::{LINK_SILENCE_MAX, PULSE_INTERVAL};

/// Time between two looks at a connection.
pub(super) const TICK: Duration = Duration::from_millis(500);

/// Ticks between two signs of life.
const BEAT_TICKS: u32 = ticks(PULSE_INTERVAL);

/// Ticks of silence after which the other end is dead.
const DEAD_TICKS: u32 = ticks(LINK_SILENCE_MAX);

const fn ticks(duration: Duration) -> u32 {
    (duration.as_millis() / TICK.as_millis()) as u32
}

/// What a tick asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing yet.
    Nothing,
    /// A sign of life of our own.
    Beat,
    /// The end of the connection.
    Death,
}

/// How long the other end of one connection has been silent.
#[derive(Debug, Default)]
pub(super) struct Silence {
    ticks: u32,
    silent: u32,
}

impl Silence {
    /// The other end gave a sign of life.
    pub(super) fn broken(&mut self) {
        self.silent = 0;
    }

    /// A tick passed, however late.
    pub(super) fn tick(&mut self) -> Due {
        self.ticks = self.ticks.wrapping_add(1);
        self.silent = self.silent.saturating_add(1);
        if self.silent >= DEAD_TICKS {
            Due::Death
        } else if self.ticks.is_multiple_of(BEAT_TICKS) {
            Due::Beat
        } else {
            Due::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_is_due_every_second() {
        let mut silence = Silence::default();
        let due = [
            silence.tick(),
            silence.tick(),
            silence.tick(),
            silence.tick(),
        ];
        assert_eq!(due, [Due::Nothing, Due::Beat, Due::Nothing, Due::Beat]);
    }

    #[test]
    fn silence_kills_after_its_bound_and_not_before() {
        let mut silence = Silence::default();
        let alive = (1..).take_while(|_| silence.tick() != Due::Death).count();
        assert_eq!(
            TICK * (u32::try_from(alive).unwrap_or(0) + 1),
            LINK_SILENCE_MAX
        );
    }

    #[test]
    fn a_sign_of_life_starts_the_count_again() {
        let mut silence = Silence::default();
        for _ in 0..100 {
            assert_ne!(silence.tick(), Due::Death);
            silence.broken();
        }
    }
}
