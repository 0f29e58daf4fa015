//! A distribution of measured values, kept whole up to a bound and by a uniform sample beyond.

use serde::{Deserialize, Serialize};

/// Values kept; of more, every second is dropped each time the bound is reached, so what stays is spread over all.
const KEPT_MAX: usize = 8_192;

/// Measured values of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many were measured.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
    /// Those that were kept, in the order they were measured; every `stride`-th.
    pub kept: Vec<u64>,
    /// Of how many values one is kept.
    pub stride: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            count: 0,
            sum: 0,
            min: 0,
            max: 0,
            kept: Vec::new(),
            stride: 1,
        }
    }
}

impl Distribution {
    /// Adds a value.
    pub fn add(&mut self, value: u64) {
        self.min = if self.count == 0 {
            value
        } else {
            self.min.min(value)
        };
        self.max = self.max.max(value);
        self.sum = self.sum.saturating_add(value);
        if self.count.is_multiple_of(self.stride) {
            if self.kept.len() >= KEPT_MAX {
                self.thin_out();
            }
            if self.count.is_multiple_of(self.stride) {
                self.kept.push(value);
            }
        }
        self.count += 1;
    }

    /// The value below which `share` (0 to 1) of the kept values lie; `None` while there is none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        let place = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
        sorted.get(place).copied()
    }

    /// The mean; `None` while there is no value.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    fn thin_out(&mut self) {
        let mut place = 0;
        self.kept.retain(|_| {
            place += 1;
            place % 2 == 1
        });
        self.stride *= 2;
    }
}

impl FromIterator<u64> for Distribution {
    fn from_iter<T: IntoIterator<Item = u64>>(values: T) -> Self {
        let mut distribution = Self::default();
        for value in values {
            distribution.add(value);
        }
        distribution
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_few_values_are_exact() {
        let distribution: Distribution = (1..=101).rev().collect();
        assert_eq!(distribution.quantile(0.0), Some(1));
        assert_eq!(distribution.quantile(0.5), Some(51));
        assert_eq!(distribution.quantile(1.0), Some(101));
        assert_eq!(distribution.mean(), Some(51.0));
    }

    #[test]
    fn many_values_keep_their_shape_in_bounded_memory() {
        let distribution: Distribution = (0..100_000).collect();
        assert!(distribution.kept.len() <= KEPT_MAX);
        assert_eq!((distribution.count, distribution.max), (100_000, 99_999));
        let median = distribution.quantile(0.5);
        assert!(
            median.is_some_and(|median| median.abs_diff(50_000) < 500),
            "{median:?}"
        );
    }

    #[test]
    fn nothing_measured_has_no_quantile() {
        assert_eq!(Distribution::default().quantile(0.5), None);
    }
}
