//! Times as people read them, without a time zone to ask for: how long from now, how long ago.

use std::time::Duration;

/// `2 days`, `3 hours`, `15 minutes`, `8 seconds`: the largest unit that fits, rounded down.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, noun) = match seconds {
        0..=59 => (seconds, "second"),
        60..=3_599 => (seconds / 60, "minute"),
        3_600..=86_399 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    super::counted(usize::try_from(count).unwrap_or(usize::MAX), noun)
}

/// What is left, so that a fresh `15m` reads `15 minutes`: rounded up, and in the largest unit of which there is exactly
/// one or at least two, so that 61 minutes do not become 2 hours.
fn span_left(left: Duration) -> String {
    let seconds = left.as_millis().div_ceil(1_000);
    let (unit, noun) = [(86_400, "day"), (3_600, "hour"), (60, "minute")]
        .into_iter()
        .find(|(unit, _)| seconds == *unit || seconds >= 2 * unit)
        .unwrap_or((1, "second"));
    let count = seconds.div_ceil(unit);
    super::counted(usize::try_from(count).unwrap_or(usize::MAX), noun)
}

/// How long until `then`, or since; both in milliseconds of the same clock.
pub(crate) fn from_now(now: u64, then: u64) -> String {
    match then.checked_sub(now) {
        Some(left) => format!("in {}", span_left(Duration::from_millis(left))),
        None => format!("{} ago", span(Duration::from_millis(now - then))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_unit_that_fits_is_named() {
        let cases = [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "1 minute"),
            (7_200, "2 hours"),
            (90_000, "1 day"),
        ];
        for (seconds, text) in cases {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn what_is_left_is_rounded_up() {
        let cases = [
            (0, "0 seconds"),
            (990, "1 second"),
            (60_000, "1 minute"),
            (61_000, "61 seconds"),
            (899_990, "15 minutes"),
            (3_599_990, "1 hour"),
            (3_660_000, "61 minutes"),
            (90 * 60_000, "90 minutes"),
            (14 * 86_400_000 - 5_000, "14 days"),
        ];
        for (millis, text) in cases {
            assert_eq!(span_left(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn the_past_and_the_future_are_told_apart() {
        assert_eq!(from_now(1_000, 61_000), "in 1 minute");
        assert_eq!(from_now(61_000, 1_000), "1 minute ago");
    }
}
