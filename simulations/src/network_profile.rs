//! How the network behaves while nothing is done to it.

use serde::{Deserialize, Serialize};

/// The network between the nodes of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkProfile {
    /// One-way latency within and between regions: `regions[a][b]` for what goes from region `a` to region `b`.
    pub regions: Vec<Vec<Latency>>,
    /// Chance that a packet is lost, from 0 to 1. Links are reliable: a loss costs time.
    pub loss: f64,
    /// Chance that an exchange or a gossip message arrives twice.
    pub duplicate: f64,
    /// Chance that a message is held back by up to three times its latency, behind what was sent after it.
    pub reorder: f64,
    /// What one node can send, in bytes a second.
    pub bytes_per_second: u64,
}

/// A distribution of one-way latencies: `min_us` plus an exponential tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// The least, in microseconds.
    pub min_us: u64,
    /// The mean of what comes on top, in microseconds.
    pub tail_mean_us: u64,
}

impl NetworkProfile {
    /// The latency of what goes from one region to another; that of the first region where there is no such region.
    pub fn latency(&self, from: u16, to: u16) -> Latency {
        let place = |region: u16| usize::from(region).min(self.regions.len().saturating_sub(1));
        let row = self.regions.get(place(from));
        let latency = row.and_then(|row| row.get(place(to)).or(row.first()));
        latency.copied().unwrap_or(Latency {
            min_us: 1_000,
            tail_mean_us: 0,
        })
    }
}
