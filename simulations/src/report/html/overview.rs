//! The top of the page: the verdict, figures that sum it up, and what held in which scenario.

use std::collections::BTreeSet;

use crate::amounts::{bytes, count, plural, time};
use crate::report::curve::Curve;
use crate::report::plot::escape;
use crate::report::plot::strip::{Seeds, strip};
use crate::report::terminal::verdict;
use crate::report::{Report, ScenarioReport};

/// The section.
pub fn section(report: &Report) -> String {
    format!(
        "<header><h1>Peerage simulations</h1><p>Whole meshes in virtual time, with everything going wrong that can be made to.</p></header>\n{}{}",
        if report.scenarios.is_empty() {
            String::new()
        } else {
            banner(report) + &tiles(report)
        },
        table(report)
    )
}

fn banner(report: &Report) -> String {
    let (class, mark) = match report.run_and_failed() {
        (_, 0) => ("verdict", "✓"),
        _ => ("verdict bad", "✗"),
    };
    let told = escape(&verdict(report));
    format!("<p class=\"{class}\"><b>{mark}</b><span>{told}</span></p>\n")
}

fn tiles(report: &Report) -> String {
    let sum = |of: fn(&ScenarioReport) -> u64| report.scenarios.iter().map(of).sum::<u64>() as f64;
    let wall_ms = sum(|scenario| scenario.totals.wall_ms);
    let virtual_us = sum(|scenario| scenario.totals.virtual_us);
    let mut tiles = vec![
        (count(sum(|scenario| scenario.run)), "runs"),
        (time(virtual_us), "of virtual time"),
        (
            count(sum(|scenario| scenario.actions.values().sum())),
            "faults and changes",
        ),
        (count(sum(|scenario| scenario.totals.events)), "events"),
        (
            bytes(sum(|scenario| scenario.totals.bytes)),
            "sent between nodes",
        ),
    ];
    if wall_ms > 0.0 {
        tiles.push((
            format!("{}×", count(virtual_us / 1_000.0 / wall_ms)),
            "real time, each thread",
        ));
    }
    let tiles: String = tiles
        .iter()
        .map(|(number, what)| {
            format!("<div class=\"tile\"><b>{number}</b><span>{what}</span></div>")
        })
        .collect();
    format!("<div class=\"tiles\">{tiles}</div>\n")
}

fn table(report: &Report) -> String {
    if report.scenarios.is_empty() {
        return String::new();
    }
    let checks: String = report
        .checks
        .iter()
        .map(|check| format!("<th class=\"check\">{}</th>", escape(check)))
        .collect();
    let rows: String = report
        .scenarios
        .iter()
        .map(|scenario| row(scenario, &report.checks))
        .collect();
    format!(
        "<h2>What held</h2><p>Each check looks at every step of every run. A cell of a strip is a seed, or several in a row.</p>\n\
         <div class=\"table\"><table><thead><tr><th>scenario</th><th class=\"left\">runs</th>{checks}\
         <th>converged<br>p50 · p99</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn row(scenario: &ScenarioReport, checks: &[String]) -> String {
    let marks: String = checks.iter().map(|check| mark(scenario, check)).collect();
    let failed: BTreeSet<u64> = scenario
        .failures
        .iter()
        .map(|failure| failure.seed)
        .collect();
    let seeds = strip(&Seeds {
        first: scenario.first_seed,
        wanted: scenario.seeds,
        run: scenario.run,
        failed: &failed,
    });
    format!(
        "<tr><th>{}<small>{}</small></th><td class=\"seeds\">{} × {}{seeds}</td>{marks}<td>{}</td></tr>\n",
        escape(&scenario.scenario),
        escape(&scenario.about),
        count(scenario.run as f64),
        plural(u64::from(scenario.nodes), "node"),
        middle_and_tail(&scenario.curves.convergence)
    )
}

fn mark(scenario: &ScenarioReport, check: &str) -> String {
    match scenario.failed_checks.get(check) {
        Some(failed) => {
            let told = plural(*failed, "seed");
            format!("<td class=\"mark no\" title=\"failed in {told}\">✗ {failed}</td>")
        }
        None if scenario.run == 0 => "<td class=\"mark none\">–</td>".to_owned(),
        None => "<td class=\"mark yes\" title=\"held\">✓</td>".to_owned(),
    }
}

fn middle_and_tail(curve: &Curve) -> String {
    match (curve.quantile(0.5), curve.quantile(0.99)) {
        (Some(middle), Some(tail)) => format!("{} · {}", time(middle as f64), time(tail as f64)),
        _ => "<span class=\"none\">–</span>".to_owned(),
    }
}
