//! Laws of growth, fitted by least squares on logarithms.

use serde::{Deserialize, Serialize};

use crate::amounts::digits;

/// Differences of a few percent say nothing about which law holds.
const NOISE: f64 = 0.03;

/// A law of growth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Law {
    /// The same for every N.
    Constant,
    /// With the logarithm of N.
    Logarithm,
    /// With N.
    Linear,
    /// With N times its logarithm.
    LinearLogarithm,
    /// With the square of N.
    Square,
    /// With another power of N.
    Power(f64),
}

/// A law with its factor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The law.
    pub law: Law,
    /// What it is multiplied by.
    pub factor: f64,
    /// The typical error: the root of the mean square of the logarithms of measured over fitted.
    pub error: f64,
}

impl Fit {
    /// What the law says for so many nodes.
    pub fn at(&self, nodes: f64) -> f64 {
        self.factor * self.law.shape(nodes)
    }

    /// The law as a formula, such as `12.5 · N log N`.
    pub fn formula(&self) -> String {
        let shape = match self.law {
            Law::Constant => return digits(self.factor),
            Law::Logarithm => "log N".to_owned(),
            Law::Linear => "N".to_owned(),
            Law::LinearLogarithm => "N log N".to_owned(),
            Law::Square => "N²".to_owned(),
            Law::Power(exponent) => format!("N^{exponent:.2}"),
        };
        format!("{} · {shape}", digits(self.factor))
    }
}

impl Law {
    fn shape(self, nodes: f64) -> f64 {
        match self {
            Law::Constant => 1.0,
            Law::Logarithm => nodes.ln(),
            Law::Linear => nodes,
            Law::LinearLogarithm => nodes * nodes.ln(),
            Law::Square => nodes * nodes,
            Law::Power(exponent) => nodes.powf(exponent),
        }
    }
}

/// The law that fits `points` of nodes and cost best, a power only where it is clearly better than the named ones;
/// `None` for fewer than three points. Points that are not above one node and nothing are left out.
pub fn fit(points: &[(f64, f64)]) -> Option<Fit> {
    let usable = |(nodes, cost): &(f64, f64)| *nodes > 1.0 && *cost > 0.0;
    let points: Vec<(f64, f64)> = points.iter().copied().filter(usable).collect();
    if points.len() < 3 {
        return None;
    }
    let named = [
        Law::Constant,
        Law::Logarithm,
        Law::Linear,
        Law::LinearLogarithm,
        Law::Square,
    ];
    let power = Law::Power(slope(&points));
    let fits = named
        .into_iter()
        .chain([power])
        .map(|law| with_factor(law, &points));
    fits.min_by(|a, b| score(a, points.len()).total_cmp(&score(b, points.len())))
}

/// Akaike's information criterion: the error, and a price for the second parameter of a power law.
fn score(fit: &Fit, points: usize) -> f64 {
    let parameters = if matches!(fit.law, Law::Power(_)) {
        2.0
    } else {
        1.0
    };
    let variance = fit.error * fit.error + NOISE * NOISE;
    points as f64 * variance.ln() + 2.0 * parameters
}

fn with_factor(law: Law, points: &[(f64, f64)]) -> Fit {
    let differences = points
        .iter()
        .map(|(nodes, cost)| (cost / law.shape(*nodes)).ln());
    let count = points.len() as f64;
    let mean = differences.clone().sum::<f64>() / count;
    let squares = differences.map(|difference| (difference - mean).powi(2));
    Fit {
        law,
        factor: mean.exp(),
        error: (squares.sum::<f64>() / count).sqrt(),
    }
}

/// The exponent of the power law: the slope of the regression of the logarithms.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|(nodes, _)| nodes.ln()), mean(|(_, cost)| cost.ln()));
    let both = points
        .iter()
        .map(|(nodes, cost)| (nodes.ln() - x, cost.ln() - y));
    let (covariance, variance) = both.fold((0.0, 0.0), |(covariance, variance), (a, b)| {
        (covariance + a * b, variance + a * a)
    });
    if variance > 0.0 {
        covariance / variance
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [f64; 6] = [10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0];

    fn fitted(cost: impl Fn(f64) -> f64) -> Option<Fit> {
        // A few percent of noise that does not grow.
        let noisy = |(place, nodes): (usize, &f64)| {
            let noise = if place % 2 == 0 { 1.02 } else { 0.98 };
            (*nodes, cost(*nodes) * noise)
        };
        fit(&SIZES.iter().enumerate().map(noisy).collect::<Vec<_>>())
    }

    fn law(cost: impl Fn(f64) -> f64) -> Option<Law> {
        fitted(cost).map(|fit| fit.law)
    }

    #[test]
    fn the_law_that_was_put_in_comes_out() {
        assert_eq!(law(|_| 7.0), Some(Law::Constant));
        assert_eq!(law(|nodes| 3.0 * nodes.ln()), Some(Law::Logarithm));
        assert_eq!(law(|nodes| 0.5 * nodes), Some(Law::Linear));
        assert_eq!(law(|nodes| nodes * nodes.ln()), Some(Law::LinearLogarithm));
        assert_eq!(law(|nodes| nodes * nodes), Some(Law::Square));
        let power = law(|nodes| 2.0 * nodes.powf(0.5));
        assert!(
            matches!(power, Some(Law::Power(exponent)) if (exponent - 0.5).abs() < 0.02),
            "{power:?}"
        );
    }

    #[test]
    fn a_fit_says_its_formula_and_what_it_expects() {
        let fit = fitted(|nodes| 0.5 * nodes).unwrap_or_else(|| unreachable!());
        assert_eq!(fit.formula(), "0.5 · N");
        assert!((fit.at(100_000.0) / 50_000.0 - 1.0).abs() < 0.03);
        assert!(fit.error < 0.03);
    }

    #[test]
    fn two_points_are_no_law() {
        assert_eq!(fit(&[(10.0, 1.0), (100.0, 2.0), (1_000.0, 0.0)]), None);
    }
}
