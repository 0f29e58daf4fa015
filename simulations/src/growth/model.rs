//! A model of gossip and presence for more nodes than are run: labelled a model wherever it is shown.
//!
//! One announcement floods from its publisher to all its links and from there along each node's mesh, a random graph;
//! latencies, losses and regions are the network profile's. Left out: bandwidth, heartbeats, validation, churn. A
//! calibration on the sizes that were run as shipped says how far off that is, and corrects it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use peerage_protocol::limits::PULSE_INTERVAL;
use serde::{Deserialize, Serialize};

use super::measured::Measured;
use crate::network_profile::NetworkProfile;
use crate::outcome::Statistics;
use crate::randomness::Randomness;

/// Sizes that are modelled.
pub const SIZES: [u32; 5] = [3_000, 10_000, 30_000, 60_000, 100_000];

/// Links along which a node pushes.
const MESH: u32 = 10;
/// Links of a node of a large mesh: those it dials, and those that dial it.
const LINKS: u32 = 16;
/// A pulse and its answer on the wire, with encryption, QUIC, UDP and IP. Assumed, not measured.
const PULSE_BYTES: f64 = 160.0;
/// A summary's question and answer on the wire beside its buckets. Assumed, not measured.
const RECONCILIATION_BYTES: f64 = 260.0;
const RECONCILIATION_SECONDS: f64 = 5.0;
/// Members that share a bucket of a summary, and its most buckets, of eight bytes each.
const MEMBERS_PER_BUCKET: u32 = 4;
const BUCKETS_MAX: u32 = 1_024;
/// The pause before a lost packet is sent again, doubled each time.
const RETRANSMISSION_US: u64 = 200_000;
/// Announcements from each region that are averaged over.
const ANNOUNCEMENTS: usize = 3;

/// What the model says of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Modelled {
    /// Nodes.
    pub nodes: u32,
    /// Time until half of the nodes have an announcement, in microseconds.
    pub spread_half_us: f64,
    /// Time until 99 % of the nodes have an announcement, in microseconds.
    pub spread_most_us: f64,
    /// Copies of each announcement that a node gets beyond the first.
    pub duplicates: f64,
    /// What a node sends per second while nothing happens, in bytes: pulses and reconciliation.
    pub rest_bytes_per_second: f64,
}

/// How the model compares with what was run as shipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Sizes that were compared.
    pub sizes: Vec<u32>,
    /// Measured over modelled time until half have an announcement, by which the model is corrected.
    pub half: f64,
    /// The same until 99 % have it.
    pub most: f64,
    /// The largest relative error of the corrected model at a size that was compared.
    pub error: f64,
}

/// Models `sizes` on `network`.
pub fn model(network: &NetworkProfile, sizes: &[u32], seed: u64) -> Vec<Modelled> {
    let of_size = |nodes: &u32| one(network, *nodes, seed);
    sizes.iter().map(of_size).collect()
}

/// Compares the model with the runs in which gossip had to take more than one hop; `None` where there is none.
pub fn calibrate(network: &NetworkProfile, runs: &[Measured], seed: u64) -> Option<Calibration> {
    let compared = runs
        .iter()
        .filter(|run| run.nodes >= 2 * LINKS)
        .filter_map(|run| {
            let modelled = one(network, run.nodes, seed);
            let half = run.spread_half_us? as f64 / modelled.spread_half_us;
            let most = run.spread_most_us? as f64 / modelled.spread_most_us;
            Some((run.nodes, half, most))
        });
    let compared: Vec<(u32, f64, f64)> = compared.collect();
    let count = compared.len() as f64;
    let mean = |of: fn(&(u32, f64, f64)) -> f64| {
        let logarithms = compared.iter().map(|ratio| of(ratio).ln());
        (logarithms.sum::<f64>() / count).exp()
    };
    let (half, most) = (mean(|ratio| ratio.1), mean(|ratio| ratio.2));
    let errors = compared
        .iter()
        .flat_map(|ratio| [ratio.1 / half - 1.0, ratio.2 / most - 1.0]);
    (!compared.is_empty()).then(|| Calibration {
        sizes: compared.iter().map(|ratio| ratio.0).collect(),
        half,
        most,
        error: errors.fold(0.0, |worst, error| worst.max(error.abs())),
    })
}

impl Modelled {
    /// The same, corrected.
    #[must_use]
    pub fn corrected(mut self, calibration: &Calibration) -> Self {
        self.spread_half_us *= calibration.half;
        self.spread_most_us *= calibration.most;
        self
    }
}

fn one(network: &NetworkProfile, nodes: u32, seed: u64) -> Modelled {
    let mut randomness = Randomness::new(seed, &format!("model of {nodes}"));
    let mut arrivals = Statistics::default().gossip_first_us;
    let mut copies = 0;
    for announcement in 0..ANNOUNCEMENTS * network.regions.len().max(1) {
        let publisher = (announcement / ANNOUNCEMENTS) as u16;
        let (at_us, sent) = spread(network, nodes, publisher, &mut randomness);
        at_us.iter().skip(1).for_each(|at_us| arrivals.add(*at_us));
        copies += sent;
    }
    let quantile = |share| arrivals.quantile(share).unwrap_or(0) as f64;
    Modelled {
        nodes,
        spread_half_us: quantile(0.5),
        spread_most_us: quantile(0.99),
        duplicates: (copies.saturating_sub(arrivals.count)) as f64 / arrivals.count.max(1) as f64,
        rest_bytes_per_second: at_rest(nodes),
    }
}

/// First arrivals of one announcement at the nodes it reaches, in order, its publisher's first; and copies sent. The publisher
/// is in the region `publisher`.
fn spread(
    network: &NetworkProfile,
    nodes: u32,
    publisher: u16,
    randomness: &mut Randomness,
) -> (Vec<u64>, u64) {
    let regions = network.regions.len().max(1) as u64;
    let mut region: Vec<u16> = (0..nodes)
        .map(|_| randomness.below(regions) as u16)
        .collect();
    region[0] = publisher;
    let mesh = random_graph(nodes, MESH, randomness);
    let mut known = vec![false; nodes as usize];
    let mut arriving = BinaryHeap::from([Reverse((0, 0_u32, 0_u32))]);
    let mut first = Vec::with_capacity(nodes as usize);
    let mut copies = 0;
    while let Some(Reverse((at_us, node, from))) = arriving.pop() {
        if std::mem::replace(&mut known[node as usize], true) {
            continue;
        }
        let told = match first.is_empty() {
            true => links_of_publisher(nodes, &mesh[0], randomness),
            false => mesh[node as usize].clone(),
        };
        first.push(at_us);
        for other in told.into_iter().filter(|other| *other != from) {
            copies += 1;
            let latency = latency_us(
                network,
                region[node as usize],
                region[other as usize],
                randomness,
            );
            arriving.push(Reverse((at_us + latency, other, node)));
        }
    }
    (first, copies)
}

/// A publisher tells all its links, not its mesh alone.
fn links_of_publisher(nodes: u32, mesh: &[u32], randomness: &mut Randomness) -> Vec<u32> {
    let more = (mesh.len()..LINKS as usize).map(|_| randomness.below(u64::from(nodes)) as u32);
    mesh.iter().copied().chain(more).collect()
}

/// Undirected: each node chooses half of its links, others choose it.
fn random_graph(nodes: u32, degree: u32, randomness: &mut Randomness) -> Vec<Vec<u32>> {
    let mut graph = vec![Vec::with_capacity(degree as usize + 4); nodes as usize];
    for node in 0..nodes {
        for _ in 0..degree / 2 {
            let other = randomness.below(u64::from(nodes)) as u32;
            if other != node {
                graph[node as usize].push(other);
                graph[other as usize].push(node);
            }
        }
    }
    graph
}

fn latency_us(network: &NetworkProfile, from: u16, to: u16, randomness: &mut Randomness) -> u64 {
    let latency = network.latency(from, to);
    let mut total = latency.min_us + randomness.exponential(latency.tail_mean_us);
    let mut pause = RETRANSMISSION_US;
    while randomness.chance(network.loss) && pause < RETRANSMISSION_US << 5 {
        total += pause;
        pause *= 2;
    }
    total
}

/// What a node sends per second while nothing happens.
fn at_rest(nodes: u32) -> f64 {
    let links = f64::from(LINKS.min(nodes.saturating_sub(1)));
    let pulses = links * PULSE_BYTES / PULSE_INTERVAL.as_secs_f64();
    let buckets = nodes
        .div_ceil(MEMBERS_PER_BUCKET)
        .next_power_of_two()
        .min(BUCKETS_MAX);
    let reconciliation = (f64::from(buckets) * 8.0 + RECONCILIATION_BYTES) / RECONCILIATION_SECONDS;
    pulses + reconciliation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn network() -> NetworkProfile {
        samples::plan(1, Vec::new()).network
    }

    #[test]
    fn an_announcement_reaches_everyone_in_a_time_that_grows_slowly() {
        let modelled = model(&network(), &[100, 10_000], 1);
        let (few, many) = (&modelled[0], &modelled[1]);
        assert!(many.spread_most_us > few.spread_most_us);
        assert!(
            many.spread_most_us < 4.0 * few.spread_most_us,
            "{modelled:?}"
        );
        assert!((7.0..10.0).contains(&many.duplicates), "{modelled:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_model() {
        assert_eq!(model(&network(), &[500], 1), model(&network(), &[500], 1));
        assert_ne!(model(&network(), &[500], 1), model(&network(), &[500], 2));
    }

    #[test]
    fn a_calibration_makes_the_model_say_what_was_measured() {
        let [modelled] = &model(&network(), &[500], 1)[..] else {
            unreachable!("one size was asked for")
        };
        let run = Measured {
            nodes: 500,
            spread_half_us: Some((modelled.spread_half_us * 2.0) as u64),
            spread_most_us: Some((modelled.spread_most_us * 3.0) as u64),
            virtual_us: 0,
            wall_us: 0,
            events: 0,
            messages: 0,
            bytes: 0,
            links: 16.0,
            resident: None,
            duplicates: None,
            violation: None,
        };
        let calibration = calibrate(&network(), &[run], 1).unwrap_or_else(|| unreachable!());
        assert!((calibration.half - 2.0).abs() < 0.01, "{calibration:?}");
        assert!((calibration.most - 3.0).abs() < 0.01, "{calibration:?}");
        assert!(calibration.error < 1e-9);
        assert_eq!(calibrate(&network(), &[], 1), None);
    }
}
