//! Shrinks a failing plan: the fewest actions, then the fewest nodes, with which the same check still fails.

use std::time::{Duration, Instant};

use super::Engine;
use super::attempt::attempt;
use super::minimise::{Trial, minimise};
use crate::action::TimedAction;
use crate::outcome::{Options, Outcome, Trace};
use crate::plan::{NodePlan, Plan};
use crate::words::trace::abridged;

/// Lines of a trace that are looked through for each that is shown.
const LOOKED_BACK: usize = 50;

/// How much may be spent.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Runs.
    pub runs: u32,
    /// Wall time.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            runs: 400,
            time: Duration::from_secs(60),
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShrinkProgress {
    /// Runs made.
    pub runs: u32,
    /// Actions left.
    pub actions: usize,
    /// Nodes left.
    pub nodes: usize,
}

/// A plan that was shrunk.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest plan found.
    pub plan: Plan,
    /// What comes of it, with the tail of its trace.
    pub outcome: Outcome,
    /// Runs made.
    pub runs: u32,
    /// Whether the bounds ended it, so that less might do.
    pub exhausted: bool,
}

/// Shrinks `plan`, of which it is known that `check` fails.
pub fn shrink(
    engine: Engine<'_>,
    plan: &Plan,
    check: &str,
    bounds: Bounds,
    trace_lines: usize,
    progress: &mut dyn FnMut(&ShrinkProgress),
) -> Shrunk {
    let mut shrinking = Shrinking {
        engine,
        check,
        bounds,
        began: Instant::now(),
        runs: 0,
        exhausted: false,
        best: plan.clone(),
        progress,
    };
    shrinking.fewer_actions();
    let nodes = shrinking.best.nodes.len();
    shrinking.fewer_nodes();
    if shrinking.best.nodes.len() < nodes {
        shrinking.fewer_actions();
    }
    shrinking.finish(trace_lines)
}

struct Shrinking<'a> {
    engine: Engine<'a>,
    check: &'a str,
    bounds: Bounds,
    began: Instant,
    runs: u32,
    exhausted: bool,
    best: Plan,
    progress: &'a mut dyn FnMut(&ShrinkProgress),
}

impl Shrinking<'_> {
    fn fewer_actions(&mut self) {
        let base = self.best.clone();
        let all = base.actions.clone();
        minimise(all, &mut |actions: &[TimedAction]| {
            self.trial(Plan {
                actions: actions.to_vec(),
                ..base.clone()
            })
        });
    }

    /// The first node founds the mesh and stays.
    fn fewer_nodes(&mut self) {
        let base = self.best.clone();
        let mut nodes = base.nodes.clone();
        if nodes.len() < 2 {
            return;
        }
        let others = nodes.split_off(1);
        minimise(others, &mut |some: &[NodePlan]| {
            self.trial(Plan {
                nodes: [&nodes, some].concat(),
                ..base.clone()
            })
        });
    }

    fn trial(&mut self, candidate: Plan) -> Trial {
        if self.runs >= self.bounds.runs || self.began.elapsed() >= self.bounds.time {
            self.exhausted = true;
            return Trial::Exhausted;
        }
        self.runs += 1;
        let outcome = attempt(self.engine, &candidate, &quiet());
        let failed = outcome.violation.map(|violation| violation.check);
        let verdict = match failed.as_deref() == Some(self.check) {
            true => {
                self.best = candidate;
                Trial::Fails
            }
            false => Trial::Holds,
        };
        (self.progress)(&ShrinkProgress {
            runs: self.runs,
            actions: self.best.actions.len(),
            nodes: self.best.nodes.len(),
        });
        verdict
    }

    fn finish(self, trace_lines: usize) -> Shrunk {
        let options = Options {
            trace: Trace::Tail(trace_lines.saturating_mul(LOOKED_BACK)),
            ..quiet()
        };
        let mut outcome = attempt(self.engine, &self.best, &options);
        outcome.trace = abridged(&outcome.trace, trace_lines);
        Shrunk {
            outcome,
            plan: self.best,
            runs: self.runs,
            exhausted: self.exhausted,
        }
    }
}

/// Only whether it fails matters.
fn quiet() -> Options {
    Options {
        trace: Trace::HashOnly,
        sample_us: 0,
        spreads: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::plan::NodeNumber;
    use crate::samples;

    fn pauses(count: u32) -> Vec<TimedAction> {
        let pause = |number| TimedAction {
            at_us: u64::from(number) * 1_000_000,
            action: Action::Pause {
                node: NodeNumber(number),
                for_us: 1_000_000,
            },
        };
        (0..count).map(pause).collect()
    }

    /// Fails when node 3 is there and both node 2 and node 5 are paused; another check fails when only node 5 is.
    fn engine(plan: &Plan, _: &Options) -> Outcome {
        let there = plan.nodes.iter().any(|node| node.number == NodeNumber(3));
        let paused = |number| {
            let of_node = |timed: &TimedAction| matches!(timed.action, Action::Pause { node, .. } if node == NodeNumber(number));
            plan.actions.iter().any(of_node)
        };
        let failed = match (there, paused(2), paused(5)) {
            (true, true, true) => Some("stable names"),
            (_, false, true) => Some("admission"),
            _ => None,
        };
        samples::outcome(plan, failed)
    }

    #[test]
    fn only_the_actions_and_nodes_that_break_the_same_check_stay() {
        let plan = samples::plan(12, pauses(40));
        let mut seen = Vec::new();
        let shrunk = shrink(
            &engine,
            &plan,
            "stable names",
            Bounds::default(),
            10,
            &mut |progress| seen.push(*progress),
        );
        let nodes: Vec<u32> = shrunk.plan.nodes.iter().map(|node| node.number.0).collect();
        let paused: Vec<u64> = shrunk
            .plan
            .actions
            .iter()
            .map(|timed| timed.at_us)
            .collect();
        assert_eq!((nodes, paused), (vec![0, 3], vec![2_000_000, 5_000_000]));
        assert_eq!(seen.len(), shrunk.runs as usize);
        assert!(!shrunk.exhausted);
        let failed = shrunk.outcome.violation.map(|violation| violation.check);
        assert_eq!(failed.as_deref(), Some("stable names"));
    }

    #[test]
    fn the_bound_on_runs_ends_it_with_a_plan_that_still_fails() {
        let bounds = Bounds {
            runs: 5,
            ..Bounds::default()
        };
        let plan = samples::plan(12, pauses(40));
        let shrunk = shrink(&engine, &plan, "stable names", bounds, 10, &mut |_| ());
        assert!(shrunk.exhausted);
        assert_eq!(shrunk.runs, 5);
        assert!(shrunk.outcome.violation.is_some());
    }
}
