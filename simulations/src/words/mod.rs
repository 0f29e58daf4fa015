//! Plans and violations in words, for people who look at a failure.

mod actions;
pub mod trace;

use std::collections::BTreeMap;

use crate::amounts::{plural, time};
use crate::outcome::Violation;
use crate::plan::{NodeNumber, Plan};

/// A plan as lines of text: its nodes, then every action in order of time.
pub fn plan(plan: &Plan) -> Vec<String> {
    let names = Names::of(plan);
    let admins = plan.nodes.iter().skip(1).filter(|node| node.admin).count();
    let mut lines = vec![format!(
        "scenario {}, seed {}: {}, besides the founder {}; {}",
        plan.scenario,
        plan.seed,
        plural(plan.nodes.len() as u64, "node"),
        plural(admins as u64, "admin"),
        plural(plan.actions.len() as u64, "action"),
    )];
    lines.extend(joins(plan));
    for timed in &plan.actions {
        let when = seconds(timed.at_us);
        let what = actions::sentence(&timed.action, &names);
        lines.push(format!("{when}  {what}"));
    }
    lines
}

/// A failed check as one line of text.
pub fn violation(violation: &Violation, plan: &Plan) -> String {
    let node = violation.node.map(|node| Names::of(plan).name(node));
    let place = node.map(|node| format!(" at {node}")).unwrap_or_default();
    format!(
        "{}{place}, {} into the run: {}",
        violation.check,
        time(violation.at_us as f64),
        violation.what
    )
}

/// A moment as in traces: seconds and microseconds, right-aligned.
pub fn seconds(at_us: u64) -> String {
    format!("{:>6}.{:06} s", at_us / 1_000_000, at_us % 1_000_000)
}

fn joins(plan: &Plan) -> Option<String> {
    let joins = plan.nodes.iter().filter_map(|node| node.joins_at_us);
    let (first, last) = (joins.clone().min()?, joins.max()?);
    Some(match first == last {
        true => format!("the nodes join by themselves at {}", time(first as f64)),
        false => format!(
            "the nodes join by themselves between {} and {}",
            time(first as f64),
            time(last as f64)
        ),
    })
}

/// What the nodes of a plan are called.
struct Names(BTreeMap<NodeNumber, String>);

impl Names {
    fn of(plan: &Plan) -> Self {
        let named = plan
            .nodes
            .iter()
            .map(|node| (node.number, node.name.clone()));
        Self(named.collect())
    }

    fn name(&self, node: NodeNumber) -> String {
        match self.0.get(&node) {
            Some(name) => format!("#{} {name}", node.0),
            None => format!("#{} (not in this plan)", node.0),
        }
    }

    /// Several nodes, the first few by name.
    fn list(&self, nodes: &[NodeNumber]) -> String {
        const NAMED: usize = 4;
        let named: Vec<String> = nodes
            .iter()
            .take(NAMED)
            .map(|node| self.name(*node))
            .collect();
        let more = nodes.len().saturating_sub(NAMED);
        match more {
            0 => named.join(", "),
            _ => format!("{} and {more} more", named.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
