//! What `swarm` is told.

use std::str::FromStr;

use clap::Args;
use peerage_simulations::real::{LatencyRange, SwarmPlan};

/// Run real nodes.
#[derive(Debug, Args)]
pub struct Swarm {
    /// Nodes at the beginning
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub nodes: u32,
    /// One-way latencies between which each pair's is drawn, in milliseconds
    #[arg(long, default_value = "10..100", value_name = "MIN..MAX")]
    pub latency: Latency,
    /// What keys and latencies are drawn from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Nodes that join at the same time
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub joining_at_once: u32,
    /// How long they are left alone after that, in milliseconds, before what they take when idle is measured
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub quiet_ms: u32,
    /// Nodes that join one by one once all is quiet
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub newcomers: u32,
    /// Times that a node tells something new of itself
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub news: u32,
    /// Times that a node shares another tool
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub tools: u32,
    /// Times that a node asks another one, linked or not
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub calls: u32,
    /// Run the same in the simulated world, and print both
    #[arg(long)]
    pub compare: bool,
}

impl Swarm {
    /// What is run.
    pub fn plan(&self) -> SwarmPlan {
        SwarmPlan {
            nodes: self.nodes,
            latency: self.latency.0,
            seed: self.seed,
            joining_at_once: self.joining_at_once,
            quiet_ms: self.quiet_ms,
            newcomers: self.newcomers,
            news: self.news,
            tools: self.tools,
            calls: self.calls,
        }
    }
}

/// A range of latencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency(pub LatencyRange);

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is no range of milliseconds; 10..100 is one");
        let (min, max) = text.split_once("..").ok_or_else(wrong)?;
        let min_ms = min.parse().map_err(|_| wrong())?;
        let max_ms = max.parse().map_err(|_| wrong())?;
        match min_ms <= max_ms {
            true => Ok(Self(LatencyRange { min_ms, max_ms })),
            false => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_a_range_of_milliseconds() {
        let range = LatencyRange {
            min_ms: 10,
            max_ms: 100,
        };
        assert_eq!("10..100".parse(), Ok(Latency(range)));
        for wrong in ["10", "100..10", "a..b", "..", "-1..5"] {
            assert!(wrong.parse::<Latency>().is_err(), "{wrong}");
        }
    }
}
