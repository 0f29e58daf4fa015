//! The same plan in the simulated world, and how far its medians are from what real nodes took.

use serde::{Deserialize, Serialize};

use super::measure::micros;
use super::outcome::SwarmOutcome;
use crate::action::{Action, TimedAction};
use crate::distribution::Distribution;
use crate::network_profile::{Latency, NetworkProfile};
use crate::outcome::{Options, Outcome, Sample, Trace};
use crate::plan::{DiskProfile, NodeNumber, NodePlan, Plan, ServerPlan};
use crate::world;

/// Virtual time between two things that are done once all have joined.
const PAUSE_US: u64 = 3_000_000;
/// Virtual time in which everything comes to rest.
const SETTLE_US: u64 = 30_000_000;
/// Virtual time between two samples: the error of when all rosters were complete.
const SAMPLE_US: u64 = 20_000;
/// What a node can send: in one process nothing limits it.
const BYTES_PER_SECOND: u64 = 1_000_000_000;
/// What a synced write takes where the real nodes run.
const DISK: DiskProfile = DiskProfile {
    write_min_us: 200,
    write_max_us: 3_000,
};

/// What real nodes took and what the world says they take.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// One line for each measure.
    pub rows: Vec<Row>,
    /// The check of the world that failed, if one did.
    pub violation: Option<String>,
}

/// One measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What is measured.
    pub what: String,
    /// At real nodes.
    pub real: f64,
    /// In the world.
    pub world: f64,
}

impl Row {
    /// By how much the world is over (or, below zero, under) what is real, in percent.
    pub fn difference(&self) -> f64 {
        (self.world / self.real - 1.0) * 100.0
    }
}

/// Runs in the world what `real` came of; joins begin when they began there.
pub fn compare(real: &SwarmOutcome) -> Comparison {
    let plan = world_plan(real);
    let options = Options {
        trace: Trace::HashOnly,
        sample_us: SAMPLE_US,
        spreads: real.plan.tools as usize,
    };
    let world = world::run(&plan, &options);
    Comparison {
        rows: rows(real, &world),
        violation: world.violation.map(|violation| violation.what),
    }
}

fn rows(real: &SwarmOutcome, world: &Outcome) -> Vec<Row> {
    let statistics = &world.statistics;
    let gossip: Distribution = statistics
        .spreads
        .iter()
        .flat_map(|spread| spread.arrivals_us.iter().copied())
        .collect();
    let to_all = statistics.spreads.iter();
    let to_all: Distribution = to_all
        .filter_map(|s| s.arrivals_us.last().copied())
        .collect();
    let complete = complete_us(real, world);
    let alone = u64::from(real.plan.newcomers);
    let newcomers = last(&statistics.join_us, alone);
    let listed = last(
        &statistics.join_known_us,
        alone * u64::from(real.plan.nodes),
    );
    let times = [
        ("join alone, ms", &real.newcomer_join_us, &newcomers),
        (
            "join listed elsewhere, ms",
            &real.newcomer_known.known_us,
            &listed,
        ),
        (
            "news known at a node, ms",
            &real.news_known.known_us,
            &gossip,
        ),
        (
            "news known at all nodes, ms",
            &real.news_known.all_us,
            &to_all,
        ),
        (
            "tools listed at a node, ms",
            &real.tools_known.known_us,
            &statistics.change_known_us,
        ),
    ];
    let median = |times: &Distribution| times.quantile(0.5).map(|median| median as f64);
    let mut rows: Vec<Row> = times
        .into_iter()
        .filter_map(|(what, real, world)| row(what, median(real)? / 1e3, median(world)? / 1e3))
        .collect();
    let complete = real.complete_us.zip(complete);
    rows.extend(complete.and_then(|(real, world)| {
        row(
            "every roster complete, ms",
            real as f64 / 1e3,
            world as f64 / 1e3,
        )
    }));
    let firsts = statistics.gossip_first_us.count.max(1) as f64;
    let duplicates = statistics.gossip_duplicates as f64 / firsts;
    rows.extend(row(
        "copies in vain, a message",
        real.duplicates_per_message,
        duplicates,
    ));
    let links = real.links.mean().zip(links_when_quiet(real, world));
    rows.extend(links.and_then(|(real, world)| row("links, a node (mean)", real, world)));
    rows
}

/// Those that were measured last: newcomers come when all others have joined.
fn last(times: &Distribution, count: u64) -> Distribution {
    let kept = &times.kept;
    let count = usize::try_from(count / times.stride).unwrap_or(usize::MAX);
    let skipped = kept.len().saturating_sub(count);
    kept.iter().skip(skipped).copied().collect()
}

fn row(what: &str, real: f64, world: f64) -> Option<Row> {
    let what = what.to_owned();
    (real > 0.0).then_some(Row { what, real, world })
}

/// From the first join to every roster complete.
fn complete_us(real: &SwarmOutcome, world: &Outcome) -> Option<u64> {
    let complete = first_complete(real, world)?;
    Some(complete.at_us.saturating_sub(FIRST_JOIN_US))
}

/// The first sample at which everybody who does not come later has a complete roster.
fn first_complete<'a>(real: &SwarmOutcome, world: &'a Outcome) -> Option<&'a Sample> {
    let nodes = real.plan.nodes;
    let series = &world.statistics.series;
    series
        .iter()
        .find(|sample| sample.complete == nodes && sample.members == nodes)
}

/// Links of each node on average, as long after that as the real ones were counted.
fn links_when_quiet(real: &SwarmOutcome, world: &Outcome) -> Option<f64> {
    let at_us = first_complete(real, world)?.at_us + micros(real.plan.quiet());
    let mut series = world.statistics.series.iter();
    let sample = series.find(|sample| sample.at_us >= at_us)?;
    Some(2.0 * sample.links as f64 / f64::from(sample.members.max(1)))
}

/// When the first node joins: the world is a moment old.
const FIRST_JOIN_US: u64 = 1_000_000;

fn world_plan(real: &SwarmOutcome) -> Plan {
    let plan = real.plan;
    let count = plan.nodes + plan.newcomers;
    let joined = FIRST_JOIN_US + real.join_began_us.iter().copied().max().unwrap_or(0);
    // What the real swarm waited for, the world waits for too: all is quiet before a newcomer comes.
    let quiet = joined + 2 * SETTLE_US;
    let newcomer_at = |number: u32| quiet + u64::from(number - plan.nodes) * PAUSE_US;
    let joins_at = |number: u32| match number.checked_sub(1) {
        None => None,
        Some(_) if number >= plan.nodes => Some(newcomer_at(number)),
        Some(place) => real
            .join_began_us
            .get(place as usize)
            .map(|began| FIRST_JOIN_US + began),
    };
    let tools_from = newcomer_at(count) + SETTLE_US;
    Plan {
        scenario: "swarm".to_owned(),
        seed: plan.seed,
        nodes: (0..count)
            .map(|number| node(number, joins_at(number)))
            .collect(),
        network: network(real, count),
        disk: DISK,
        named_regions: false,
        actions: (0..plan.tools)
            .map(|round| share(round, count, tools_from))
            .collect(),
        certificate_ms: None,
        settle_us: SETTLE_US,
    }
}

fn node(number: u32, joins_at_us: Option<u64>) -> NodePlan {
    NodePlan {
        number: NodeNumber(number),
        name: format!("node-{number}"),
        // Every node is a region of its own, so that each pair has its own latency.
        region: u16::try_from(number).unwrap_or(u16::MAX),
        admin: false,
        joins_at_us,
        clock_skew_ms: 0,
        servers: Vec::new(),
    }
}

fn share(round: u32, count: u32, from_us: u64) -> TimedAction {
    TimedAction {
        at_us: from_us + u64::from(round) * PAUSE_US,
        action: Action::SetServers {
            node: NodeNumber((round * 37 + 1) % count),
            servers: vec![ServerPlan {
                name: "files".to_owned(),
                share: true,
                tools: 1,
                edition: round,
            }],
        },
    }
}

/// The latencies of the real swarm, pair by pair.
fn network(real: &SwarmOutcome, count: u32) -> NetworkProfile {
    let plan = real.plan;
    let latency = |one: u32, other: u32| {
        let latency = plan.latency.between(plan.seed, one, other);
        Latency {
            min_us: micros(latency),
            tail_mean_us: 0,
        }
    };
    let regions = (0..count)
        .map(|one| (0..count).map(|other| latency(one, other)).collect())
        .collect();
    NetworkProfile {
        regions,
        loss: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        bytes_per_second: BYTES_PER_SECOND,
    }
}
