//! Spans of time as people write them: `500ms`, `60s`, `15m`, `2h`, `7d`.

use std::time::Duration;

use peerage_protocol::limits::{
    CERTIFICATE_LIFETIME, CERTIFICATE_LIFETIME_MIN, TICKET_LIFETIME_MAX,
};
use peerage_protocol::membership::join_requests::REQUEST_WINDOW_MAX;
use peerage_protocol::messaging::message::LIFETIME_MAX;
use peerage_protocol::tasks::definition::{LEASE_MAX, LEASE_MIN};

/// The longest that a call may be waited for.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest ago that anything is asked about.
const AGE_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Lifetimes of tickets as they may be written.
const LIFETIME_FORMS: &str = "60s, 15m, 2h or 7d";

/// Timeouts as they may be written.
const TIMEOUT_FORMS: &str = "500ms, 60s, 15m or 2h";

/// The life of a ticket: from a second to [`TICKET_LIFETIME_MAX`].
pub fn ticket_lifetime(text: &str) -> Result<Duration, DurationError> {
    within(
        text,
        Duration::from_secs(1),
        TICKET_LIFETIME_MAX,
        LIFETIME_FORMS,
    )
}

/// The life of a certificate: from [`CERTIFICATE_LIFETIME_MIN`] to [`CERTIFICATE_LIFETIME`].
pub fn certificate_lifetime(text: &str) -> Result<Duration, DurationError> {
    within(
        text,
        CERTIFICATE_LIFETIME_MIN,
        CERTIFICATE_LIFETIME,
        LIFETIME_FORMS,
    )
}

/// How long requests are heard: from a second to [`REQUEST_WINDOW_MAX`].
pub fn request_window(text: &str) -> Result<Duration, DurationError> {
    const FORMS: &str = "60s, 15m or 1h";
    within(text, Duration::from_secs(1), REQUEST_WINDOW_MAX, FORMS)
}

/// The life of a message: from a second to [`LIFETIME_MAX`].
pub fn message_lifetime(text: &str) -> Result<Duration, DurationError> {
    within(text, Duration::from_secs(1), LIFETIME_MAX, LIFETIME_FORMS)
}

/// How long a task is held without a sign: from a second to a day.
pub fn lease(text: &str) -> Result<Duration, DurationError> {
    within(text, LEASE_MIN, LEASE_MAX, LIFETIME_FORMS)
}

/// How soon something is due: up to a year.
pub fn deadline(text: &str) -> Result<Duration, DurationError> {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    within(text, Duration::from_secs(1), YEAR, LIFETIME_FORMS)
}

/// The patience of a caller: from a millisecond to a day.
pub fn timeout(text: &str) -> Result<Duration, DurationError> {
    within(text, Duration::from_millis(1), TIMEOUT_MAX, TIMEOUT_FORMS)
}

/// How long ago something was: up to ten years.
pub fn age(text: &str) -> Result<Duration, DurationError> {
    within(text, Duration::ZERO, AGE_MAX, LIFETIME_FORMS)
}

/// `forms` are examples that all fit: a hint must not lead to the next error.
fn within(
    text: &str,
    least: Duration,
    most: Duration,
    forms: &'static str,
) -> Result<Duration, DurationError> {
    let duration = parse(text).ok_or(DurationError::NotADuration { forms })?;
    match (least..=most).contains(&duration) {
        true => Ok(duration),
        false => Err(DurationError::OutOfRange { least, most }),
    }
}

fn parse(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Why a text is not a span of time that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a number with a unit.
    #[error("write a number and a unit: {forms}")]
    NotADuration {
        /// How it may be written.
        forms: &'static str,
    },
    /// Too short or too long.
    #[error("give from {least:?} to {} hours", most.as_secs() / 3_600)]
    OutOfRange {
        /// The shortest allowed.
        least: Duration,
        /// The longest allowed.
        most: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_understood() {
        let cases = [
            ("500ms", 500),
            ("60s", 60_000),
            ("15m", 900_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
        ];
        for (text, millis) in cases {
            assert_eq!(timeout(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_of_time_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "1.5h",
            "99999999999999999999s",
            "1y",
        ] {
            let refused = Err(DurationError::NotADuration {
                forms: TIMEOUT_FORMS,
            });
            assert_eq!(timeout(text), refused, "{text}");
        }
    }

    #[test]
    fn every_form_that_is_offered_is_taken() {
        let forms = |text: &'static str| {
            text.split([',', ' '])
                .filter(|form| form.ends_with(['s', 'm', 'h', 'd']))
        };
        for form in forms(LIFETIME_FORMS) {
            assert!(ticket_lifetime(form).is_ok(), "{form}");
        }
        for form in forms(TIMEOUT_FORMS) {
            assert!(timeout(form).is_ok(), "{form}");
        }
    }

    #[test]
    fn a_ticket_lives_neither_no_time_nor_for_ever() {
        assert!(ticket_lifetime("0s").is_err());
        assert!(ticket_lifetime("30d").is_ok());
        assert!(ticket_lifetime("31d").is_err());
    }
}
