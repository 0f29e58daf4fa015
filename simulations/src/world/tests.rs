//! Small worlds told by hand.

use crate::action::{Action, Direction, TimedAction};
use crate::network_profile::{Latency, NetworkProfile};
use crate::outcome::{Options, Outcome, Trace};
use crate::plan::{DiskProfile, NodeNumber, NodePlan, Plan, ServerPlan};
use crate::world::run;

const SECOND_US: u64 = 1_000_000;

/// Some nodes that join one after the other, each with a shared and a private server.
pub(super) fn plan(nodes: u32, seed: u64) -> Plan {
    let server = |name: &str, share| ServerPlan {
        name: name.to_owned(),
        share,
        tools: 2,
        edition: 0,
    };
    let node = |number| NodePlan {
        number: NodeNumber(number),
        name: format!("node-{number}"),
        region: 0,
        admin: false,
        joins_at_us: (number > 0).then(|| u64::from(number) * SECOND_US),
        clock_skew_ms: 0,
        servers: vec![server("shared", true), server("private", false)],
    };
    let latency = Latency {
        min_us: 5_000,
        tail_mean_us: 2_000,
    };
    Plan {
        scenario: "by hand".to_owned(),
        seed,
        nodes: (0..nodes).map(node).collect(),
        network: NetworkProfile {
            regions: vec![vec![latency]],
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            bytes_per_second: 10_000_000,
        },
        disk: DiskProfile {
            write_min_us: 200,
            write_max_us: 4_000,
        },
        named_regions: false,
        certificate_ms: None,
        actions: Vec::new(),
        settle_us: 60 * SECOND_US,
    }
}

fn after(at_us: u64, action: Action) -> TimedAction {
    TimedAction { at_us, action }
}

fn outcome(plan: &Plan) -> Outcome {
    let options = Options {
        trace: Trace::Tail(50),
        ..Options::default()
    };
    run(plan, &options)
}

fn assert_converges(plan: &Plan) -> Outcome {
    let outcome = outcome(plan);
    assert_eq!(outcome.violation, None, "{:#?}", outcome.trace);
    assert!(
        outcome.statistics.converged_at_us.is_some(),
        "{:#?}",
        outcome.trace
    );
    outcome
}

#[test]
fn three_nodes_meet_and_list_what_each_shares() {
    let outcome = assert_converges(&plan(3, 1));
    let statistics = &outcome.statistics;
    assert_eq!(statistics.join_us.count, 2);
    // Of the first the founder hears, of the second both.
    assert_eq!(statistics.join_known_us.count, 3);
    let last = statistics.series.last();
    assert!(last.is_some_and(|sample| sample.complete == 3), "{last:?}");
    assert!(
        statistics.converged_at_us < Some(10 * SECOND_US),
        "{statistics:#?}"
    );
}

#[test]
fn the_same_plan_gives_the_same_trace_and_another_seed_another() {
    let one = outcome(&plan(6, 1));
    assert_eq!(one, outcome(&plan(6, 1)));
    assert_ne!(one.trace_hash, outcome(&plan(6, 2)).trace_hash);
}

#[test]
fn a_node_that_was_stalled_is_found_again() {
    let mut plan = plan(4, 3);
    let pause = Action::Pause {
        node: NodeNumber(2),
        for_us: 20 * SECOND_US,
    };
    plan.actions.push(after(10 * SECOND_US, pause));
    let outcome = assert_converges(&plan);
    assert!(
        outcome.statistics.inputs["LinkDown"] >= 6,
        "{:#?}",
        outcome.statistics
    );
}

/// More nodes than are linked all with all, in three regions of which they say something or not.
fn in_three_regions(named: bool) -> Plan {
    let mut plan = plan(36, 5);
    let latency = |min_us| Latency {
        min_us,
        tail_mean_us: 1_000,
    };
    let way = |from, to| latency(if from == to { 1_000 } else { 40_000 });
    plan.network.regions = (0..3)
        .map(|from| (0..3).map(|to| way(from, to)).collect())
        .collect();
    for node in &mut plan.nodes {
        node.region = (node.number.0 % 3) as u16;
        node.servers.clear();
    }
    plan.named_regions = named;
    plan
}

#[test]
fn where_nodes_say_their_region_far_less_goes_from_one_to_another() {
    let [unaware, aware] = [false, true].map(|named| assert_converges(&in_three_regions(named)));
    let (before, after) = (
        unaware.statistics.bytes_across,
        aware.statistics.bytes_across,
    );
    assert!(after * 2 < before, "{after} of {before}");
    assert!(aware.statistics.traffic["carried"] > 0);
}

#[test]
fn a_region_that_was_cut_off_knows_everything_soon_after() {
    let mut plan = in_three_regions(true);
    let inside = |node: &&NodePlan| node.region == 2;
    let side = plan.nodes.iter().filter(inside).map(|node| node.number);
    let cut = Action::Partition {
        side: side.collect(),
        direction: Direction::Both,
        for_us: 60 * SECOND_US,
    };
    let new = Action::SetServers {
        node: NodeNumber(2),
        servers: vec![ServerPlan {
            name: "news".to_owned(),
            share: true,
            tools: 1,
            edition: 7,
        }],
    };
    plan.actions = vec![after(40 * SECOND_US, cut), after(60 * SECOND_US, new)];
    let outcome = assert_converges(&plan);
    let healed_us = 100 * SECOND_US;
    let converged_us = outcome.statistics.converged_at_us;
    assert!(
        converged_us < Some(healed_us + 20 * SECOND_US),
        "{converged_us:?}"
    );
}
