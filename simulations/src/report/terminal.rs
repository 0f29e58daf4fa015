//! A report on the terminal: a table of the scenarios and a verdict.

use comfy_table::{ContentArrangement, Table, presets};

use super::curve::Curve;
use super::{Report, ScenarioReport};
use crate::amounts::{count, plural, time};

const COLUMNS: [&str; 9] = [
    "scenario",
    "nodes",
    "seeds",
    "failed",
    "simulated",
    "× real time",
    "faults",
    "converged p50 / p99",
    "change known p50 / p99",
];

/// The table and the verdict.
pub fn summary(report: &Report) -> String {
    let rows = report.scenarios.iter().map(row).collect();
    format!("{}\n{}", table(&COLUMNS, rows), verdict(report))
}

/// Whether all held, in a sentence.
pub fn verdict(report: &Report) -> String {
    let (run, failed) = report.run_and_failed();
    let scenarios = plural(report.scenarios.len() as u64, "scenario");
    let runs = plural(run, "run");
    match failed {
        0 => format!("Every check held in {runs} of {scenarios}."),
        _ => format!("FAILED: {failed} of {runs} of {scenarios}."),
    }
}

/// A table without lines, as wide as the screen allows.
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 1));
    }
    if table.is_tty() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.trim_fmt() + "\n"
}

fn row(scenario: &ScenarioReport) -> Vec<String> {
    let totals = &scenario.totals;
    vec![
        scenario.scenario.clone(),
        scenario.nodes.to_string(),
        scenario.run.to_string(),
        scenario.failed.to_string(),
        time(totals.virtual_us as f64),
        count(scenario.times_real()),
        count(scenario.actions.values().sum::<u64>() as f64),
        middle_and_tail(&scenario.curves.convergence),
        middle_and_tail(&scenario.curves.change_known),
    ]
}

fn middle_and_tail(curve: &Curve) -> String {
    match (curve.quantile(0.5), curve.quantile(0.99)) {
        (Some(middle), Some(tail)) => format!("{} / {}", time(middle as f64), time(tail as f64)),
        _ => "–".to_owned(),
    }
}
