//! What was measured, and the median and spread of it over the rounds.

use serde::Serialize;

use super::subject::{Road, Subject};

/// What one subject did in one round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Answers a second.
    pub calls_per_second: f64,
    /// The time of the median call, in microseconds.
    pub p50_micros: f64,
    /// The time that 99 of 100 calls stay below, in microseconds.
    pub p99_micros: f64,
    /// Processor time of the first node for one call, in microseconds.
    pub node_micros: f64,
    /// Processor time of the second node for one call, in microseconds.
    pub peer_micros: f64,
    /// Processor time of the HTTP upstream, or of the echo, for one call, in microseconds.
    pub upstream_micros: f64,
    /// The share of one core that the load itself took.
    pub load_share: f64,
}

/// What one subject did in all rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// Which.
    pub subject: Subject,
    /// One for each round.
    pub samples: Vec<Sample>,
}

/// What is measured apart from the rounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Singles {
    /// From the start of a node's process, alone in its mesh, to the answer of its first call, in milliseconds.
    pub start_millis: Vec<f64>,
    /// Resident memory of such a node, idle, in MiB.
    pub idle_mebibytes: Vec<f64>,
    /// From the moment a node that was stopped answers again to the answer of its first call to a peer, in
    /// milliseconds: dialing, the gate and the peer's catalog are in it.
    pub cold_millis: Vec<f64>,
    /// What calls to other upstreams do to those to a healthy one.
    pub isolation: Vec<Isolation>,
}

/// p99 of calls to a healthy upstream in one round, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Isolation {
    /// With no other calls.
    pub alone_micros: f64,
    /// Beside calls to another healthy upstream.
    pub healthy_micros: f64,
    /// Beside as many calls, to one upstream that hangs and one that is dead.
    pub disturbed_micros: f64,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// The system's load average over one minute before the first round and after the last.
    pub load_average: [f64; 2],
    /// By subject.
    pub series: Vec<Series>,
    /// The rest.
    pub singles: Singles,
}

impl Figures {
    /// The samples of a subject; none when it was not measured.
    pub fn of(&self, road: Road, in_flight: usize, bytes: usize) -> &[Sample] {
        let wanted = Subject::new(road, in_flight, bytes);
        let series = self.series.iter().find(|series| series.subject == wanted);
        series.map_or(&[], |series| series.samples.as_slice())
    }
}

/// The middle of some values with their extremes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// As many are below as above.
    pub median: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of `values`; `None` of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => (values[middle - 1] + values[middle]) / 2.0,
        };
        Some(Self {
            least,
            median,
            most,
        })
    }
}
