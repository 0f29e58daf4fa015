//! Small plans and outcomes for tests.

use crate::action::TimedAction;
use crate::network_profile::{Latency, NetworkProfile};
use crate::outcome::{Outcome, Statistics, Violation};
use crate::plan::{DiskProfile, NodeNumber, NodePlan, Plan};

/// A plan of so many nodes, numbered from 0, with these actions.
pub fn plan(nodes: u32, actions: Vec<TimedAction>) -> Plan {
    let latency = Latency {
        min_us: 1_000,
        tail_mean_us: 500,
    };
    Plan {
        scenario: "sample".to_owned(),
        seed: 7,
        nodes: (0..nodes).map(node).collect(),
        network: NetworkProfile {
            regions: vec![vec![latency]],
            loss: 0.0,
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
        actions,
        settle_us: 10_000_000,
    }
}

fn node(number: u32) -> NodePlan {
    NodePlan {
        number: NodeNumber(number),
        name: format!("node-{number}"),
        region: 0,
        admin: number == 0,
        joins_at_us: (number > 0).then_some(1_000_000),
        clock_skew_ms: 0,
        servers: Vec::new(),
    }
}

/// An outcome where all held, or where `check` failed.
pub fn outcome(plan: &Plan, check: Option<&str>) -> Outcome {
    Outcome {
        trace_hash: "0".repeat(64),
        violation: check.map(|check| Violation {
            at_us: 4_000_000,
            check: check.to_owned(),
            node: None,
            what: "it does not hold".to_owned(),
        }),
        statistics: Statistics {
            nodes: plan.nodes.len() as u32,
            virtual_us: plan.horizon_us(),
            events: 100,
            ..Statistics::default()
        },
        trace: vec!["     1.000000  input        #0".to_owned()],
    }
}
