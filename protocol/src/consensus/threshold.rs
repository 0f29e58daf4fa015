//! Thresholds: how much of the frozen electorate must vote for one outcome.

use serde::{Deserialize, Serialize};

/// How much weight one outcome needs, of the whole electorate's and never of the votes cast alone.
///
/// Each is more than half, so that two outcomes can both have theirs only if voters with a weight of
/// `2 × needed − total` or more sign two different votes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Threshold {
    /// More than half.
    #[default]
    Majority,
    /// Two thirds or more.
    TwoThirds,
    /// All of it.
    Unanimous,
    /// So much, which is more than half.
    Weight(u64),
}

impl Threshold {
    /// The weight that an outcome needs where the electorate has `total`.
    ///
    /// # Errors
    ///
    /// When the weight that was named is half or less, or more than there is.
    pub fn needed(self, total: u64) -> Result<u64, ThresholdError> {
        match self {
            Self::Majority => Ok(total / 2 + 1),
            // Rounded up.
            Self::TwoThirds => Ok(total - total / 3),
            Self::Unanimous => Ok(total),
            Self::Weight(weight) if weight > total / 2 && weight <= total => Ok(weight),
            Self::Weight(weight) => Err(ThresholdError { weight, total }),
        }
    }
}

/// With half of the electorate or less two outcomes could both win, and with more than all of it none could.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a threshold of {weight} out of {total}: it must be more than half of the electorate's weight, and at most all of it"
)]
pub struct ThresholdError {
    /// What was asked for.
    pub weight: u64,
    /// The electorate's weight.
    pub total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_count_the_electorate_and_round_up() {
        let needed = |total| {
            let all = [
                Threshold::Majority,
                Threshold::TwoThirds,
                Threshold::Unanimous,
            ];
            all.map(|threshold| threshold.needed(total))
        };
        assert_eq!(needed(1), [Ok(1), Ok(1), Ok(1)]);
        assert_eq!(needed(2), [Ok(2), Ok(2), Ok(2)]);
        assert_eq!(needed(9), [Ok(5), Ok(6), Ok(9)]);
        assert_eq!(needed(10), [Ok(6), Ok(7), Ok(10)]);
    }

    #[test]
    fn a_threshold_by_which_two_outcomes_could_win_is_refused() {
        let needed = |weight| Threshold::Weight(weight).needed(10);
        assert_eq!(
            needed(5),
            Err(ThresholdError {
                weight: 5,
                total: 10
            })
        );
        assert_eq!(needed(6), Ok(6));
        assert_eq!(needed(10), Ok(10));
        assert!(needed(11).is_err() && needed(0).is_err());
    }
}
