//! What is decided before a run: the nodes, the network, the disks and everything that will be done to them.
//!
//! A plan follows from a scenario, a number of nodes and a seed, and a run follows from its plan alone. Nodes are named
//! by number, so that one can be taken out of a plan while the others keep their keys, names and addresses; an action
//! that names a node or ticket that is not there does nothing.

use serde::{Deserialize, Serialize};

use crate::action::{Action, TimedAction};
use crate::network_profile::NetworkProfile;

/// A node's number in its plan; its key is made of this and the seed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NodeNumber(pub u32);

/// A ticket's number in its plan.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct TicketNumber(pub u32);

/// Everything decided before a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario it was drawn from.
    pub scenario: String,
    /// What every key, latency and loss of the run is drawn from.
    pub seed: u64,
    /// The nodes; the first founds the mesh when the world begins.
    pub nodes: Vec<NodePlan>,
    /// The network between them.
    pub network: NetworkProfile,
    /// How their disks behave.
    pub disk: DiskProfile,
    /// Whether nodes say which region they are in.
    #[serde(default)]
    pub named_regions: bool,
    /// How long certificates live, in milliseconds, if not as long as usual; the founder's does.
    #[serde(default)]
    pub certificate_ms: Option<u64>,
    /// What is done, in order of time.
    pub actions: Vec<TimedAction>,
    /// How long after the last action, and the end of what it began, everything must have converged, in microseconds.
    pub settle_us: u64,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodePlan {
    /// Its number.
    pub number: NodeNumber,
    /// The name it asks for.
    pub name: String,
    /// Its place in [`NetworkProfile::regions`].
    pub region: u16,
    /// Whether its first ticket makes it an admin.
    pub admin: bool,
    /// Whether it joins the mesh by itself, and when, in microseconds since the world's beginning. A node that does
    /// not join runs and belongs to no mesh until an action redeems a ticket for it.
    pub joins_at_us: Option<u64>,
    /// How far its wall clock is off at the beginning, in milliseconds.
    pub clock_skew_ms: i64,
    /// Its servers at the beginning.
    pub servers: Vec<ServerPlan>,
}

/// One MCP server of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerPlan {
    /// Its name.
    pub name: String,
    /// Whether members may see it.
    pub share: bool,
    /// How many tools it has: `tool_0`, `tool_1` and so on.
    pub tools: u16,
    /// Which edition of their definitions it gives; another edition is another manifest.
    pub edition: u32,
}

/// How disks behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskProfile {
    /// The least time a synced write takes, in microseconds.
    pub write_min_us: u64,
    /// The most.
    pub write_max_us: u64,
}

impl Plan {
    /// When the last action, and what it began, is over, in microseconds since the world's beginning.
    pub fn last_fault_us(&self) -> u64 {
        let joins = self.nodes.iter().filter_map(|node| node.joins_at_us);
        let actions = self.actions.iter().map(TimedAction::over_at_us);
        joins.chain(actions).max().unwrap_or(0)
    }

    /// When the run ends at the latest, in microseconds since the world's beginning.
    pub fn horizon_us(&self) -> u64 {
        self.last_fault_us().saturating_add(self.settle_us)
    }

    /// The same plan without the actions whose places in [`Plan::actions`] `keep` refuses.
    #[must_use]
    pub fn with_actions(&self, keep: impl Fn(usize, &Action) -> bool) -> Self {
        let kept = self.actions.iter().enumerate();
        let kept = kept.filter(|(place, timed)| keep(*place, &timed.action));
        Self {
            actions: kept.map(|(_, timed)| timed.clone()).collect(),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::network_profile::Latency;

    fn plan() -> Plan {
        let latency = Latency {
            min_us: 1_000,
            tail_mean_us: 500,
        };
        Plan {
            scenario: "by hand".to_owned(),
            seed: 7,
            nodes: vec![NodePlan {
                number: NodeNumber(3),
                name: "desk".to_owned(),
                region: 0,
                admin: false,
                joins_at_us: Some(2_000_000),
                clock_skew_ms: -4,
                servers: Vec::new(),
            }],
            network: NetworkProfile {
                regions: vec![vec![latency]],
                loss: 0.01,
                duplicate: 0.0,
                reorder: 0.0,
                bytes_per_second: 1_000_000,
            },
            disk: DiskProfile {
                write_min_us: 100,
                write_max_us: 5_000,
            },
            named_regions: false,
            certificate_ms: None,
            actions: vec![
                TimedAction {
                    at_us: 3_000_000,
                    action: Action::Pause {
                        node: NodeNumber(3),
                        for_us: 4_000_000,
                    },
                },
                TimedAction {
                    at_us: 5_000_000,
                    action: Action::Leave {
                        node: NodeNumber(3),
                    },
                },
            ],
            settle_us: 10_000_000,
        }
    }

    #[test]
    fn a_plan_is_read_back_from_its_text() {
        let text = serde_json::to_string(&plan()).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan());
    }

    #[test]
    fn the_last_fault_is_over_when_what_it_began_is() {
        assert_eq!(plan().last_fault_us(), 7_000_000);
        assert_eq!(plan().horizon_us(), 17_000_000);
    }

    #[test]
    fn actions_are_taken_out_by_place() {
        let fewer = plan().with_actions(|place, _| place != 0);
        assert_eq!(fewer.actions, plan().actions[1..]);
        assert_eq!(fewer.nodes, plan().nodes);
    }
}
