//! A distribution as a curve: values at fixed shares, drawn from a histogram that takes values from any number of runs.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::distribution::Distribution;

/// Significant digits of a histogram: values are kept to within one in a hundred.
const DIGITS: u8 = 2;

/// Steps of a curve between its ends.
const STEPS: u32 = 40;

/// A distribution as it is reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// How many values there were.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
    /// Shares (0 to 1, rising) and the value below which that share lies.
    pub points: Vec<(f64, u64)>,
}

impl Curve {
    /// The value below which `share` (0 to 1) of the values lie; `None` while there is none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let above = self.points.iter().find(|(known, _)| *known >= share);
        above.or(self.points.last()).map(|(_, value)| *value)
    }
}

/// Gathers values of one kind from many runs, in memory that does not grow with them.
pub struct CurveBuilder {
    histogram: Option<Histogram<u64>>,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

impl Default for CurveBuilder {
    fn default() -> Self {
        Self {
            // Refuses only a number of digits over five.
            histogram: Histogram::new(DIGITS).ok(),
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }
}

impl CurveBuilder {
    /// Adds one value.
    pub fn add(&mut self, value: u64) {
        self.weigh(value, 1);
        self.note(1, value, value, value);
    }

    /// Adds what one run measured.
    pub fn add_all(&mut self, distribution: &Distribution) {
        if distribution.count == 0 {
            return;
        }
        for value in &distribution.kept {
            self.weigh(*value, distribution.stride);
        }
        self.note(
            distribution.count,
            distribution.sum,
            distribution.min,
            distribution.max,
        );
    }

    /// The curve of all values so far.
    pub fn curve(&self) -> Curve {
        let Some(histogram) = self.histogram.as_ref().filter(|_| self.count > 0) else {
            return Curve::default();
        };
        let value = |share: f64| match share {
            0.0 => self.min,
            1.0 => self.max,
            _ => histogram.value_at_quantile(share).clamp(self.min, self.max),
        };
        Curve {
            count: self.count,
            mean: self.sum as f64 / self.count as f64,
            min: self.min,
            max: self.max,
            points: shares().map(|share| (share, value(share))).collect(),
        }
    }

    fn weigh(&mut self, value: u64, weight: u64) {
        if let Some(histogram) = &mut self.histogram {
            histogram.auto(true);
            // An automatic histogram takes every value.
            let _ = histogram.record_n(value, weight);
        }
    }

    fn note(&mut self, count: u64, sum: u64, min: u64, max: u64) {
        self.count += count;
        self.sum = self.sum.saturating_add(sum);
        self.min = self.min.min(min);
        self.max = self.max.max(max);
    }
}

/// Evenly spaced shares, with more of them at the ends.
fn shares() -> impl Iterator<Item = f64> {
    let even = (1..STEPS).map(|step| f64::from(step) / f64::from(STEPS));
    let low = [0.0, 0.001, 0.01];
    let high = [0.99, 0.995, 0.999, 1.0];
    low.into_iter().chain(even).chain(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_has_the_quantiles_of_its_values_to_one_in_a_hundred() {
        let mut builder = CurveBuilder::default();
        (1..=10_000).for_each(|value| builder.add(value));
        let curve = builder.curve();
        assert_eq!((curve.count, curve.min, curve.max), (10_000, 1, 10_000));
        assert_eq!(curve.mean, 5_000.5);
        for share in [0.25, 0.5, 0.99] {
            let value = curve.quantile(share).unwrap_or_default() as f64;
            assert!(
                (value / (share * 10_000.0) - 1.0).abs() < 0.01,
                "{share}: {value}"
            );
        }
        let shares: Vec<f64> = curve.points.iter().map(|(share, _)| *share).collect();
        assert!(shares.is_sorted());
        assert!(curve.points.iter().map(|(_, value)| value).is_sorted());
    }

    #[test]
    fn runs_weigh_as_much_as_they_measured_however_few_values_they_kept() {
        let mut builder = CurveBuilder::default();
        builder.add_all(&(0..90_000).map(|_| 10).collect());
        builder.add_all(&(0..10_000).map(|_| 1_000).collect());
        let curve = builder.curve();
        assert_eq!(curve.count, 100_000);
        assert_eq!(curve.quantile(0.85), Some(10));
        assert!(curve.quantile(0.925) > Some(900));
    }

    #[test]
    fn without_values_there_are_no_points() {
        let curve = CurveBuilder::default().curve();
        assert_eq!(curve, Curve::default());
        assert_eq!(curve.quantile(0.5), None);
    }
}
