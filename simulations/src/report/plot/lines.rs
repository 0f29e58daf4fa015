//! Line charts: curves, courses over time, and measured points with the law that fits them.

use std::fmt::Write;

use super::axis::Axis;
use super::{COLOURS, escape};

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A line through its points.
    Line,
    /// A line through its points over a faint area.
    Area,
    /// A dashed line: not measured.
    Dashed,
    /// Points.
    Dots,
}

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it; a series without a name is not in the legend.
    pub name: String,
    /// What is said where the pointer rests on it.
    pub hint: String,
    /// Which colour, counted from 0.
    pub colour: usize,
    /// How it is drawn.
    pub mark: Mark,
    /// Its points, in order of `x`.
    pub points: Vec<(f64, f64)>,
}

/// The chart; nothing where no series has a point.
pub fn chart(x: &Axis, y: &Axis, series: &[Series]) -> String {
    if series.iter().all(|series| series.points.is_empty()) {
        return String::new();
    }
    let mut svg = format!(
        r#"<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{} against {}">"#,
        escape(&y.label),
        escape(&x.label)
    );
    draw_axes(&mut svg, x, y);
    for series in series.iter().filter(|series| !series.points.is_empty()) {
        draw(&mut svg, x, y, series);
    }
    svg.push_str("</svg>");
    svg
}

/// The legend, in HTML so that it wraps on a narrow screen; nothing where no series has a name.
pub fn legend(series: &[Series]) -> String {
    let named = series
        .iter()
        .filter(|series| !series.name.is_empty() && !series.points.is_empty());
    let entries: String = named
        .map(|series| {
            let dashes = if dashed(series) { " dashed" } else { "" };
            let dots = if series.mark == Mark::Dots {
                " dots"
            } else {
                ""
            };
            format!(
                r#"<li><i class="c{}{dashes}{dots}"></i>{}</li>"#,
                series.colour % COLOURS,
                escape(&series.name)
            )
        })
        .collect();
    match entries.is_empty() {
        true => entries,
        false => format!("<ul class=\"legend\">{entries}</ul>"),
    }
}

fn draw_axes(svg: &mut String, x: &Axis, y: &Axis) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for tick in y.ticks() {
        let (at, told) = (across(y, tick), escape(&y.unit.told(tick)));
        // Writing to a string does not fail.
        let _ = write!(
            svg,
            r#"<path class="grid" d="M{LEFT} {at:.1}H{right}"/><text class="y" x="{:.1}" y="{:.1}">{told}</text>"#,
            LEFT - 7.0,
            at + 4.0
        );
    }
    let mut free_from = 0.0;
    for tick in x.ticks() {
        let (at, told) = (along(x, tick), escape(&x.unit.told(tick)));
        let _ = write!(svg, r#"<path class="tick" d="M{at:.1} {bottom}v4"/>"#);
        let half = told.chars().count() as f64 * 3.6;
        if at - half < free_from {
            continue;
        }
        free_from = at + half + 6.0;
        let _ = write!(
            svg,
            r#"<text class="x" x="{at:.1}" y="{:.1}">{told}</text>"#,
            bottom + 18.0
        );
    }
    let _ = write!(
        svg,
        r#"<path class="axis" d="M{LEFT} {bottom}H{right}"/><text class="label" x="{:.1}" y="{:.1}">{}</text><text class="label" transform="translate(12 {:.1}) rotate(-90)">{}</text>"#,
        (LEFT + right) / 2.0,
        HEIGHT - 8.0,
        escape(&x.label),
        (TOP + bottom) / 2.0,
        escape(&y.label)
    );
}

fn draw(svg: &mut String, x: &Axis, y: &Axis, series: &Series) {
    let colour = series.colour % COLOURS;
    let hint = match series.hint.is_empty() {
        true => &series.name,
        false => &series.hint,
    };
    let _ = write!(
        svg,
        r#"<g class="c{colour}"><title>{}</title>"#,
        escape(hint)
    );
    let places = series
        .points
        .iter()
        .map(|(a, b)| (along(x, *a), across(y, *b)));
    if series.mark == Mark::Dots {
        for (a, b) in places {
            let _ = write!(svg, r#"<circle cx="{a:.1}" cy="{b:.1}" r="3.8"/>"#);
        }
    } else {
        let joined: Vec<String> = places.map(|(a, b)| format!("{a:.1} {b:.1}")).collect();
        let path = joined.join("L");
        if let (Mark::Area, Some(first), Some(last)) =
            (series.mark, series.points.first(), series.points.last())
        {
            let (first, last) = (along(x, first.0), along(x, last.0));
            let bottom = HEIGHT - BOTTOM;
            let _ = write!(
                svg,
                r#"<path class="area" d="M{first:.1} {bottom}L{path}L{last:.1} {bottom}Z"/>"#
            );
        }
        let dashes = if dashed(series) { " dashed" } else { "" };
        let _ = write!(svg, r#"<path class="line{dashes}" d="M{path}"/>"#);
    }
    svg.push_str("</g>");
}

fn dashed(series: &Series) -> bool {
    series.mark == Mark::Dashed || series.colour >= COLOURS
}

fn along(x: &Axis, value: f64) -> f64 {
    LEFT + x.place(value) * (WIDTH - LEFT - RIGHT)
}

fn across(y: &Axis, value: f64) -> f64 {
    HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM)
}

#[cfg(test)]
mod tests {
    use super::super::axis::{Scale, Unit};
    use super::*;

    fn series(name: &str, mark: Mark, colour: usize) -> Series {
        Series {
            name: name.to_owned(),
            hint: String::new(),
            colour,
            mark,
            points: vec![(0.0, 0.0), (500_000.0, 0.5), (1_000_000.0, 1.0)],
        }
    }

    fn axes() -> (Axis, Axis) {
        let x = Axis::over("time since", Unit::Time, Scale::Linear, [1e6].into_iter());
        (x, Axis::share("of all nodes"))
    }

    #[test]
    fn a_chart_has_axes_with_units_and_every_series() {
        let (x, y) = axes();
        let all = [
            series("calm <1>", Mark::Area, 0),
            series("wild", Mark::Dots, 1),
            series("model", Mark::Dashed, 9),
        ];
        insta::assert_snapshot!(chart(&x, &y, &all).replace("><", ">\n<"));
        insta::assert_snapshot!(legend(&all).replace("><", ">\n<"));
    }

    #[test]
    fn without_points_there_is_no_chart() {
        let (x, y) = axes();
        let empty = Series {
            points: Vec::new(),
            ..series("calm", Mark::Line, 0)
        };
        assert_eq!(chart(&x, &y, std::slice::from_ref(&empty)), "");
        assert_eq!(legend(&[empty]), "");
    }
}
