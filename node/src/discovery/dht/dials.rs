//! How often the table may dial: control decides who is linked, and a search must not undo that.

use std::time::Duration;

use tokio::time::Instant;

/// Dials at once, after a time without any.
const AT_ONCE: u32 = 4;

/// Time between two dials when it goes on.
const ONE_EVERY: Duration = Duration::from_secs(5);

/// A leaky bucket, kept as the time at which it is empty.
#[derive(Debug, Default)]
pub(super) struct Dials {
    empty_at: Option<Instant>,
}

impl Dials {
    /// Whether one more may be made; if so, it counts as made.
    pub(super) fn may_dial(&mut self, now: Instant) -> bool {
        let empty_at = self.empty_at.map_or(now, |empty_at| empty_at.max(now));
        if empty_at - now > ONE_EVERY * (AT_ONCE - 1) {
            return false;
        }
        self.empty_at = Some(empty_at + ONE_EVERY);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_dials_are_made_at_once_and_then_one_now_and_then() {
        let (mut dials, start) = (Dials::default(), Instant::now());
        let made = (0..100).filter(|_| dials.may_dial(start)).count();
        assert_eq!(made, AT_ONCE as usize);
        let later = start + ONE_EVERY;
        let made = (0..100).filter(|_| dials.may_dial(later)).count();
        assert_eq!(made, 1);
    }
}
