//! Bar charts: how many of each kind, the most frequent first.

use std::fmt::Write;

use super::escape;
use crate::amounts::count;

const WIDTH: f64 = 520.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 60.0;
const ROW: f64 = 24.0;
const BAR: f64 = 14.0;

/// Bars for these names and numbers; nothing where there are none.
pub fn chart(label: &str, rows: &[(String, u64)]) -> String {
    let most = rows.iter().map(|(_, number)| *number).max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let height = ROW * sorted.len() as f64 + 8.0;
    let mut svg = format!(
        r#"<svg class="plot" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{}">"#,
        escape(label)
    );
    for (row, (name, number)) in sorted.iter().enumerate() {
        let top = 4.0 + ROW * row as f64 + (ROW - BAR) / 2.0;
        let long = (*number as f64 / most as f64 * (WIDTH - LEFT - RIGHT)).max(2.0);
        let (name, told) = (escape(name), count(*number as f64));
        // Writing to a string does not fail.
        let _ = write!(
            svg,
            r#"<text class="y" x="{:.1}" y="{:.1}">{name}</text><rect class="c0" x="{LEFT}" y="{top:.1}" width="{long:.1}" height="{BAR}" rx="3"><title>{name}: {number}</title></rect><text class="value" x="{:.1}" y="{:.1}">{told}</text>"#,
            LEFT - 8.0,
            top + 11.5,
            LEFT + long + 7.0,
            top + 11.5
        );
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_comes_first_and_the_longest() {
        let rows = [("crash", 3), ("pause", 12_000), ("<leave>", 0)];
        let rows = rows.map(|(name, number)| (name.to_owned(), number));
        insta::assert_snapshot!(chart("faults", &rows).replace("><", ">\n<"));
    }

    #[test]
    fn nothing_counted_is_no_chart() {
        assert_eq!(chart("faults", &[]), "");
        assert_eq!(chart("faults", &[("crash".to_owned(), 0)]), "");
    }
}
