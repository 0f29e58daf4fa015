//! A report on the terminal: a table of the scenarios and a verdict.

use comfy_table::{ContentArrangement, Table, presets};

use super::curve::Curve;
use super::{Report, ScenarioReport};
use crate::amounts::{bytes, count, digits, plural, time};
use crate::growth::Growth;
use crate::growth::measured::Measured;

const COLUMNS: [&str; 10] = [
    "scenario",
    "nodes",
    "seeds",
    "failed",
    "simulated",
    "× real time",
    "faults",
    "converged p50 / p99",
    "change known p50 / p99",
    "crash known p50 / p99",
];

/// The table and the verdict.
pub fn summary(report: &Report) -> String {
    let rows = report.scenarios.iter().map(row).collect();
    format!("{}\n{}", table(&COLUMNS, rows), verdict(report))
}

/// One run of growing size, as a line.
pub fn growth_line(run: &Measured) -> String {
    let failed = run
        .violation
        .as_ref()
        .map(|violation| format!(" FAILED {}: {}", violation.check, violation.what));
    format!(
        "{}: {} simulated in {}, {} events, {} sent{}",
        plural(u64::from(run.nodes), "node"),
        time(run.virtual_us as f64),
        time(run.wall_us as f64),
        count(run.events as f64),
        bytes(run.bytes as f64),
        failed.unwrap_or_default()
    )
}

/// Laws and model, as text.
pub fn growth(growth: &Growth) -> String {
    const MEASURED: [&str; 8] = [
        "nodes",
        "events/node",
        "messages/node",
        "bytes/node",
        "memory/node",
        "× real time",
        "known p50",
        "known p99",
    ];
    const MODELLED: [&str; 5] = [
        "nodes (model)",
        "known p50",
        "known p99",
        "duplicates",
        "at rest, per node",
    ];
    let mut text = table(
        &MEASURED,
        growth.measured.iter().map(measured_row).collect(),
    );
    for law in &growth.laws {
        if let Some(fit) = law.fit {
            let error = digits((fit.error * 1_000.0).round() / 10.0);
            text.push_str(&format!(
                "\n{}: {} (off by {error} % typically)",
                law.cost,
                fit.formula()
            ));
        }
    }
    if let Some(calibration) = &growth.calibration {
        let rows = growth.modelled.iter().map(|model| {
            vec![
                model.nodes.to_string(),
                time(model.spread_half_us),
                time(model.spread_most_us),
                digits(model.duplicates),
                format!("{}/s", bytes(model.rest_bytes_per_second)),
            ]
        });
        text.push_str(&format!(
            "\n\nA model of the gossip fabric and of presence only, multiplied by {} (p50) and {} (p99) to fit the runs, off by at most {} % there:\n{}",
            digits(calibration.half),
            digits(calibration.most),
            digits((calibration.error * 1_000.0).round() / 10.0),
            table(&MODELLED, rows.collect())
        ));
    }
    text
}

fn measured_row(run: &Measured) -> Vec<String> {
    let each = f64::from(run.nodes.max(1));
    let when = |us: Option<u64>| us.map_or("–".to_owned(), |us| time(us as f64));
    vec![
        run.nodes.to_string(),
        count(run.events as f64 / each),
        count(run.messages as f64 / each),
        bytes(run.bytes as f64 / each),
        run.resident
            .map_or("–".to_owned(), |grown| bytes(grown as f64 / each)),
        count(run.virtual_us as f64 / run.wall_us.max(1) as f64),
        when(run.spread_half_us),
        when(run.spread_most_us),
    ]
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
        middle_and_tail(&scenario.curves.crash_known),
    ]
}

fn middle_and_tail(curve: &Curve) -> String {
    match (curve.quantile(0.5), curve.quantile(0.99)) {
        (Some(middle), Some(tail)) => format!("{} / {}", time(middle as f64), time(tail as f64)),
        _ => "–".to_owned(),
    }
}
