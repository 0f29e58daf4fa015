//! How long bytes are under way between two nodes: drawn once for each pair, from a seed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One-way latencies between which each pair's is drawn, evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyRange {
    /// The least, in milliseconds.
    pub min_ms: u32,
    /// The most, in milliseconds.
    pub max_ms: u32,
}

impl LatencyRange {
    /// The latency between the nodes with these numbers, the same in both directions.
    pub(super) fn between(self, seed: u64, one: u32, other: u32) -> Duration {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_be_bytes());
        hasher.update(&one.min(other).to_be_bytes());
        hasher.update(&one.max(other).to_be_bytes());
        let mut drawn = [0; 8];
        hasher.finalize_xof().fill(&mut drawn);
        let span = u64::from(self.max_ms.saturating_sub(self.min_ms)) * 1_000;
        let micros = u64::from(self.min_ms) * 1_000 + u64::from_be_bytes(drawn) % (span + 1);
        Duration::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_one_latency_within_the_range_and_pairs_differ() {
        let range = LatencyRange {
            min_ms: 10,
            max_ms: 100,
        };
        let drawn: Vec<_> = (1..100).map(|n| range.between(7, 0, n)).collect();
        assert_eq!(range.between(7, 5, 0), drawn[4]);
        assert!(drawn.iter().all(|l| (10..=100).contains(&l.as_millis())));
        let mean = drawn.iter().sum::<Duration>() / 99;
        assert!((45..65).contains(&mean.as_millis()), "{mean:?}");
        assert_ne!(range.between(8, 0, 1), drawn[0]);
    }
}
