//! Axes: where values lie, and which of them are named.

use crate::amounts::{bytes, count, digits, time};

/// What an axis measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Time,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Things.
    Count,
    /// A part of all, from 0 to 1.
    Share,
}

/// How values are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal distances are equal differences.
    Linear,
    /// Equal distances are equal factors.
    Logarithmic,
}

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it is called.
    pub label: String,
    /// What it measures.
    pub unit: Unit,
    /// How it is laid out.
    pub scale: Scale,
    /// The value at its beginning.
    pub least: f64,
    /// The value at its end.
    pub most: f64,
}

impl Unit {
    /// A value with its unit.
    pub fn told(self, value: f64) -> String {
        match self {
            Unit::Time => time(value),
            Unit::Bytes => bytes(value),
            Unit::BytesPerSecond => format!("{}/s", bytes(value)),
            Unit::Count => count(value),
            Unit::Share => format!("{} %", digits(value * 100.0)),
        }
    }
}

impl Axis {
    /// An axis on which all of `values` find a place; a linear one begins at 0.
    pub fn over(label: &str, unit: Unit, scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| value.is_finite()) {
            if value > 0.0 {
                least = least.min(value);
            }
            most = most.max(value);
        }
        let most = if most > 0.0 { most } else { 1.0 };
        let (least, most) = match scale {
            Scale::Linear => (0.0, most),
            // At least a factor of two, so that a single value does not sit on both ends.
            Scale::Logarithmic => (least.min(most / 2.0), most),
        };
        Self {
            label: label.to_owned(),
            unit,
            scale,
            least,
            most,
        }
    }

    /// The axis of a share, from nothing to all.
    pub fn share(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            unit: Unit::Share,
            scale: Scale::Linear,
            least: 0.0,
            most: 1.0,
        }
    }

    /// Where `value` lies between the ends, from 0 to 1; values beyond an end lie on it.
    pub fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.least) / (self.most - self.least),
            Scale::Logarithmic => {
                (value.max(self.least) / self.least).ln() / (self.most / self.least).ln()
            }
        };
        place.clamp(0.0, 1.0)
    }

    /// The values that are named, about five of them.
    pub fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => self.linear_ticks(),
            Scale::Logarithmic => self.logarithmic_ticks(),
        }
    }

    fn linear_ticks(&self) -> Vec<f64> {
        const WANTED: f64 = 5.0;
        let step = self.step((self.most - self.least) / WANTED);
        let first = (self.least / step).ceil() as i64;
        let last = (self.most / step + 1e-9).floor() as i64;
        (first..=last).map(|tick| tick as f64 * step).collect()
    }

    /// The step that reads well in this unit, not below `least`.
    fn step(&self, least: f64) -> f64 {
        const MINUTES: [f64; 8] = [0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0];
        const MINUTE_US: f64 = 60e6;
        let of_bytes = matches!(self.unit, Unit::Bytes | Unit::BytesPerSecond);
        if of_bytes && least > 1.0 {
            return 2.0_f64.powf(least.log2().ceil());
        }
        if self.unit == Unit::Time && least > MINUTE_US / 3.0 {
            let minutes = MINUTES.iter().map(|minutes| minutes * MINUTE_US);
            if let Some(step) = minutes.into_iter().find(|step| *step >= least) {
                return step;
            }
        }
        let decade = 10.0_f64.powf(least.log10().floor());
        let nice = [1.0, 2.0, 5.0]
            .into_iter()
            .find(|nice| nice * decade >= least);
        nice.unwrap_or(10.0) * decade
    }

    fn logarithmic_ticks(&self) -> Vec<f64> {
        const MOST: usize = 7;
        let of_bytes = matches!(self.unit, Unit::Bytes | Unit::BytesPerSecond);
        let base: f64 = if of_bytes { 2.0 } else { 10.0 };
        let first = (self.least.log(base) - 1e-9).ceil() as i32;
        let last = (self.most.log(base) + 1e-9).floor() as i32;
        let powers: Vec<f64> = (first..=last).map(|power| base.powi(power)).collect();
        if powers.len() > MOST {
            let every = powers.len().div_ceil(MOST);
            return powers.into_iter().step_by(every).collect();
        }
        if of_bytes || powers.len() > 3 {
            return powers;
        }
        let between = (first - 1..=last)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|nice| nice * base.powi(power)));
        between
            .filter(|tick| (self.least..=self.most * 1.000_001).contains(tick))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(unit: Unit, scale: Scale, values: [f64; 2]) -> Vec<String> {
        let axis = Axis::over("x", unit, scale, values.into_iter());
        axis.ticks()
            .into_iter()
            .map(|tick| unit.told(tick))
            .collect()
    }

    #[test]
    fn ticks_read_well_in_every_unit() {
        let linear = |unit, most| told(unit, Scale::Linear, [0.0, most]);
        assert_eq!(linear(Unit::Count, 23.0), ["0", "5", "10", "15", "20"]);
        assert_eq!(
            linear(Unit::Time, 0.9e6),
            ["0 µs", "200 ms", "400 ms", "600 ms", "800 ms"]
        );
        assert_eq!(
            linear(Unit::Time, 250e6),
            ["0 µs", "60 s", "2 min", "3 min", "4 min"]
        );
        assert_eq!(
            linear(Unit::Bytes, 5_000.0),
            ["0 B", "1 KiB", "2 KiB", "3 KiB", "4 KiB"]
        );
        let factors = |unit, least, most| told(unit, Scale::Logarithmic, [least, most]);
        assert_eq!(
            factors(Unit::Time, 3e3, 2e6),
            [
                "5 ms", "10 ms", "20 ms", "50 ms", "100 ms", "200 ms", "500 ms", "1 s", "2 s"
            ]
        );
        assert_eq!(factors(Unit::Time, 1.0, 1e6).len(), 7);
        assert_eq!(
            factors(Unit::Bytes, 1_024.0, 8_192.0),
            ["1 KiB", "2 KiB", "4 KiB", "8 KiB"]
        );
    }

    #[test]
    fn factors_take_equal_distances() {
        let axis = Axis::over(
            "x",
            Unit::Count,
            Scale::Logarithmic,
            [10.0, 1_000.0].into_iter(),
        );
        assert_eq!(
            [10.0, 100.0, 1_000.0].map(|value| axis.place(value)),
            [0.0, 0.5, 1.0]
        );
        assert_eq!(axis.place(0.0), 0.0);
    }

    #[test]
    fn one_value_or_none_makes_an_axis() {
        for values in [vec![], vec![0.0], vec![7.0]] {
            for scale in [Scale::Linear, Scale::Logarithmic] {
                let axis = Axis::over("x", Unit::Count, scale, values.clone().into_iter());
                assert!(axis.least < axis.most, "{axis:?}");
                assert!(!axis.ticks().is_empty(), "{axis:?}");
            }
        }
    }
}
