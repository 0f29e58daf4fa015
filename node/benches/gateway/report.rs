//! The figures as a page for people, or as JSON. Pure.

use std::fmt::Write;

use serde::Serialize;

use super::comparison;
use super::figures::{Figures, Sample, Spread};
use super::goals::{Bound, Goal, goals};
use super::subject::MEBIBYTE;

/// One table of the medians, one of the goals, and one of what has changed since `before`.
pub fn page(figures: &Figures, before: Option<&Figures>) -> String {
    let mut page = String::new();
    let rounds = figures.series.iter().map(|s| s.samples.len()).max();
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        "Medians of {} rounds (least to most). Load average {:.1} before, {:.1} after. Processor time is µs a call.\n",
        rounds.unwrap_or(0),
        figures.load_average[0],
        figures.load_average[1],
    );
    let mut rows = vec![
        [
            "road",
            "in flight",
            "answer",
            "calls/s",
            "",
            "p50 µs",
            "p99 µs",
            "node",
            "peer",
            "upstream",
            "load",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for series in &figures.series {
        rows.push(row(series));
    }
    page.push_str(&aligned(&rows));
    page.push('\n');
    let mut rows = vec![
        ["goal", "bound", "measured", "", ""]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(goals(figures).iter().map(goal_row));
    page.push_str(&aligned(&rows));
    if let Some(before) = before {
        page.push('\n');
        page.push_str(&aligned(&comparison::rows(figures, before)));
    }
    page
}

/// The figures and the goals as one JSON object, with the figures of an earlier build if there are any.
pub fn json(figures: &Figures, before: Option<&Figures>) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Judged {
        #[serde(flatten)]
        goal: Goal,
        met: Option<bool>,
    }
    #[derive(Serialize)]
    struct Report<'a> {
        figures: &'a Figures,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<&'a Figures>,
        goals: Vec<Judged>,
    }
    let judged = goals(figures).into_iter().map(|goal| Judged {
        met: goal.is_met(),
        goal,
    });
    serde_json::to_string_pretty(&Report {
        figures,
        before,
        goals: judged.collect(),
    })
}

fn row(series: &super::figures::Series) -> Vec<String> {
    let of = |field: fn(&Sample) -> f64| Spread::of(series.samples.iter().map(field));
    let median = |field, digits| {
        of(field).map_or_else(String::new, |spread| format!("{:.digits$}", spread.median))
    };
    let spread = of(|s| s.calls_per_second);
    let spread = spread.map_or_else(String::new, |s| format!("{:.0}–{:.0}", s.least, s.most));
    vec![
        series.subject.road.to_string(),
        series.subject.in_flight.to_string(),
        size(series.subject.bytes),
        median(|s| s.calls_per_second, 0),
        spread,
        median(|s| s.p50_micros, 0),
        median(|s| s.p99_micros, 0),
        median(|s| s.node_micros, 1),
        median(|s| s.peer_micros, 1),
        median(|s| s.upstream_micros, 1),
        median(|s| s.load_share, 2),
    ]
}

fn goal_row(goal: &Goal) -> Vec<String> {
    let bound = match goal.bound {
        Bound::AtMost(bound) => format!("≤ {bound} {}", goal.unit),
        Bound::AtLeast(bound) => format!("≥ {bound} {}", goal.unit),
    };
    let digits = usize::from(goal.unit != "/s") * 2;
    let (measured, spread) = match goal.measured {
        Some(s) => (
            format!("{:.digits$}", s.median),
            format!("{:.digits$}–{:.digits$}", s.least, s.most),
        ),
        None => ("not measured".to_owned(), String::new()),
    };
    let verdict = match goal.is_met() {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "",
    };
    vec![
        goal.what.to_owned(),
        bound,
        measured,
        spread,
        verdict.to_owned(),
    ]
}

pub(super) fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..MEBIBYTE => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / MEBIBYTE),
    }
}

/// Columns of equal width, the first to the left and the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut table = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(line, "{cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}
