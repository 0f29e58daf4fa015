//! The plots that compare scenarios.

use std::collections::BTreeMap;

use crate::amounts::{count, time};
use crate::report::curve::Curve;
use crate::report::plot::axis::{Axis, Scale, Unit};
use crate::report::plot::lines::{self, Mark, Series};
use crate::report::plot::{bars, figure};
use crate::report::{Moment, Report, ScenarioReport};

/// The section.
pub fn section(report: &Report) -> String {
    let figures: String = [
        spread(report),
        change_known(report),
        join_known(report),
        convergence(report),
        bytes_over_time(report),
        bytes_per_node(report),
        actions(report),
        refusals(report),
    ]
    .concat();
    match figures.is_empty() {
        true => figures,
        false => format!(
            "<h2>How it went</h2><p>Over all runs of each scenario. A point on a curve says which share of the values lies below it.</p>\n\
             <div class=\"plots\">\n{figures}</div>\n"
        ),
    }
}

fn spread(report: &Report) -> String {
    let totals = report.scenarios.iter().map(|scenario| &scenario.totals);
    let (published, missed) = totals.fold((0, 0), |(published, missed), totals| {
        (
            published + totals.gossip_published,
            missed + totals.gossip_missed,
        )
    });
    let caption = format!(
        "From its publication to its first arrival at each node. {} published, {} arrivals missed and left to reconciliation.",
        count(published as f64),
        count(missed as f64)
    );
    let each = report.scenarios.iter();
    let series = each.enumerate().map(|(place, scenario)| {
        let reached = reached(scenario);
        let mut curve = of_curve(scenario, place, &scenario.curves.gossip_first);
        curve
            .points
            .iter_mut()
            .for_each(|(_, share)| *share *= reached);
        curve
    });
    distribution(
        "Spread of an announcement",
        &caption,
        "time since its publication",
        Scale::Logarithmic,
        series.collect(),
    )
}

/// The share of a scenario's arrivals that happened.
fn reached(scenario: &ScenarioReport) -> f64 {
    let arrived = scenario.curves.gossip_first.count as f64;
    let missed = scenario.totals.gossip_missed as f64;
    match arrived + missed > 0.0 {
        true => arrived / (arrived + missed),
        false => 1.0,
    }
}

fn change_known(report: &Report) -> String {
    times(
        report,
        "A change of tools, until it is known",
        "From a change of shared tools to each other node's catalog that shows it.",
        "time since the change",
        Scale::Logarithmic,
        |scenario| &scenario.curves.change_known,
    )
}

fn join_known(report: &Report) -> String {
    times(
        report,
        "A new member, until it is known",
        "From a joiner's certificate to each other node's roster that has it.",
        "time since its certificate",
        Scale::Logarithmic,
        |scenario| &scenario.curves.join_known,
    )
}

fn convergence(report: &Report) -> String {
    times(
        report,
        "Convergence",
        "From the end of the last fault until every roster, catalog and link is as it should be, in each run.",
        "time since the last fault",
        Scale::Linear,
        |scenario| &scenario.curves.convergence,
    )
}

fn times(
    report: &Report,
    title: &str,
    caption: &str,
    axis: &str,
    scale: Scale,
    of: fn(&ScenarioReport) -> &Curve,
) -> String {
    let each = report.scenarios.iter().enumerate();
    let series = each.map(|(place, scenario)| of_curve(scenario, place, of(scenario)));
    distribution(title, caption, axis, scale, series.collect())
}

fn of_curve(scenario: &ScenarioReport, colour: usize, curve: &Curve) -> Series {
    let points = curve
        .points
        .iter()
        .map(|(share, value)| (*value as f64, *share));
    let at = |share| time(curve.quantile(share).unwrap_or_default() as f64);
    Series {
        name: scenario.scenario.clone(),
        hint: format!(
            "{}: half within {}, 99 % within {}",
            scenario.scenario,
            at(0.5),
            at(0.99)
        ),
        colour,
        mark: Mark::Line,
        points: points.collect(),
    }
}

fn distribution(
    title: &str,
    caption: &str,
    axis: &str,
    scale: Scale,
    series: Vec<Series>,
) -> String {
    let values = series.iter().flat_map(|series| &series.points);
    let x = Axis::over(axis, Unit::Time, scale, values.map(|(value, _)| *value));
    plot(title, caption, &x, &Axis::share("share"), &series)
}

fn bytes_over_time(report: &Report) -> String {
    let each = report.scenarios.iter().enumerate();
    let series = each.map(|(colour, scenario)| Series {
        name: scenario.scenario.clone(),
        hint: String::new(),
        colour,
        mark: Mark::Line,
        points: smoothed(&scenario.course),
    });
    let series: Vec<Series> = series.collect();
    let points = || series.iter().flat_map(|series| &series.points);
    let x = Axis::over(
        "time since the beginning",
        Unit::Time,
        Scale::Linear,
        points().map(|(at, _)| *at),
    );
    let y = Axis::over(
        "sent per node",
        Unit::BytesPerSecond,
        Scale::Logarithmic,
        points().map(|(_, sent)| *sent),
    );
    plot(
        "Bytes per node over time",
        "What a running node sends per second, on average over nodes and runs.",
        &x,
        &y,
        &series,
    )
}

/// What was sent, on average over spans of time, so that a curve does not jump from each second to the next.
fn smoothed(course: &[Moment]) -> Vec<(f64, f64)> {
    const SPANS: usize = 40;
    let each = course.len().div_ceil(SPANS).max(1);
    // The first moment is the beginning, when nothing had been sent.
    let spans = course.get(1..).unwrap_or_default().chunks(each);
    let mean = |span: &[Moment], of: fn(&Moment) -> f64| {
        span.iter().map(of).sum::<f64>() / span.len() as f64
    };
    spans
        .map(|span| {
            (
                mean(span, |moment| moment.at_us as f64),
                mean(span, |moment| moment.bytes_per_node_second),
            )
        })
        .collect()
}

fn bytes_per_node(report: &Report) -> String {
    let each = report.scenarios.iter().enumerate();
    let series: Vec<Series> = each
        .map(|(place, scenario)| Series {
            hint: String::new(),
            ..of_curve(scenario, place, &scenario.curves.bytes_per_node)
        })
        .collect();
    let values = series.iter().flat_map(|series| &series.points);
    let x = Axis::over(
        "sent by one node in a run",
        Unit::Bytes,
        Scale::Logarithmic,
        values.map(|(value, _)| *value),
    );
    plot(
        "Bytes of each node",
        "How evenly the work is shared: a steep curve is an even one.",
        &x,
        &Axis::share("share of nodes"),
        &series,
    )
}

fn plot(title: &str, caption: &str, x: &Axis, y: &Axis, series: &[Series]) -> String {
    let chart = lines::chart(x, y, series);
    match chart.is_empty() {
        true => chart,
        false => figure(title, caption, &lines::legend(series), &chart),
    }
}

fn actions(report: &Report) -> String {
    let rows = sums(report, |scenario| &scenario.actions);
    let chart = bars::chart("faults and changes by kind", &rows);
    match chart.is_empty() {
        true => chart,
        false => figure(
            "Faults by kind",
            "What was done to the worlds, over all runs.",
            "",
            &chart,
        ),
    }
}

fn refusals(report: &Report) -> String {
    let rows = sums(report, |scenario| &scenario.refusals);
    let chart = bars::chart("claims turned away by reason", &rows);
    match chart.is_empty() {
        true => chart,
        false => figure(
            "Turned away at the gate",
            "Claims that a node refused, by reason.",
            "",
            &chart,
        ),
    }
}

fn sums(report: &Report, of: fn(&ScenarioReport) -> &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (name, number) in report.scenarios.iter().flat_map(of) {
        *sums.entry(name.replace('_', " ")).or_default() += number;
    }
    sums.into_iter().collect()
}
