//! Tables without lines: a header, rows, and as wide as the screen allows.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

use super::one_line;
use crate::terminal::View;

/// A cell whose text may come from anyone.
pub(super) fn cell(text: &str) -> Cell {
    Cell::new(one_line(text))
}

/// A cell that says how something fares.
pub(super) fn state(text: &str) -> Cell {
    let colour = match text {
        "self" | "connected" | "here" | "ready" | "shared" => Color::Green,
        "down" | "unreachable" | "away" => Color::Red,
        "starting" | "unresponsive" => Color::Yellow,
        _ => return cell(text),
    };
    cell(text).fg(colour)
}

pub(super) fn table(view: View, header: &[&str], rows: Vec<Vec<Cell>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(
        header
            .iter()
            .map(|title| Cell::new(title).add_attribute(Attribute::Bold)),
    );
    table.add_rows(rows);
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 1));
    }
    match view.colour {
        true => table.enforce_styling(),
        false => table.force_no_tty(),
    };
    if let Some(width) = view.width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width);
    }
    table.trim_fmt() + "\n"
}
