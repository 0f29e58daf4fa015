//! What was measured, and the middle of it over the rounds.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cost::Cost;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// From one agent to one on each other node.
    Broadcast,
    /// From one agent to one other.
    Direct,
}

impl Subject {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Broadcast, Self::Direct];
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Messages that were sent, read and acknowledged.
    pub messages: usize,
    /// From the first that was sent to the last that was acknowledged.
    pub elapsed: Duration,
    /// What it took.
    pub cost: Cost,
}

impl Run {
    /// Messages a second.
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64()
    }
}

/// Everything, by the name of the system.
#[derive(Debug, Default)]
pub struct Figures {
    /// The rounds.
    pub runs: BTreeMap<(Subject, &'static str), Vec<Run>>,
    /// The runs in which syncs were counted.
    pub syncs: BTreeMap<(Subject, &'static str), Run>,
    /// From sending a message alone until it is read.
    pub delays: BTreeMap<&'static str, Vec<Duration>>,
}

impl Figures {
    /// One more run.
    pub fn add(&mut self, system: &'static str, subject: Subject, run: Run) {
        self.runs.entry((subject, system)).or_default().push(run);
    }

    /// A run in which syncs were counted.
    pub fn add_syncs(&mut self, system: &'static str, subject: Subject, run: Run) {
        self.syncs.insert((subject, system), run);
    }

    /// More messages that went alone.
    pub fn add_delays(&mut self, system: &'static str, delays: Vec<Duration>) {
        self.delays.entry(system).or_default().extend(delays);
    }
}

/// The middle of some values with their extremes.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// As many are below as above.
    pub median: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of `values`, of which there is at least one; zeros of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or_default();
        Self {
            least: at(0),
            median: at(values.len() / 2),
            most: at(values.len().saturating_sub(1)),
        }
    }
}
