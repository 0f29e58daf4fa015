//! The end of a trace without the lines that repeat what was just said.

use std::collections::VecDeque;

/// Lines that are looked back at.
const LOOKED_BACK: usize = 4;

/// The last `most` lines of `trace`, once those that differ from one shortly before in numbers only are counted
/// instead of shown. The last line is always there.
pub fn abridged(trace: &[String], most: usize) -> Vec<String> {
    let mut shown = Vec::new();
    let mut recent: VecDeque<String> = VecDeque::new();
    let mut skipped = 0;
    for (place, line) in trace.iter().enumerate() {
        let shape = shape(line);
        let last = place + 1 == trace.len();
        if recent.contains(&shape) && !last {
            skipped += 1;
            continue;
        }
        if skipped > 0 {
            shown.push(format!("{:>16}… {skipped} more like these", ""));
            skipped = 0;
        }
        shown.push(line.clone());
        recent.push_back(shape);
        if recent.len() > LOOKED_BACK {
            recent.pop_front();
        }
    }
    shown.split_off(shown.len().saturating_sub(most))
}

/// A line without its numbers, except those that name nodes.
fn shape(line: &str) -> String {
    let mut before = ' ';
    let kept = line.chars().filter(|character| {
        let of_node = before == '#' && character.is_ascii_digit();
        if !of_node {
            before = *character;
        }
        of_node || !(character.is_ascii_digit() || character.is_whitespace())
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_in_numbers_only_are_counted() {
        let mut trace: Vec<String> = (0..50)
            .flat_map(|at| {
                [
                    format!("{at}.25 look Look"),
                    format!("{at}.26 not yet 3 of 4"),
                ]
            })
            .collect();
        trace.push("51.0 input #12 Wake".to_owned());
        trace.push("51.1 input #13 Wake".to_owned());
        let told = abridged(&trace, 40);
        assert_eq!(
            told,
            [
                "0.25 look Look",
                "0.26 not yet 3 of 4",
                "                … 98 more like these",
                "51.0 input #12 Wake",
                "51.1 input #13 Wake",
            ]
        );
    }

    #[test]
    fn the_last_line_stays_and_the_bound_holds() {
        let same = vec!["1.0 look Look".to_owned(); 9];
        assert_eq!(abridged(&same, 40).len(), 3);
        let other: Vec<String> = ('a'..='z').map(|letter| format!("1.0 {letter}")).collect();
        assert_eq!(abridged(&other, 5), other[21..]);
        assert!(abridged(&[], 5).is_empty());
    }
}
