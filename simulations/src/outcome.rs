//! What came of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::distribution::Distribution;
use crate::plan::NodeNumber;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// BLAKE3 over every event and output in order, in lowercase hexadecimal: the same plan gives the same hash.
    pub trace_hash: String,
    /// The first check that failed; the run ended there.
    pub violation: Option<Violation>,
    /// What was measured.
    pub statistics: Statistics,
    /// The trace as lines of text, as far as [`Options::trace`] asked for it.
    pub trace: Vec<String>,
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// When, in microseconds since the world's beginning.
    pub at_us: u64,
    /// The name of the check.
    pub check: String,
    /// At which node, where it is one node's.
    pub node: Option<NodeNumber>,
    /// What is wrong, in a sentence.
    pub what: String,
}

/// What is measured in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Nodes in the plan.
    pub nodes: u32,
    /// Virtual time that passed, in microseconds.
    pub virtual_us: u64,
    /// Events handled.
    pub events: u64,
    /// Inputs given to nodes, by kind.
    pub inputs: BTreeMap<String, u64>,
    /// Outputs carried out, by kind.
    pub outputs: BTreeMap<String, u64>,
    /// Messages sent over the network.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that went from one region to another.
    #[serde(default)]
    pub bytes_across: u64,
    /// Bytes sent by kind of message.
    #[serde(default)]
    pub traffic: BTreeMap<String, u64>,
    /// Dials begun.
    pub dials: u64,
    /// Connections that passed the gate at both ends.
    pub connections: u64,
    /// Claims that a gate turned away, by reason.
    pub refusals: BTreeMap<String, u64>,
    /// Actions carried out, by kind.
    pub actions: BTreeMap<String, u64>,
    /// Messages sent by each node.
    pub messages_per_node: Distribution,
    /// Bytes sent by each node.
    pub bytes_per_node: Distribution,
    /// Links of each node at the end.
    pub links_per_node: Distribution,
    /// From the beginning of a join to the joiner's certificate, in microseconds.
    pub join_us: Distribution,
    /// From a joiner's certificate to each other node's roster that has it, in microseconds.
    pub join_known_us: Distribution,
    /// From a change of shared tools to each other node's catalog that shows it, in microseconds.
    pub change_known_us: Distribution,
    /// From the crash of a node to each other node that takes it for away, in microseconds.
    #[serde(default)]
    pub crash_known_us: Distribution,
    /// From the publication of a gossip message to its first arrival at each node, in microseconds.
    pub gossip_first_us: Distribution,
    /// The spread of single messages, those published last.
    pub spreads: Vec<Spread>,
    /// Gossip messages published.
    pub gossip_published: u64,
    /// Copies of gossip messages that arrived where one had been.
    pub gossip_duplicates: u64,
    /// Gossip messages published, by what they tell of.
    #[serde(default)]
    pub gossip_about: BTreeMap<String, u64>,
    /// What nodes made of gossip messages that came first: accepted, ignored or rejected.
    pub gossip_judged: BTreeMap<String, u64>,
    /// Nodes up and in the mesh that a gossip message never reached, summed over messages.
    pub gossip_missed: u64,
    /// When everything had converged after the last fault, in microseconds since the world's beginning.
    pub converged_at_us: Option<u64>,
    /// When the last fault was over, in microseconds since the world's beginning.
    pub last_fault_us: u64,
    /// The largest each bounded thing has been at any node, by name, as far as the samples of the series show.
    pub peaks: BTreeMap<String, u64>,
    /// How the world went, sampled at [`Options::sample_us`].
    pub series: Vec<Sample>,
}

/// The world at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When, in microseconds since the world's beginning.
    pub at_us: u64,
    /// Nodes running.
    pub up: u32,
    /// Nodes running that belong to the mesh.
    pub members: u32,
    /// Members whose roster holds as many others as there are.
    pub complete: u32,
    /// Links standing, each counted once.
    pub links: u64,
    /// Events handled so far.
    pub events: u64,
    /// Messages sent so far.
    pub messages: u64,
    /// Bytes sent so far.
    pub bytes: u64,
    /// Bytes sent from one region to another so far.
    #[serde(default)]
    pub bytes_across: u64,
    /// Events waiting in the queue.
    pub queued: u64,
}

/// Counts one more of a kind; a name is made only for the first.
pub(crate) fn count(counts: &mut BTreeMap<String, u64>, kind: &str) {
    match counts.get_mut(kind) {
        Some(count) => *count += 1,
        None => {
            counts.insert(kind.to_owned(), 1);
        }
    }
}

/// How one gossip message spread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Who published it.
    pub publisher: NodeNumber,
    /// When, in microseconds since the world's beginning.
    pub published_us: u64,
    /// Its bytes.
    pub bytes: u64,
    /// First arrivals at other nodes, in order, in microseconds since the publication.
    pub arrivals_us: Vec<u64>,
    /// Copies beyond the first.
    pub duplicates: u64,
    /// Nodes up and in the mesh that it never reached.
    pub missed: u64,
}

/// How a run is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What is kept of the trace as text.
    pub trace: Trace,
    /// Virtual time between two samples of the series, in microseconds; 0 for none.
    pub sample_us: u64,
    /// How many spreads of single messages are kept.
    pub spreads: usize,
}

/// What is kept of the trace as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nothing but the hash.
    HashOnly,
    /// The last lines, as many as this.
    Tail(usize),
    /// Every line.
    Full,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            trace: Trace::HashOnly,
            sample_us: 1_000_000,
            spreads: 16,
        }
    }
}
