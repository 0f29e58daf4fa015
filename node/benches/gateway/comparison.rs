//! What has changed since an earlier build that was measured in the same rounds. Pure.

use super::figures::{Figures, Sample, Series, Spread};
use super::report::size;

/// One row for each subject and single that both have: now by before, round by round, then the middle. Rows that no node
/// has part in say what the machine alone makes of it.
pub fn rows(now: &Figures, before: &Figures) -> Vec<Vec<String>> {
    let head = [
        "now by before, ×",
        "in flight",
        "answer",
        "calls/s",
        "",
        "p50",
        "",
        "node CPU",
        "",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for series in &now.series {
        let same = |other: &&Series| other.subject == series.subject;
        if let Some(before) = before.series.iter().find(same) {
            rows.push(row(series, before));
        }
    }
    let singles = [
        (
            "start",
            &now.singles.start_millis,
            &before.singles.start_millis,
        ),
        (
            "idle memory",
            &now.singles.idle_mebibytes,
            &before.singles.idle_mebibytes,
        ),
        (
            "cold call",
            &now.singles.cold_millis,
            &before.singles.cold_millis,
        ),
    ];
    for (name, now, before) in singles {
        let ratio = Spread::of(now.iter().zip(before).map(|(now, before)| now / before));
        let mut row = vec![name.to_owned()];
        row.extend(["", "", "", ""].map(str::to_owned));
        row.extend(cells(ratio));
        rows.push(row);
    }
    rows
}

fn row(now: &Series, before: &Series) -> Vec<String> {
    let subject = now.subject;
    let mut row = vec![
        subject.road.to_string(),
        subject.in_flight.to_string(),
        size(subject.bytes),
    ];
    let fields: [fn(&Sample) -> f64; 3] = [
        |sample| sample.calls_per_second,
        |sample| sample.p50_micros,
        |sample| sample.node_micros + sample.peer_micros,
    ];
    for field in fields {
        let pairs = now.samples.iter().zip(&before.samples);
        let ratios = pairs.map(|(now, before)| field(now) / field(before));
        row.extend(cells(Spread::of(ratios.filter(|ratio| ratio.is_finite()))));
    }
    row
}

/// The middle, and the spread; empty of nothing.
fn cells(ratio: Option<Spread>) -> [String; 2] {
    let Some(Spread {
        least,
        median,
        most,
    }) = ratio
    else {
        return Default::default();
    };
    [format!("{median:.2}"), format!("{least:.2}–{most:.2}")]
}
