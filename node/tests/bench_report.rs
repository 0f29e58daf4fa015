//! The report of the benches: a bench has no tests of its own, so its pure parts are tried here.

#![allow(clippy::unwrap_used)]

#[path = "../benches/gateway/comparison.rs"]
mod comparison;
#[path = "../benches/gateway/figures.rs"]
mod figures;
#[path = "../benches/gateway/goals.rs"]
mod goals;
#[path = "../benches/gateway/report.rs"]
mod report;
#[path = "../benches/gateway/subject.rs"]
mod subject;

use figures::{Figures, Isolation, Sample, Series, Singles, Spread};
use goals::{Bound, goals};
use subject::{BUILTIN_BYTES, KIBIBYTE, Road, SUBJECTS, Subject};

/// A sample whose calls take `micros` each.
fn sample(micros: f64) -> Sample {
    Sample {
        calls_per_second: 1e6 / micros,
        p50_micros: micros,
        p99_micros: micros * 3.0,
        node_micros: micros / 4.0,
        peer_micros: 0.0,
        upstream_micros: 12.5,
        load_share: 0.25,
    }
}

fn series(subject: Subject, micros: &[f64]) -> Series {
    Series {
        subject,
        samples: micros.iter().copied().map(sample).collect(),
    }
}

fn figures() -> Figures {
    Figures {
        load_average: [0.5, 3.25],
        series: vec![
            series(
                Subject::new(Road::Direct, 1, KIBIBYTE),
                &[50.0, 40.0, 100.0],
            ),
            series(
                Subject::new(Road::Http, 1, KIBIBYTE),
                &[100.0, 100.0, 150.0],
            ),
            series(Subject::new(Road::Direct, 32, BUILTIN_BYTES), &[20.0]),
            series(Subject::new(Road::Builtin, 32, BUILTIN_BYTES), &[40.0]),
        ],
        singles: Singles {
            start_millis: vec![31.0, 29.0],
            idle_mebibytes: vec![24.0],
            cold_millis: vec![21.5],
            isolation: Vec::new(),
        },
    }
}

#[test]
fn the_page_shows_medians_spreads_and_which_goals_are_met() {
    insta::assert_snapshot!(report::page(&figures(), None));
}

#[test]
fn a_comparison_shows_each_row_by_what_it_was_in_the_same_round() {
    let mut before = figures();
    before.series[0].samples[1] = sample(80.0);
    before.singles.idle_mebibytes = vec![12.0];
    before.series.pop();
    insta::assert_snapshot!(report::page(&figures(), Some(&before)));
}

#[test]
fn the_json_holds_every_sample_and_every_verdict() {
    let json = report::json(&figures(), None).unwrap();
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        read["figures"]["series"][0]["samples"][1]["p50_micros"],
        40.0
    );
    let met: Vec<_> = read["goals"].as_array().unwrap().iter().collect();
    let verdict = |part: &str| {
        let goal = met
            .iter()
            .find(|goal| goal["what"].as_str().unwrap().contains(part));
        goal.unwrap()["met"].clone()
    };
    assert_eq!(verdict("idle memory"), true);
    assert_eq!(verdict("cold connect"), false);
    assert_eq!(verdict("by alone"), serde_json::Value::Null);
}

#[test]
fn a_ratio_is_taken_round_by_round() {
    let goals = goals(&figures());
    let ratio = goals.iter().find(|goal| goal.unit == "×").unwrap();
    let spread = Spread {
        least: 1.5,
        median: 2.0,
        most: 2.5,
    };
    assert_eq!(ratio.measured, Some(spread));
    assert_eq!(ratio.bound, Bound::AtMost(2.2));
}

#[test]
fn no_goal_stands_on_a_subject_that_is_not_measured() {
    let measured = |subject: &Subject| series(*subject, &[1.0]);
    let all = Figures {
        series: SUBJECTS.iter().map(measured).collect(),
        singles: Singles {
            start_millis: vec![1.0],
            idle_mebibytes: vec![1.0],
            cold_millis: vec![1.0],
            isolation: vec![Isolation {
                alone_micros: 1.0,
                healthy_micros: 1.0,
                disturbed_micros: 1.0,
            }],
        },
        ..Figures::default()
    };
    let without: Vec<_> = goals(&all)
        .into_iter()
        .filter(|goal| goal.is_met().is_none())
        .collect();
    assert_eq!(without, []);
}
