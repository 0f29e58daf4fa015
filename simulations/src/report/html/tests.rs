//! The page as a whole: what is on it, and what must never be.

use std::collections::BTreeMap;

use super::page;
use crate::outcome::{Sample, Violation};
use crate::report::curve::CurveBuilder;
use crate::report::{Curves, Failure, Moment, Report, ScenarioReport, ShrunkFailure, Totals};

fn scenario(name: &str) -> ScenarioReport {
    let mut values = CurveBuilder::default();
    (1..=100).for_each(|value| values.add(value * 10_000));
    let curve = values.curve();
    ScenarioReport {
        scenario: name.to_owned(),
        about: "Something <bad> & worse.".to_owned(),
        nodes: 20,
        first_seed: 1,
        seeds: 10,
        run: 10,
        totals: Totals {
            wall_ms: 2_000,
            virtual_us: 600_000_000,
            events: 123_456,
            ..Totals::default()
        },
        actions: BTreeMap::from([("crash".to_owned(), 7)]),
        peaks: BTreeMap::from([("roster".to_owned(), 20)]),
        curves: Curves {
            convergence: curve.clone(),
            gossip_first: curve,
            ..Curves::default()
        },
        course: [0, 1_000_000, 2_000_000]
            .map(|at_us| Moment {
                at_us,
                runs: 10,
                bytes_per_node_second: 2_000.0,
                ..Moment::default()
            })
            .to_vec(),
        first_course: [0, 1_000_000]
            .map(|at_us| Sample {
                at_us,
                up: 20,
                ..Sample::default()
            })
            .to_vec(),
        ..ScenarioReport::default()
    }
}

fn failed(name: &str) -> ScenarioReport {
    let failure = Failure {
        seed: 4,
        violation: Violation {
            at_us: 1,
            check: "stable names".to_owned(),
            node: None,
            what: "it moved".to_owned(),
        },
        told: "stable names: <it> moved".to_owned(),
        replay: "replay me".to_owned(),
        shrunk: Some(ShrunkFailure {
            actions_before: 30,
            actions: 2,
            nodes_before: 20,
            nodes: 3,
            runs: 40,
            exhausted: false,
            plan: vec!["one".to_owned(), "two".to_owned()],
            trace: vec!["the end".to_owned()],
        }),
    };
    ScenarioReport {
        failed: 1,
        failed_checks: BTreeMap::from([("stable names".to_owned(), 1)]),
        failures: vec![failure],
        ..scenario(name)
    }
}

fn report(scenarios: Vec<ScenarioReport>) -> Report {
    Report {
        made_by: "a test".to_owned(),
        ..Report::new(
            scenarios,
            vec!["admission".to_owned(), "stable names".to_owned()],
        )
    }
}

#[test]
fn the_page_is_as_it_was_looked_at() {
    let page = page(&report(vec![scenario("calm"), failed("wild")]));
    let style_to_body = page.find("<style>").zip(page.find("<body>"));
    let (style, body) = style_to_body.unwrap_or_default();
    let without_style = format!("{}{}", &page[..style], &page[body..]);
    insta::assert_snapshot!(without_style.replace("><", ">\n<"));
}

#[test]
fn the_page_needs_nothing_from_anywhere_and_runs_nothing() {
    let page = page(&report(vec![scenario("calm"), failed("wild")]));
    for outside in ["http:", "https:", "src=", "@import", "url(", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains("<bad>") && !page.contains("<it>"));
}

#[test]
fn every_element_that_is_opened_is_closed() {
    let page = page(&report(vec![scenario("calm"), failed("wild")]));
    for element in [
        "figure", "details", "svg", "table", "tr", "td", "th", "text", "div", "ul", "li", "g", "p",
        "pre",
    ] {
        let opened = page.matches(&format!("<{element}>")).count()
            + page.matches(&format!("<{element} ")).count();
        let closed = page.matches(&format!("</{element}>")).count();
        assert_eq!(opened, closed, "{element}");
    }
}

#[test]
fn a_failure_is_told_with_its_command_and_its_smallest_plan() {
    let page = page(&report(vec![failed("wild")]));
    for told in [
        "FAILED: 1 of 10 runs of 1 scenario.",
        "replay me",
        "one\ntwo",
        "the end",
        "✗ 1",
    ] {
        assert!(page.contains(told), "{told}");
    }
}

#[test]
fn nothing_run_makes_a_page_all_the_same() {
    let page = page(&report(Vec::new()));
    assert!(page.contains("Peerage simulations") && !page.contains("class=\"verdict"));
}
