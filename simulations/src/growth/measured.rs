//! Runs of growing size: what each node costs, and how long it takes.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::resident::resident;
use crate::distribution::Distribution;
use crate::outcome::{Options, Outcome, Spread, Violation};
use crate::plan::Plan;
use crate::report::plot::axis::Unit;
use crate::runner::Engine;
use crate::runner::attempt::attempt;

/// Sizes that are run, as far as the time allows.
pub const SIZES: [u32; 8] = [10, 20, 50, 100, 300, 1_000, 2_000, 3_000];

/// How long after the last join everyone is taken to be in the mesh.
const SETTLED_US: u64 = 5_000_000;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Nodes.
    pub nodes: u32,
    /// Virtual time, in microseconds.
    pub virtual_us: u64,
    /// Wall time, in microseconds.
    pub wall_us: u64,
    /// Events.
    pub events: u64,
    /// Messages sent.
    pub messages: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Links of a node at the end, on average.
    pub links: f64,
    /// Bytes by which the process grew at its peak; none where the system does not tell.
    pub resident: Option<u64>,
    /// Time until half of the nodes had an announcement, in microseconds.
    pub spread_half_us: Option<u64>,
    /// Time until 99 % of the nodes had an announcement, in microseconds.
    pub spread_most_us: Option<u64>,
    /// Copies of each announcement that a node got beyond the first.
    pub duplicates: Option<f64>,
    /// What failed, if anything did.
    pub violation: Option<Violation>,
}

/// A cost that a law is sought for.
pub struct Cost {
    /// What it is called.
    pub name: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    of: fn(&Measured) -> Option<f64>,
}

/// Every cost.
pub const COSTS: [Cost; 5] = [
    Cost {
        name: "events per node",
        unit: Unit::Count,
        of: |run| Some(run.events as f64 / f64::from(run.nodes)),
    },
    Cost {
        name: "messages per node",
        unit: Unit::Count,
        of: |run| Some(run.messages as f64 / f64::from(run.nodes)),
    },
    Cost {
        name: "bytes per node",
        unit: Unit::Bytes,
        of: |run| Some(run.bytes as f64 / f64::from(run.nodes)),
    },
    Cost {
        name: "memory per node",
        unit: Unit::Bytes,
        of: |run| {
            run.resident
                .map(|bytes| bytes as f64 / f64::from(run.nodes))
        },
    },
    Cost {
        name: "wall time of the run",
        unit: Unit::Time,
        of: |run| Some(run.wall_us as f64),
    },
];

impl Cost {
    /// Nodes and cost of each run that measured it.
    pub fn points(&self, runs: &[Measured]) -> Vec<(f64, f64)> {
        let point = |run: &Measured| Some((f64::from(run.nodes), (self.of)(run)?));
        runs.iter().filter_map(point).collect()
    }
}

/// Runs one plan after the other, the smallest first, until one has failed or the next would outlast `within`, wall
/// time being taken to grow with the square of the size. Gives each run to `done`.
pub fn measure(
    engine: Engine<'_>,
    plans: impl Iterator<Item = Plan>,
    within: Duration,
    done: &mut dyn FnMut(&Measured),
) -> Vec<Measured> {
    let began = Instant::now();
    let mut runs: Vec<Measured> = Vec::new();
    for plan in plans {
        if let Some(last) = runs.last() {
            let larger = plan.nodes.len() as f64 / f64::from(last.nodes);
            let expected = Duration::from_micros((last.wall_us as f64 * larger.powf(2.1)) as u64);
            if last.violation.is_some() || began.elapsed() + expected > within {
                break;
            }
        }
        let run = measure_one(engine, &plan);
        done(&run);
        runs.push(run);
    }
    runs
}

fn measure_one(engine: Engine<'_>, plan: &Plan) -> Measured {
    let before = resident();
    let began = Instant::now();
    let outcome = attempt(engine, plan, &Options::default());
    let wall_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let grown = resident()
        .zip(before)
        .map(|(after, before)| after.peak.saturating_sub(before.now));
    read(plan, outcome, wall_us, grown)
}

fn read(plan: &Plan, outcome: Outcome, wall_us: u64, resident: Option<u64>) -> Measured {
    let statistics = outcome.statistics;
    let joined_us = plan
        .nodes
        .iter()
        .filter_map(|node| node.joins_at_us)
        .max()
        .unwrap_or(0);
    // Whoever joins hears old announcements late, which says nothing about how fast one spreads.
    let settled = |spread: &&Spread| spread.published_us > joined_us + SETTLED_US;
    let spreads: Vec<&Spread> = statistics.spreads.iter().filter(settled).collect();
    let arrivals = spreads.iter().flat_map(|spread| &spread.arrivals_us);
    let arrivals: Distribution = arrivals.copied().collect();
    let duplicates: u64 = statistics
        .spreads
        .iter()
        .map(|spread| spread.duplicates)
        .sum();
    Measured {
        nodes: plan.nodes.len() as u32,
        virtual_us: statistics.virtual_us,
        wall_us,
        events: statistics.events,
        messages: statistics.messages,
        bytes: statistics.bytes,
        links: statistics.links_per_node.mean().unwrap_or(0.0),
        resident,
        spread_half_us: arrivals.quantile(0.5),
        spread_most_us: arrivals.quantile(0.99),
        duplicates: (arrivals.count > 0).then(|| duplicates as f64 / arrivals.count as f64),
        violation: outcome.violation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn sizes(failing: usize) -> Vec<u32> {
        let engine = |plan: &Plan, _: &Options| {
            let failed = plan.nodes.len() >= failing;
            samples::outcome(plan, failed.then_some("bounds"))
        };
        let plans = [4, 8, 16].map(|nodes| samples::plan(nodes, Vec::new()));
        let runs = measure(
            &engine,
            plans.into_iter(),
            Duration::from_secs(60),
            &mut |_| (),
        );
        runs.iter().map(|run| run.nodes).collect()
    }

    #[test]
    fn every_size_is_run_until_one_fails() {
        assert_eq!(sizes(99), [4, 8, 16]);
        assert_eq!(sizes(8), [4, 8]);
    }

    #[test]
    fn nothing_larger_is_begun_once_the_time_is_over() {
        let engine = |plan: &Plan, _: &Options| samples::outcome(plan, None);
        let plans = [4, 8].map(|nodes| samples::plan(nodes, Vec::new()));
        let runs = measure(&engine, plans.into_iter(), Duration::ZERO, &mut |_| ());
        assert_eq!(runs.len(), 1);
        assert_eq!(COSTS[0].points(&runs), [(4.0, 25.0)]);
    }
}
