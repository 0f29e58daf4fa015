//! What is folded away: each failure with its smallest plan, and each scenario with its course.

use crate::amounts::{count, plural};
use crate::outcome::Sample;
use crate::report::plot::axis::{Axis, Scale, Unit};
use crate::report::plot::lines::{self, Mark, Series};
use crate::report::plot::{escape, figure};
use crate::report::{Failure, Report, ScenarioReport, ShrunkFailure};

/// Failures of one scenario that are shown; of more, the seeds are named.
const SHOWN: usize = 5;

/// Every failure that is kept; nothing where all held.
pub fn failures(report: &Report) -> String {
    let told: String = report.scenarios.iter().map(failures_of).collect();
    match told.is_empty() {
        true => told,
        false => format!(
            "<h2>What failed</h2><p>Each with the command that runs it again, and with the fewest faults that break the same check.</p>\n{told}"
        ),
    }
}

fn failures_of(scenario: &ScenarioReport) -> String {
    let shown = scenario.failures.iter().take(SHOWN);
    let mut told: String = shown.map(|found| failure(scenario, found)).collect();
    let more: Vec<String> = scenario
        .failures
        .iter()
        .skip(SHOWN)
        .map(|found| found.seed.to_string())
        .collect();
    if !more.is_empty() {
        told.push_str(&format!(
            "<p class=\"more\">{} failed with seeds {} as well.</p>\n",
            escape(&scenario.scenario),
            more.join(", ")
        ));
    }
    told
}

fn failure(scenario: &ScenarioReport, failure: &Failure) -> String {
    let shrunk = failure.shrunk.as_ref().map(shrunk).unwrap_or_default();
    format!(
        "<details><summary><span class=\"no\">✗</span> {}, seed {}<small>{}</small></summary><pre>{}</pre>{shrunk}</details>\n",
        escape(&scenario.scenario),
        failure.seed,
        escape(&failure.told),
        escape(&failure.replay)
    )
}

fn shrunk(shrunk: &ShrunkFailure) -> String {
    format!(
        "<h4>The smallest plan found: {} of {}, {} of {}, after {}</h4><pre>{}</pre><h4>The end of its trace</h4><pre>{}</pre>",
        shrunk.actions,
        plural(shrunk.actions_before as u64, "action"),
        shrunk.nodes,
        plural(shrunk.nodes_before as u64, "node"),
        plural(u64::from(shrunk.runs), "run"),
        escape(&shrunk.plan.join("\n")),
        escape(&shrunk.trace.join("\n"))
    )
}

/// Each scenario with the course of its first seed and its peaks.
pub fn scenarios(report: &Report) -> String {
    let told: String = report.scenarios.iter().map(scenario).collect();
    match told.is_empty() {
        true => told,
        false => format!(
            "<h2>Scenario by scenario</h2><p>The course of the first seed, and the largest that anything bounded has been.</p>\n{told}"
        ),
    }
}

fn scenario(scenario: &ScenarioReport) -> String {
    format!(
        "<details><summary>{}<small>{}</small></summary><div class=\"plots\">{}{}</div>{}</details>\n",
        escape(&scenario.scenario),
        escape(&scenario.about),
        membership(scenario),
        queue(scenario),
        peaks(scenario)
    )
}

fn membership(scenario: &ScenarioReport) -> String {
    course(
        scenario,
        "Nodes over time",
        "Running, in the mesh, and knowing exactly the mesh's members.",
        "nodes",
        &[
            ("running", |sample| f64::from(sample.up)),
            ("members", |sample| f64::from(sample.members)),
            ("complete rosters", |sample| f64::from(sample.complete)),
        ],
    )
}

fn queue(scenario: &ScenarioReport) -> String {
    course(
        scenario,
        "Links and events over time",
        "Links that stand, and events that wait in the world's queue.",
        "number",
        &[
            ("links", |sample| sample.links as f64),
            ("events waiting", |sample| sample.queued as f64),
        ],
    )
}

/// A name, and what it reads off a sample.
type Measure = (&'static str, fn(&Sample) -> f64);

fn course(
    scenario: &ScenarioReport,
    title: &str,
    caption: &str,
    label: &str,
    measures: &[Measure],
) -> String {
    let samples = &scenario.first_course;
    let each = measures.iter().enumerate();
    let series = each.map(|(colour, (name, of))| Series {
        name: (*name).to_owned(),
        hint: String::new(),
        colour,
        mark: Mark::Line,
        points: samples
            .iter()
            .map(|sample| (sample.at_us as f64, of(sample)))
            .collect(),
    });
    // What the world does not measure is zero throughout.
    let measured = series.filter(|series| series.points.iter().any(|(_, value)| *value > 0.0));
    let series: Vec<Series> = measured.collect();
    let points = || series.iter().flat_map(|series| &series.points);
    let x = Axis::over(
        "time since the beginning",
        Unit::Time,
        Scale::Linear,
        points().map(|(at, _)| *at),
    );
    let y = Axis::over(
        label,
        Unit::Count,
        Scale::Linear,
        points().map(|(_, value)| *value),
    );
    let chart = lines::chart(&x, &y, &series);
    match chart.is_empty() {
        true => chart,
        false => figure(title, caption, &lines::legend(&series), &chart),
    }
}

fn peaks(scenario: &ScenarioReport) -> String {
    if scenario.peaks.is_empty() {
        return String::new();
    }
    let rows: String = scenario
        .peaks
        .iter()
        .map(|(name, peak)| {
            format!(
                "<tr><td>{}</td><td>{}</td></tr>",
                escape(&name.replace('_', " ")),
                count(*peak as f64)
            )
        })
        .collect();
    format!(
        "<table><thead><tr><th>largest at any node</th><th></th></tr></thead><tbody>{rows}</tbody></table>"
    )
}
