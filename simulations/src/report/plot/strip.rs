//! A strip of seeds: one cell for each, or for several in a row where there are many.

use std::collections::BTreeSet;
use std::fmt::Write;

/// Cells of a strip.
const CELLS_MAX: u64 = 60;

/// What became of seeds in a row.
pub struct Seeds<'a> {
    /// The first.
    pub first: u64,
    /// How many were to be run.
    pub wanted: u64,
    /// How many were run, from the first on.
    pub run: u64,
    /// Which failed.
    pub failed: &'a BTreeSet<u64>,
}

/// The strip; a cell is red where any of its seeds failed, grey where none was run.
pub fn strip(seeds: &Seeds<'_>) -> String {
    let each = seeds.wanted.div_ceil(CELLS_MAX).max(1);
    let cells = seeds.wanted.div_ceil(each);
    let width = cells.max(1) * 10;
    let mut svg = format!(
        r#"<svg class="strip" viewBox="0 0 {width} 14" preserveAspectRatio="none" style="max-width:{}px" role="img" aria-label="{} failed of {}">"#,
        width.min(600),
        seeds.failed.len(),
        seeds.run
    );
    for cell in 0..cells {
        let first = seeds.first + cell * each;
        let end = (first + each).min(seeds.first + seeds.wanted);
        let failed = seeds.failed.range(first..end).count();
        let state = match failed {
            0 if first >= seeds.first + seeds.run => "idle",
            0 => "held",
            _ => "failed",
        };
        let which = match end - first {
            1 => format!("seed {first}"),
            _ => format!("seeds {first} to {}", end - 1),
        };
        // Writing to a string does not fail.
        let _ = write!(
            svg,
            r#"<rect class="{state}" x="{}" y="0" width="8" height="14" rx="2"><title>{which}: {state}</title></rect>"#,
            cell * 10
        );
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(wanted: u64, run: u64, failed: &[u64]) -> String {
        strip(&Seeds {
            first: 100,
            wanted,
            run,
            failed: &failed.iter().copied().collect(),
        })
    }

    #[test]
    fn each_seed_has_its_cell() {
        insta::assert_snapshot!(drawn(4, 3, &[102]).replace("><", ">\n<"));
    }

    #[test]
    fn many_seeds_share_cells_and_no_failure_is_hidden() {
        let many = drawn(1_000, 1_000, &[100, 101, 1_099]);
        assert_eq!(many.matches("<rect").count(), 59);
        assert_eq!(many.matches("class=\"failed\"").count(), 2);
        assert!(many.contains("seeds 1086 to 1099: failed"), "{many}");
    }
}
