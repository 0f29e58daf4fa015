//! `growth`: what a node costs as the mesh grows.

use std::time::Duration;

use peerage_simulations::growth::measured::{Measured, SIZES, measure};
use peerage_simulations::growth::{Growth, model};
use peerage_simulations::network_profile::NetworkProfile;
use peerage_simulations::report::{Report, check_names, html, terminal};
use peerage_simulations::world;

use super::source::scenario;
use crate::Verdict;
use crate::arguments::GrowthArguments;
use crate::failure::Failure;
use crate::output::{note, say, say_json, write};

/// Runs ever larger worlds, fits laws, models what is larger, and reports.
pub fn growth(asked: &GrowthArguments, json: bool) -> Result<Verdict, Failure> {
    let scenario = scenario(&asked.scenario)?;
    let sizes = SIZES.into_iter().filter(|nodes| *nodes <= asked.most);
    let plans = sizes.map(|nodes| scenario.plan(nodes, asked.seed));
    let within = Duration::from_secs(asked.minutes.saturating_mul(60));
    let runs = measure(&world::run, plans, within, &mut |run| {
        note(&terminal::growth_line(run));
    });
    let failed = runs.iter().any(|run| run.violation.is_some());
    let network = scenario.plan(1, asked.seed).network;
    let report = Report {
        growth: Some(modelled(&scenario.name, asked.seed, runs, &network)),
        ..Report::new(Vec::new(), check_names())
    };
    match (json, &report.growth) {
        (false, Some(growth)) => say(&terminal::growth(growth)),
        _ => say_json(&report)?,
    }
    if let Some(path) = &asked.report {
        write(path, &html::page(&report))?;
        note(&format!("report written to {}", path.display()));
    }
    Ok(Verdict::of(failed))
}

fn modelled(scenario: &str, seed: u64, runs: Vec<Measured>, network: &NetworkProfile) -> Growth {
    let mut growth = Growth::new(scenario, seed, runs);
    growth.calibration = model::calibrate(network, &growth.measured, seed);
    if let Some(calibration) = &growth.calibration {
        let sizes = calibration.sizes.iter().chain(&model::SIZES).copied();
        let mut sizes: Vec<u32> = sizes.collect();
        sizes.sort_unstable();
        sizes.dedup();
        let each = model::model(network, &sizes, seed).into_iter();
        growth.modelled = each.map(|size| size.corrected(calibration)).collect();
    }
    growth
}
