//! What many runs showed, as data: written as JSON, drawn as HTML, and summed up on the terminal.

mod check_names;
pub mod curve;
pub mod html;
pub mod plot;
pub mod tally;
pub mod terminal;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::growth::Growth;
use crate::outcome::{Sample, Violation};
pub use check_names::check_names;
use curve::Curve;

/// The version of [`Report`] as it is written.
pub const VERSION: u32 = 1;

/// What many runs showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// The program that made it, with its version.
    pub made_by: String,
    /// The names of the checks, in the order in which they are told.
    pub checks: Vec<String>,
    /// Each scenario that was run.
    pub scenarios: Vec<ScenarioReport>,
    /// How costs grow, where that was measured.
    pub growth: Option<Growth>,
}

/// What the seeds of one scenario showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScenarioReport {
    /// Its name.
    pub scenario: String,
    /// What it is about.
    pub about: String,
    /// Nodes of each run.
    pub nodes: u32,
    /// The first seed that was to be run.
    pub first_seed: u64,
    /// How many seeds were to be run.
    pub seeds: u64,
    /// How many were run.
    pub run: u64,
    /// How many failed.
    pub failed: u64,
    /// How many failed each check.
    pub failed_checks: BTreeMap<String, u64>,
    /// The failures, as many as are kept.
    pub failures: Vec<Failure>,
    /// Sums over all runs.
    pub totals: Totals,
    /// Faults and other actions, by kind.
    pub actions: BTreeMap<String, u64>,
    /// Claims that a gate turned away, by reason.
    pub refusals: BTreeMap<String, u64>,
    /// Bytes sent, by kind of message.
    #[serde(default)]
    pub traffic: BTreeMap<String, u64>,
    /// Inputs given to nodes, by kind.
    #[serde(default)]
    pub inputs: BTreeMap<String, u64>,
    /// Gossip messages published, by what they tell of.
    #[serde(default)]
    pub gossip_about: BTreeMap<String, u64>,
    /// What nodes made of gossip messages that came first.
    #[serde(default)]
    pub gossip_judged: BTreeMap<String, u64>,
    /// The largest each bounded thing has been at any node.
    pub peaks: BTreeMap<String, u64>,
    /// Distributions over all runs.
    pub curves: Curves,
    /// How runs went over time, on average.
    pub course: Vec<Moment>,
    /// How the first seed went.
    pub first_course: Vec<Sample>,
}

/// Sums over runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Wall time of all threads, in milliseconds.
    pub wall_ms: u64,
    /// Virtual time, in microseconds.
    pub virtual_us: u64,
    /// Events.
    pub events: u64,
    /// Messages sent.
    pub messages: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Bytes sent from one region to another.
    #[serde(default)]
    pub bytes_across: u64,
    /// Dials begun.
    pub dials: u64,
    /// Connections that passed the gate.
    pub connections: u64,
    /// Gossip messages published.
    pub gossip_published: u64,
    /// Copies that arrived where one had been.
    pub gossip_duplicates: u64,
    /// Nodes that a gossip message never reached.
    pub gossip_missed: u64,
    /// Runs that converged, of those whose convergence was looked at.
    pub converged: u64,
}

/// Distributions over all runs of a scenario; times in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// From the beginning of a join to the joiner's certificate.
    pub join: Curve,
    /// From a joiner's certificate to each other node's roster that has it.
    pub join_known: Curve,
    /// From a change of shared tools to each other node's catalog that shows it.
    pub change_known: Curve,
    /// From a crash to everybody else who notices.
    #[serde(default)]
    pub crash_known: Curve,
    /// From the publication of a gossip message to its first arrival at each node.
    pub gossip_first: Curve,
    /// From the end of the last fault to convergence, of each run.
    pub convergence: Curve,
    /// Bytes sent by each node.
    pub bytes_per_node: Curve,
    /// Messages sent by each node.
    pub messages_per_node: Curve,
    /// Links of each node at the end.
    pub links_per_node: Curve,
}

/// Runs at one moment, on average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// When, in microseconds since the world's beginning.
    pub at_us: u64,
    /// How many runs went on so long.
    pub runs: u64,
    /// Bytes that each running node sent per second since the moment before.
    pub bytes_per_node_second: f64,
    /// Nodes running.
    pub up: f64,
    /// Nodes running that belong to the mesh.
    pub members: f64,
}

/// A seed that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// What failed.
    pub violation: Violation,
    /// The same in words.
    pub told: String,
    /// The command that runs it again.
    pub replay: String,
    /// The smallest plan that fails alike, where it was shrunk.
    pub shrunk: Option<ShrunkFailure>,
}

/// A failure with what is not needed for it taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShrunkFailure {
    /// Actions of the plan before.
    pub actions_before: usize,
    /// Actions left.
    pub actions: usize,
    /// Nodes of the plan before.
    pub nodes_before: usize,
    /// Nodes left.
    pub nodes: usize,
    /// Runs that it took.
    pub runs: u32,
    /// Whether it was ended before it was done, so that less might do.
    pub exhausted: bool,
    /// The plan in words.
    pub plan: Vec<String>,
    /// The end of its trace.
    pub trace: Vec<String>,
}

impl Report {
    /// A report of these scenarios, in which these checks looked; made by this program.
    pub fn new(scenarios: Vec<ScenarioReport>, checks: Vec<String>) -> Self {
        Self {
            version: VERSION,
            made_by: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
            checks,
            scenarios,
            growth: None,
        }
    }

    /// Seeds that were run and seeds that failed.
    pub fn run_and_failed(&self) -> (u64, u64) {
        let each = self.scenarios.iter();
        let sums = each.map(|scenario| (scenario.run, scenario.failed));
        sums.fold((0, 0), |(run, failed), (more, worse)| {
            (run + more, failed + worse)
        })
    }
}

impl ScenarioReport {
    /// Virtual time for each unit of wall time on one thread; 0 where nothing was run.
    pub fn times_real(&self) -> f64 {
        match self.totals.wall_ms {
            0 => 0.0,
            wall_ms => self.totals.virtual_us as f64 / 1_000.0 / wall_ms as f64,
        }
    }
}
