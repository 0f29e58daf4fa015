//! Latency, loss, bandwidth and partitions: how long what one node sends takes to another, or that it does not pass.

use std::collections::BTreeMap;

use crate::action::Direction;
use crate::network_profile::NetworkProfile;
use crate::randomness::Randomness;

/// First pause before a lost packet is sent again, in microseconds; doubled each time.
const RETRANSMISSION_US: u64 = 200_000;
/// Packets lost in a row that are still made up for; more than a link survives anyway.
const RETRANSMISSIONS_MAX: u32 = 5;

/// The network of one world. Nodes are named by their place in it.
pub(crate) struct Network {
    profile: NetworkProfile,
    regions: Vec<u16>,
    randomness: Randomness,
    /// When the wire of each node is free again.
    free_at_us: Vec<u64>,
    /// Partitions in force, by the place of their action.
    partitions: BTreeMap<usize, Partition>,
    /// Ways between two nodes that are cut, by the place of their action.
    ways: BTreeMap<usize, (usize, usize)>,
    /// Degradations in force, by the place of their action.
    degradations: BTreeMap<usize, Degradation>,
}

/// A cut through the network.
pub(crate) struct Partition {
    /// Whether each node is on the named side.
    pub(crate) side: Vec<bool>,
    pub(crate) direction: Direction,
}

/// A network made worse for some.
pub(crate) struct Degradation {
    /// Whether each node is concerned.
    pub(crate) nodes: Vec<bool>,
    pub(crate) loss: f64,
    pub(crate) duplicate: f64,
    pub(crate) reorder: f64,
    pub(crate) latency_factor: f64,
}

impl Network {
    pub(crate) fn new(profile: NetworkProfile, regions: Vec<u16>, seed: u64) -> Self {
        let free_at_us = vec![0; regions.len()];
        Self {
            profile,
            regions,
            randomness: Randomness::new(seed, "network"),
            free_at_us,
            partitions: BTreeMap::new(),
            ways: BTreeMap::new(),
            degradations: BTreeMap::new(),
        }
    }

    pub(crate) fn cut(&mut self, action: usize, partition: Partition) {
        self.partitions.insert(action, partition);
    }

    pub(crate) fn cut_way(&mut self, action: usize, ends: (usize, usize)) {
        self.ways.insert(action, ends);
    }

    /// Whether two nodes are in different regions.
    pub(crate) fn is_across(&self, one: usize, other: usize) -> bool {
        self.regions[one] != self.regions[other]
    }

    pub(crate) fn degrade(&mut self, action: usize, degradation: Degradation) {
        self.degradations.insert(action, degradation);
    }

    /// What the action began is over; says whether something passes again.
    pub(crate) fn mend(&mut self, action: usize) -> bool {
        self.degradations.remove(&action);
        let way = self.ways.remove(&action);
        self.partitions.remove(&action).is_some() || way.is_some()
    }

    /// Whether anything passes from one node to another now.
    pub(crate) fn passes(&self, from: usize, to: usize) -> bool {
        let is_way = |ends: &(usize, usize)| *ends == (from, to) || *ends == (to, from);
        !self.partitions.values().any(|cut| cut.stops(from, to)) && !self.ways.values().any(is_way)
    }

    /// When `bytes` sent by `from` now arrive at `to`.
    pub(crate) fn arrival_us(&mut self, now_us: u64, from: usize, to: usize, bytes: usize) -> u64 {
        let on_wire = self.on_wire_us(bytes);
        let sent_at = self.free_at_us[from].max(now_us) + on_wire;
        self.free_at_us[from] = sent_at;
        sent_at + self.delay_us(from, to)
    }

    /// Whether a message from one node to another arrives twice.
    pub(crate) fn duplicates(&mut self, from: usize, to: usize) -> bool {
        let worse = self.concerning(from, to).map(|d| d.duplicate);
        let chance = self.profile.duplicate + worse.sum::<f64>();
        self.randomness.chance(chance)
    }

    /// One-way latency, with what losses and reordering add to it, in microseconds.
    pub(crate) fn delay_us(&mut self, from: usize, to: usize) -> u64 {
        let latency = self.profile.latency(self.regions[from], self.regions[to]);
        let (mut loss, mut reorder, mut factor) = (self.profile.loss, self.profile.reorder, 1.0);
        for worse in self.concerning(from, to) {
            loss += worse.loss;
            reorder += worse.reorder;
            factor *= worse.latency_factor;
        }
        let tail = self.randomness.exponential(latency.tail_mean_us);
        let mut delay = ((latency.min_us + tail) as f64 * factor) as u64;
        if self.randomness.chance(reorder) {
            delay += self.randomness.below(delay.saturating_mul(3));
        }
        let lost = (0..RETRANSMISSIONS_MAX).take_while(|_| self.randomness.chance(loss));
        let pause = |attempt: u32| RETRANSMISSION_US << attempt;
        delay + lost.map(pause).sum::<u64>()
    }

    /// One-way latency on average, while nothing goes wrong, in microseconds.
    pub(crate) fn usual_delay_us(&self, from: usize, to: usize) -> u64 {
        let latency = self.profile.latency(self.regions[from], self.regions[to]);
        latency.min_us + latency.tail_mean_us
    }

    fn on_wire_us(&self, bytes: usize) -> u64 {
        (bytes as u64).saturating_mul(1_000_000) / self.profile.bytes_per_second.max(1)
    }

    fn concerning(&self, from: usize, to: usize) -> impl Iterator<Item = &Degradation> {
        let all = self.degradations.values();
        all.filter(move |worse| worse.nodes[from] || worse.nodes[to])
    }
}

impl Partition {
    fn stops(&self, from: usize, to: usize) -> bool {
        match self.direction {
            Direction::Both => self.side[from] != self.side[to],
            Direction::Inbound => !self.side[from] && self.side[to],
            Direction::Outbound => self.side[from] && !self.side[to],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network_profile::Latency;

    fn network(loss: f64) -> Network {
        let latency = |min_us| Latency {
            min_us,
            tail_mean_us: 0,
        };
        let profile = NetworkProfile {
            regions: vec![
                vec![latency(1_000), latency(40_000)],
                vec![latency(40_000), latency(1_000)],
            ],
            loss,
            duplicate: 0.0,
            reorder: 0.0,
            bytes_per_second: 1_000_000,
        };
        Network::new(profile, vec![0, 0, 1], 1)
    }

    #[test]
    fn what_is_sent_at_once_waits_for_the_wire() {
        let mut network = network(0.0);
        assert_eq!(network.arrival_us(0, 0, 1, 10_000), 11_000);
        assert_eq!(network.arrival_us(0, 0, 2, 10_000), 60_000);
        assert_eq!(
            network.arrival_us(0, 1, 0, 0),
            1_000,
            "another node has its own wire"
        );
    }

    #[test]
    fn a_partition_of_one_direction_lets_the_other_pass() {
        let mut network = network(0.0);
        let partition = Partition {
            side: vec![true, false, false],
            direction: Direction::Outbound,
        };
        network.cut(4, partition);
        assert!(!network.passes(0, 1) && network.passes(1, 0) && network.passes(1, 2));
        assert!(network.mend(4));
        assert!(network.passes(0, 1));
    }

    #[test]
    fn losses_cost_time() {
        let mut lossy = network(0.5);
        let delays: Vec<u64> = (0..200).map(|_| lossy.delay_us(0, 1)).collect();
        assert!(delays.contains(&1_000) && delays.contains(&201_000));
    }

    #[test]
    fn a_degradation_concerns_its_nodes_only() {
        let mut network = network(0.0);
        let degradation = Degradation {
            nodes: vec![true, false, false],
            loss: 0.0,
            duplicate: 1.0,
            reorder: 0.0,
            latency_factor: 4.0,
        };
        network.degrade(0, degradation);
        assert_eq!(
            (network.delay_us(0, 1), network.delay_us(1, 2)),
            (4_000, 40_000)
        );
        assert!(network.duplicates(1, 0) && !network.duplicates(1, 2));
    }
}
