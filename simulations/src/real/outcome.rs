//! What was measured in a swarm of real nodes.

use serde::{Deserialize, Serialize};

use super::measure::Arrivals;
use super::process::Usage;
use super::swarm::SwarmPlan;
use crate::distribution::Distribution;

/// What was measured. Times are microseconds of the wall clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SwarmOutcome {
    /// What was run.
    pub plan: SwarmPlan,
    /// From the start of the first node to that of the last.
    pub started_us: u64,
    /// From the first join to every roster complete; `None` if some never was.
    pub complete_us: Option<u64>,
    /// Rosters that were not complete in time.
    pub incomplete: u64,
    /// When each node but the founder began to join, in order of their numbers, counted from the first.
    pub join_began_us: Vec<u64>,
    /// From the beginning of a join to the joiner's certificate, while many join.
    pub join_us: Distribution,
    /// The same, of one node that joins when all is quiet.
    pub newcomer_join_us: Distribution,
    /// From a newcomer's certificate to each other node's roster that has it.
    pub newcomer_known: Spread,
    /// From a change that a node tells of itself to each other node's roster that has it.
    pub news_known: Spread,
    /// From a change of shared tools to each other node's catalog that shows it.
    pub tools_known: Spread,
    /// From a question of a node to another one, linked or not, to the answer.
    pub calls_us: Distribution,
    /// Questions that were never answered.
    pub calls_failed: u64,
    /// Copies of a gossip message that a node received beyond the first, while news were told.
    pub duplicates_per_message: f64,
    /// The same, over all that was gossiped from the beginning.
    pub duplicates_in_all: f64,
    /// Links of each node when all was quiet.
    pub links: Distribution,
    /// Resident memory that each node added, in bytes.
    pub resident_per_node: u64,
    /// Share of one processor that each node took while nothing happened.
    pub idle_processor_share: f64,
    /// The process when all nodes were linked.
    pub usage: Usage,
    /// All of it, from start to end.
    pub took_us: u64,
}

impl SwarmOutcome {
    /// How often something was never known at some node, whatever it was.
    pub fn missed(&self) -> u64 {
        let spreads = [&self.newcomer_known, &self.news_known, &self.tools_known];
        self.incomplete
            + self.calls_failed
            + spreads.iter().map(|spread| spread.missed).sum::<u64>()
    }
}

/// How news spread, over several rounds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Spread {
    /// When each node knew, in all rounds.
    pub known_us: Distribution,
    /// When half of the nodes knew, each round.
    pub half_us: Distribution,
    /// When 99 of 100 nodes knew, each round.
    pub nearly_all_us: Distribution,
    /// When every node knew, each round.
    pub all_us: Distribution,
    /// Nodes that never knew, over all rounds.
    pub missed: u64,
}

impl Spread {
    /// Adds a round.
    pub(super) fn add(&mut self, round: &Arrivals) {
        round
            .times_us
            .kept
            .iter()
            .for_each(|t| self.known_us.add(*t));
        let shares = [
            (0.5, &mut self.half_us),
            (0.99, &mut self.nearly_all_us),
            (1.0, &mut self.all_us),
        ];
        for (share, times) in shares {
            if let Some(time) = round.at_share(share) {
                times.add(time);
            }
        }
        self.missed += round.missing;
    }
}
