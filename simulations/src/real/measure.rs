//! When something becomes true at each node.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::node::RealNode;
use crate::distribution::Distribution;

/// Time between two looks at every node: the error of what is measured here.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// When it became true, in microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals {
    /// At each node at which it did.
    pub(super) times_us: Distribution,
    /// Nodes at which it did not in time.
    pub(super) missing: u64,
}

impl Arrivals {
    /// The same, counted from so many microseconds later; what was true before counts as true at once.
    pub(super) fn counted_from(self, later_us: u64) -> Self {
        let times = self.times_us.kept.iter();
        Self {
            times_us: times.map(|time| time.saturating_sub(later_us)).collect(),
            ..self
        }
    }

    /// When it was true at this share (0 to 1) of all nodes; `None` if it never was.
    pub(super) fn at_share(&self, share: f64) -> Option<u64> {
        if self.missing > 0 {
            return None;
        }
        self.times_us.quantile(share)
    }
}

/// Looks at `nodes` until `holds` at all of them, or `limit` has passed since `since`.
pub(super) async fn arrivals<'a>(
    nodes: impl IntoIterator<Item = &'a RealNode>,
    since: Instant,
    limit: Duration,
    holds: impl Fn(&RealNode) -> bool,
) -> Arrivals {
    let mut waiting: Vec<&RealNode> = nodes.into_iter().collect();
    let mut times_us = Distribution::default();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !waiting.is_empty() && since.elapsed() < limit {
        looks.tick().await;
        waiting.retain(|node| {
            let holds = holds(node);
            if holds {
                times_us.add(micros(since.elapsed()));
            }
            !holds
        });
    }
    Arrivals {
        times_us,
        missing: waiting.len() as u64,
    }
}

/// Whole microseconds.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
