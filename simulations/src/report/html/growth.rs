//! How costs grow with the number of nodes, measured, fitted and modelled.

use crate::amounts::{digits, plural};
use crate::growth::Growth;
use crate::growth::measured::{COSTS, Cost, Measured};
use crate::growth::model::Modelled;
use crate::report::Report;
use crate::report::plot::axis::{Axis, Scale, Unit};
use crate::report::plot::lines::{self, Mark, Series};
use crate::report::plot::{escape, figure};

/// Points of a drawn law.
const STEPS: u32 = 32;

/// The section; nothing where growth was not measured.
pub fn section(report: &Report) -> String {
    let Some(growth) = &report.growth else {
        return String::new();
    };
    let costs: String = COSTS.iter().map(|cost| fitted(growth, cost)).collect();
    format!(
        "<h2>Growth</h2><p>One run of {} for each size, as shipped, with the law that fits. Both axes are logarithmic: a straight line is a power of N.</p>\n\
         <div class=\"plots\">\n{costs}{}{}{}</div>\n",
        escape(&growth.scenario),
        pace(growth),
        spread(growth),
        rest(growth)
    )
}

fn fitted(growth: &Growth, cost: &Cost) -> String {
    let points = cost.points(&growth.measured);
    let law = growth.laws.iter().find(|law| law.cost == cost.name);
    let fit = law.and_then(|law| law.fit);
    let mut all = vec![series("measured", 0, Mark::Dots, points.clone())];
    let caption = match fit {
        Some(fit) => {
            let ends = points.first().zip(points.last());
            let drawn = ends.map(|(first, last)| curve(first.0, last.0, |nodes| fit.at(nodes)));
            let name = format!("{} for N nodes", formula(cost, &fit.formula()));
            all.push(series(&name, 1, Mark::Line, drawn.unwrap_or_default()));
            format!(
                "Off by {} % typically.",
                digits((fit.error * 100.0 * 10.0).round() / 10.0)
            )
        }
        None => "Too few sizes for a law.".to_owned(),
    };
    plot(&capital(cost.name), &caption, cost.name, cost.unit, &all)
}

/// A factor in microseconds says little; the unit is said beside it.
fn formula(cost: &Cost, formula: &str) -> String {
    match cost.unit {
        Unit::Time => format!("{formula} µs"),
        Unit::Bytes => format!("{formula} B"),
        _ => formula.to_owned(),
    }
}

fn pace(growth: &Growth) -> String {
    let ratio = |run: &Measured| run.virtual_us as f64 / run.wall_us.max(1) as f64;
    let points = growth
        .measured
        .iter()
        .map(|run| (f64::from(run.nodes), ratio(run)));
    plot(
        "Virtual time per wall time",
        "How many seconds of a world one second of one thread simulates.",
        "virtual seconds per second",
        Unit::Count,
        &[series("measured", 0, Mark::Dots, points.collect())],
    )
}

fn spread(growth: &Growth) -> String {
    let Some(calibration) = &growth.calibration else {
        return String::new();
    };
    let runs = |of: fn(&Measured) -> Option<u64>| -> Vec<(f64, f64)> {
        let point = |run: &Measured| Some((f64::from(run.nodes), of(run)? as f64));
        growth.measured.iter().filter_map(point).collect()
    };
    let sizes: Vec<String> = calibration.sizes.iter().map(u32::to_string).collect();
    let caption = format!(
        "Dashed: a model of the gossip fabric only, multiplied by {} (half) and {} (99 %) to fit the runs of {} nodes, where it is then off by at most {} %.",
        digits(calibration.half),
        digits(calibration.most),
        sizes.join(", "),
        digits((calibration.error * 1_000.0).round() / 10.0)
    );
    plot(
        "Until an announcement is known",
        &caption,
        "time since its publication",
        Unit::Time,
        &[
            series(
                "half of the nodes, measured",
                0,
                Mark::Dots,
                runs(|run| run.spread_half_us),
            ),
            series(
                "99 %, measured",
                1,
                Mark::Dots,
                runs(|run| run.spread_most_us),
            ),
            series(
                "half, model",
                0,
                Mark::Dashed,
                modelled(growth, |model| model.spread_half_us),
            ),
            series(
                "99 %, model",
                1,
                Mark::Dashed,
                modelled(growth, |model| model.spread_most_us),
            ),
        ],
    )
}

fn rest(growth: &Growth) -> String {
    plot(
        "Bytes per node at rest",
        "A model, not measured: pulses over each link and reconciliation with one neighbour, while nothing happens.",
        "sent per node",
        Unit::BytesPerSecond,
        &[series(
            "model",
            2,
            Mark::Dashed,
            modelled(growth, |model| model.rest_bytes_per_second),
        )],
    )
}

fn modelled(growth: &Growth, of: fn(&Modelled) -> f64) -> Vec<(f64, f64)> {
    let each = growth.modelled.iter();
    each.map(|model| (f64::from(model.nodes), of(model)))
        .collect()
}

fn curve(first: f64, last: f64, of: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let steps = (0..=STEPS).map(|step| f64::from(step) / f64::from(STEPS));
    let nodes = steps.map(|step| first * (last / first).powf(step));
    nodes.map(|nodes| (nodes, of(nodes))).collect()
}

fn series(name: &str, colour: usize, mark: Mark, points: Vec<(f64, f64)>) -> Series {
    let ends = points.first().zip(points.last());
    let hint = ends.map(|(first, last)| {
        format!(
            "{name}: from {} to {}",
            plural(first.0 as u64, "node"),
            plural(last.0 as u64, "node")
        )
    });
    Series {
        name: name.to_owned(),
        hint: hint.unwrap_or_default(),
        colour,
        mark,
        points,
    }
}

fn plot(title: &str, caption: &str, label: &str, unit: Unit, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    let x = Axis::over(
        "nodes",
        Unit::Count,
        Scale::Logarithmic,
        points().map(|(nodes, _)| *nodes),
    );
    let y = Axis::over(
        label,
        unit,
        Scale::Logarithmic,
        points().map(|(_, cost)| *cost),
    );
    let chart = lines::chart(&x, &y, series);
    match chart.is_empty() {
        true => chart,
        false => figure(title, caption, &lines::legend(series), &chart),
    }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
