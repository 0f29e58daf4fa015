//! The figures as a page for people. Pure.

use std::fmt::Write;
use std::time::Duration;

use crate::figures::{Figures, Run, Spread, Subject};

/// What the mesh is held against, and at which share of it.
const HELD_AGAINST: &str = "JetStream, 3 copies";
const FLOOR: f64 = 0.3;

/// One table of what passes and what it costs, one of messages that go alone, and the floor.
pub fn page(figures: &Figures) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        page,
        "{:<10} {:<20} {:>10} {:>15} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "", "messages/s", "", "CPU µs", "network B", "disk B", "syncs", "syncs/s"
    );
    for ((subject, system), runs) in &figures.runs {
        let rate = Spread::of(runs.iter().map(Run::rate));
        let each = |field: fn(&Run) -> f64| {
            Spread::of(runs.iter().map(|run| field(run) / run.messages as f64)).median
        };
        let counted = figures.syncs.get(&(*subject, *system));
        let syncs = counted.map(|run| {
            let syncs = run.cost.syncs as f64;
            let (each, second) = (
                syncs / run.messages as f64,
                syncs / run.elapsed.as_secs_f64(),
            );
            format!("{each:>9.3} {second:>9.0}")
        });
        let _ = writeln!(
            page,
            "{:<10} {system:<20} {:>10.0} {:>15} {:>9.0} {:>9.0} {:>9.0} {}",
            format!("{subject:?}"),
            rate.median,
            format!("{:.0}–{:.0}", rate.least, rate.most),
            each(|run| run.cost.processor.as_secs_f64() * 1e6),
            each(|run| run.cost.network_bytes as f64),
            each(|run| run.cost.disk_bytes as f64),
            syncs.unwrap_or_default(),
        );
    }
    let _ = writeln!(
        page,
        "\nSent alone, to the reader's eyes: p50 (least–most), µs"
    );
    for (system, delays) in &figures.delays {
        let micros = Spread::of(delays.iter().map(Duration::as_secs_f64).map(|s| s * 1e6));
        let Spread {
            least,
            median,
            most,
        } = micros;
        let _ = writeln!(page, "{system:<20} {median:>8.0} ({least:.0}–{most:.0})");
    }
    for subject in Subject::ALL {
        page.push_str(&held_against(figures, subject).unwrap_or_default());
    }
    page
}

/// The rate beside that of the other, by medians.
fn held_against(figures: &Figures, subject: Subject) -> Option<String> {
    let rate = |system| {
        let runs = figures.runs.get(&(subject, system))?;
        Some(Spread::of(runs.iter().map(Run::rate)).median)
    };
    let share = rate("peerage")? / rate(HELD_AGAINST)?;
    let verdict = match subject {
        Subject::Direct => "",
        Subject::Broadcast if share >= FLOOR => ", the floor of 0.3 is met",
        Subject::Broadcast => ", BELOW the floor of 0.3",
    };
    Some(format!(
        "\n{subject:?}: {share:.2} × {HELD_AGAINST}{verdict}"
    ))
}
