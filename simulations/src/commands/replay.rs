//! `replay`: one seed or a saved plan again, with its trace.

use peerage_simulations::outcome::{Options, Trace};
use peerage_simulations::plan::Plan;
use peerage_simulations::runner::attempt::attempt;
use peerage_simulations::{words, world};

use super::source::{saved_plan, scenario};
use crate::Verdict;
use crate::arguments::Replay;
use crate::failure::Failure;
use crate::output::{say, say_json, write};

/// Runs it and prints the plan, the trace and what failed.
pub fn replay(asked: &Replay, json: bool) -> Result<Verdict, Failure> {
    let plan = plan(asked)?;
    if let Some(path) = &asked.save {
        write(path, &serde_json::to_string_pretty(&plan)?)?;
    }
    let options = Options {
        trace: match asked.trace {
            true => Trace::Full,
            false => Trace::Tail(asked.lines),
        },
        ..Options::default()
    };
    let outcome = attempt(&world::run, &plan, &options);
    let verdict = Verdict::of(outcome.violation.is_some());
    if json {
        say_json(&serde_json::json!({ "plan": plan, "outcome": outcome }))?;
        return Ok(verdict);
    }
    words::plan(&plan).iter().for_each(|line| say(line));
    say("");
    outcome.trace.iter().for_each(|line| say(line));
    say("");
    match &outcome.violation {
        Some(violation) => say(&format!("FAILED {}", words::violation(violation, &plan))),
        None => say("Every check held."),
    }
    say(&format!("trace hash {}", outcome.trace_hash));
    Ok(verdict)
}

fn plan(asked: &Replay) -> Result<Plan, Failure> {
    if let Some(plan) = saved_plan(&asked.what)? {
        return match (asked.seed, asked.nodes) {
            (None, None) => Ok(plan),
            _ => Err(Failure::PlanHasItsOwn),
        };
    }
    let scenario = scenario(&asked.what)?;
    let seed = asked.seed.ok_or_else(|| Failure::NoSeed {
        scenario: scenario.name.clone(),
    })?;
    let nodes = asked.nodes.unwrap_or_else(|| scenario.default_nodes());
    Ok(scenario.plan(nodes, seed))
}
