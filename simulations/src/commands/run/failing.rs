//! What is done with a seed that failed: it is told, shrunk, saved, and told again with less.

use peerage_simulations::amounts::plural;
use peerage_simulations::outcome::Violation;
use peerage_simulations::plan::Plan;
use peerage_simulations::report::{Failure as Reported, ShrunkFailure};
use peerage_simulations::runner::shrink::{Bounds, Shrunk, shrink};
use peerage_simulations::{words, world};

use crate::arguments::Run;
use crate::failure::Failure;
use crate::output::{note, say, write};
use crate::progress::Progress;

/// Failures that are shrunk in one command; further ones are told as they are.
const SHRUNK_MAX: u32 = 10;

/// Lines of a trace that are shown.
const TRACE_LINES: usize = 40;

/// Tells failures, and counts what that took.
pub struct Telling<'a> {
    asked: &'a Run,
    json: bool,
    shrunk: u32,
    saved: bool,
}

impl<'a> Telling<'a> {
    /// As `asked`; with `json`, standard output is left to programs.
    pub fn new(asked: &'a Run, json: bool) -> Self {
        Self {
            asked,
            json,
            shrunk: 0,
            saved: false,
        }
    }

    /// Tells that `plan` failed `violation`'s check, shrinks it, and gives what the report says of it.
    pub fn tell(&mut self, plan: &Plan, violation: Violation) -> Result<Reported, Failure> {
        let told = words::violation(&violation, plan);
        let replay = replay_command(plan);
        self.line(&format!(
            "FAILED seed {} of {}: {told}",
            plan.seed, plan.scenario
        ));
        self.line(&format!("  {replay}"));
        let mut smallest = plan.clone();
        let mut shrunk = None;
        if !self.asked.no_shrink && self.shrunk < SHRUNK_MAX {
            self.shrunk += 1;
            let less = shrink_with_progress(plan, &violation.check);
            let reported = reported(plan, &less);
            self.tell_shrunk(&reported, &less);
            smallest = less.plan;
            shrunk = Some(reported);
        }
        self.save(&smallest)?;
        Ok(Reported {
            seed: plan.seed,
            violation,
            told,
            replay,
            shrunk,
        })
    }

    fn tell_shrunk(&self, reported: &ShrunkFailure, less: &Shrunk) {
        self.line(&format!("  {}", summary(reported)));
        for line in &reported.plan {
            self.line(&format!("    {line}"));
        }
        self.line("  the end of its trace:");
        for line in &reported.trace {
            self.line(&format!("    {line}"));
        }
        if let Some(violation) = &less.outcome.violation {
            self.line(&format!("  {}", words::violation(violation, &less.plan)));
        }
    }

    /// Saves the first that failed.
    fn save(&mut self, plan: &Plan) -> Result<(), Failure> {
        if let (Some(path), false) = (&self.asked.save, self.saved) {
            self.saved = true;
            write(path, &serde_json::to_string_pretty(plan)?)?;
            let path = path.display();
            note(&format!("  saved: peerage-simulations replay {path}"));
        }
        Ok(())
    }

    fn line(&self, text: &str) {
        match self.json {
            true => note(text),
            false => say(text),
        }
    }
}

fn shrink_with_progress(plan: &Plan, check: &str) -> Shrunk {
    let bounds = Bounds::default();
    let mut progress = Progress::new("shrinking", u64::from(bounds.runs), "runs at most");
    let shrunk = shrink(&world::run, plan, check, bounds, TRACE_LINES, &mut |made| {
        progress.run_made(made);
    });
    progress.finish();
    shrunk
}

fn reported(before: &Plan, less: &Shrunk) -> ShrunkFailure {
    ShrunkFailure {
        actions_before: before.actions.len(),
        actions: less.plan.actions.len(),
        nodes_before: before.nodes.len(),
        nodes: less.plan.nodes.len(),
        runs: less.runs,
        exhausted: less.exhausted,
        plan: words::plan(&less.plan),
        trace: less.outcome.trace.clone(),
    }
}

fn summary(shrunk: &ShrunkFailure) -> String {
    let end = match shrunk.exhausted {
        true => "; the bound on runs or time ended it, less might do",
        false => "",
    };
    format!(
        "shrunk from {} and {} to {} and {} in {}{end}",
        plural(shrunk.actions_before as u64, "action"),
        plural(shrunk.nodes_before as u64, "node"),
        plural(shrunk.actions as u64, "action"),
        plural(shrunk.nodes as u64, "node"),
        plural(u64::from(shrunk.runs), "run"),
    )
}

/// The one command that runs a plan of a scenario again.
fn replay_command(plan: &Plan) -> String {
    format!(
        "cargo run --release -p peerage-simulations --no-default-features -- replay {} --nodes {} --seed {}",
        plan.scenario,
        plan.nodes.len(),
        plan.seed
    )
}
