//! How text lies on a screen: broken at its width, and in colours where they are wanted.

use crate::terminal::View;

/// Columns that a line may have when nobody says otherwise.
const WIDTH: usize = 100;
/// A text gets at least as many columns, however narrow the screen.
const TEXT_MIN: usize = 20;

/// A colour or weight.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    Bold,
    Dim,
    Green,
    Red,
    Yellow,
}

/// In this style where colours are wanted.
pub(super) fn styled(text: &str, style: Style, view: View) -> String {
    let code = match style {
        Style::Bold => 1,
        Style::Dim => 2,
        Style::Red => 31,
        Style::Green => 32,
        Style::Yellow => 33,
    };
    match view.colour {
        true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

/// Broken between words; the first line begins at column `indent`, and so do the others.
pub(super) fn wrapped(text: &str, indent: usize, view: View) -> String {
    let width = view.width.map_or(WIDTH, usize::from);
    let room = width.saturating_sub(indent).max(TEXT_MIN);
    let mut wrapped = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > room {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// A page in place of the one that is on the screen: each line replaces one, the rest is cleared, and no more than fits
/// is shown.
pub fn in_place(page: &str, rows: Option<usize>) -> String {
    let lines = page
        .lines()
        .take(rows.map_or(usize::MAX, |rows| rows.saturating_sub(1)));
    let lines: String = lines.map(|line| format!("{line}\u{1b}[K\n")).collect();
    format!("\u{1b}[H{lines}\u{1b}[J")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_place_is_cut_to_the_screen() {
        let drawn = in_place("one\ntwo\nthree\n", Some(3));
        assert_eq!(drawn, "\u{1b}[Hone\u{1b}[K\ntwo\u{1b}[K\n\u{1b}[J");
        assert!(in_place("one\n", None).contains("one"));
    }

    #[test]
    fn lines_are_broken_between_words_and_begin_below_each_other() {
        let view = View {
            width: Some(24),
            ..View::default()
        };
        assert_eq!(
            wrapped("one two three four five", 4, view),
            "one two three four\n    five"
        );
    }
}
