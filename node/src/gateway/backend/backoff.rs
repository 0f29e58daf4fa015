//! Exponential back-off with jitter.

use std::time::Duration;

/// Doubles from `first` to `last`; every wait is spread by a fifth either way, so that many upstreams that fell
/// together do not rise together.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    last: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits `first`, then twice as long each time, up to `last`.
    pub fn new(first: Duration, last: Duration) -> Self {
        Self {
            first,
            last,
            next: first,
        }
    }

    /// Starts again from the first wait.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// The wait before the next attempt.
    pub fn wait(&mut self) -> Duration {
        let dice = getrandom::u32().unwrap_or(u32::MAX / 2);
        self.wait_spread(f64::from(dice) / f64::from(u32::MAX))
    }

    /// The wait for `dice` between 0 and 1.
    fn wait_spread(&mut self, dice: f64) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.last);
        wait.mul_f64(0.8 + 0.4 * dice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff() -> Backoff {
        Backoff::new(Duration::from_millis(500), Duration::from_secs(60))
    }

    #[test]
    fn waits_double_up_to_the_last_and_begin_anew_after_a_reset() {
        let mut backoff = backoff();
        let waits: Vec<_> = (0..9)
            .map(|_| backoff.wait_spread(0.5).as_millis())
            .collect();
        assert_eq!(
            waits,
            [
                500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000
            ]
        );
        backoff.reset();
        assert_eq!(backoff.wait_spread(0.5).as_millis(), 500);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        assert_eq!(backoff().wait_spread(0.0).as_millis(), 400);
        assert_eq!(backoff().wait_spread(1.0).as_millis(), 600);
        let drawn = backoff().wait().as_millis();
        assert!((400..=600).contains(&drawn), "{drawn}");
    }
}
