//! `run`: many seeds of one scenario or of all.

mod failing;

use std::num::NonZeroUsize;
use std::ops::Range;
use std::thread::available_parallelism;

use peerage_simulations::amounts::plural;
use peerage_simulations::outcome::Options;
use peerage_simulations::report::tally::Tally;
use peerage_simulations::report::{Report, ScenarioReport, check_names, html, terminal};
use peerage_simulations::runner::seeds::{self, Batch, SeedRun};
use peerage_simulations::scenario::Scenario;
use peerage_simulations::world;

use super::source::scenarios;
use crate::Verdict;
use crate::arguments::{Run, Seeds};
use crate::failure::Failure;
use crate::output::{note, say, say_json, write};
use crate::progress::Progress;
use failing::Telling;

/// Runs them, prints what held and what did not, and writes the report where one is asked for.
pub fn run(asked: &Run, json: bool) -> Result<Verdict, Failure> {
    let scenarios = scenarios(&asked.scenario)?;
    let seeds = match &asked.seeds {
        Some(Seeds(range)) => range.clone(),
        None => random_seed()?,
    };
    let mut telling = Telling::new(asked, json);
    let mut reports = Vec::new();
    for scenario in &scenarios {
        reports.push(run_scenario(scenario, &seeds, asked, &mut telling)?);
    }
    let report = Report::new(reports, check_names());
    let (_, failed) = report.run_and_failed();
    match json {
        true => say_json(&report)?,
        false => say(&terminal::summary(&report)),
    }
    if let Some(path) = &asked.report {
        write(path, &html::page(&report))?;
        note(&format!("report written to {}", path.display()));
    }
    Ok(Verdict::of(failed > 0))
}

fn run_scenario(
    scenario: &Scenario,
    seeds: &Range<u64>,
    asked: &Run,
    telling: &mut Telling<'_>,
) -> Result<ScenarioReport, Failure> {
    let nodes = asked.nodes.unwrap_or_else(|| scenario.default_nodes());
    let plans = |seed| scenario.plan(nodes, seed);
    let batch = Batch {
        plans: &plans,
        engine: &world::run,
        options: Options::default(),
        seeds: seeds.clone(),
        threads: asked.threads.unwrap_or_else(processors),
        keep_going: asked.keep_going,
    };
    let mut tally = Tally::new(ScenarioReport {
        scenario: scenario.name.clone(),
        about: scenario.about().to_owned(),
        nodes,
        first_seed: seeds.start,
        seeds: seeds.end - seeds.start,
        ..ScenarioReport::default()
    });
    let mut progress = Progress::new(&scenario.name, seeds.end - seeds.start, "seeds");
    let mut failed = Vec::new();
    seeds::run(&batch, &mut |run: SeedRun| {
        tally.add(&run);
        progress.seed_done(&tally);
        if let Some(violation) = run.outcome.violation {
            failed.push((run.seed, violation));
        }
    });
    progress.finish();
    failed.sort_by_key(|(seed, _)| *seed);
    for (seed, violation) in failed {
        tally.keep(telling.tell(&scenario.plan(nodes, seed), violation)?);
    }
    Ok(tally.finish())
}

fn processors() -> NonZeroUsize {
    available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// A seed of few digits, so that it can be read out.
fn random_seed() -> Result<Range<u64>, Failure> {
    let drawn = getrandom::u32().map_err(Failure::NoRandomness)?;
    let seed = u64::from(drawn % 1_000_000);
    note(&format!(
        "seed {seed}, drawn at random; {} of each scenario",
        plural(1, "run")
    ));
    Ok(seed..seed + 1)
}
