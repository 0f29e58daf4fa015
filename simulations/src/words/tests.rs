//! What people read of plans and violations.

use super::*;
use crate::action::{Action, Direction, Misbehaviour, TimedAction, WriteUnderWay};
use crate::samples;

#[test]
fn every_action_has_its_time_and_its_node_by_name() {
    let node = NodeNumber(1);
    let actions = [
        Action::Crash {
            node,
            before_output: 3,
            write: WriteUnderWay::Torn,
            down_us: 2_500_000,
        },
        Action::Partition {
            side: vec![node, NodeNumber(2)],
            direction: Direction::Outbound,
            for_us: 40_000_000,
        },
        Action::Misbehave {
            node,
            how: Misbehaviour::Equivocate,
            for_us: 9_000_000,
        },
        Action::JumpClock {
            node: NodeNumber(99),
            by_ms: -300_000,
        },
    ];
    let timed = actions
        .into_iter()
        .enumerate()
        .map(|(place, action)| TimedAction {
            at_us: 1_500_000 * (place as u64 + 1),
            action,
        });
    let told = plan(&samples::plan(3, timed.collect()));
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_violation_names_its_check_its_node_and_its_time() {
    let failed = Violation {
        at_us: 12_300_000,
        check: "catalog truth".to_owned(),
        node: Some(NodeNumber(2)),
        what: "it lists a tool that nobody shares".to_owned(),
    };
    assert_eq!(
        violation(&failed, &samples::plan(3, Vec::new())),
        "catalog truth at #2 node-2, 12.3 s into the run: it lists a tool that nobody shares"
    );
}
