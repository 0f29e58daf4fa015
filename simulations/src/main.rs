//! Runs seeds of a scenario and says what failed.

use std::process::ExitCode;
use std::time::Instant;

use peerage_simulations::outcome::Options;
use peerage_simulations::scenario::Scenario;
use peerage_simulations::world;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| {
        arguments
            .get(place)
            .and_then(|text| text.parse::<u64>().ok())
    };
    let (Some(name), Some(nodes), Some(first), Some(last)) =
        (arguments.first(), number(1), number(2), number(3))
    else {
        eprintln!("usage: peerage-simulations SCENARIO NODES FIRST-SEED LAST-SEED");
        return ExitCode::FAILURE;
    };
    let scenario = match Scenario::builtin(name) {
        Ok(scenario) => scenario,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut failed = false;
    for seed in first..=last {
        failed |= !run(&scenario, nodes as u32, seed);
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Whether the seed held.
fn run(scenario: &Scenario, nodes: u32, seed: u64) -> bool {
    let plan = scenario.plan(nodes, seed);
    let begun = Instant::now();
    let outcome = world::run(&plan, &Options::default());
    let statistics = &outcome.statistics;
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{} {nodes} {seed}: {} events in {took:.2} s, {:.0}x, converged {:?}, {:?}",
        scenario.name,
        statistics.events,
        statistics.virtual_us as f64 / 1e6 / took,
        statistics
            .converged_at_us
            .map(|at_us| (at_us as f64 - statistics.last_fault_us as f64) / 1e6),
        outcome.violation,
    );
    outcome.violation.is_none()
}
