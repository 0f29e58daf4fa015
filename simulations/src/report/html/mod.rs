//! A report as one HTML page: its style and its plots within it, no script, nothing loaded from anywhere.

mod details;
mod figures;
mod growth;
mod overview;

use super::Report;
use super::plot::escape;

/// The page.
pub fn page(report: &Report) -> String {
    let sections = [
        overview::section(report),
        figures::section(report),
        growth::section(report),
        details::failures(report),
        details::scenarios(report),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>Peerage simulations</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n{}\
         <footer><p>Made by {}. Times are virtual unless they say otherwise; the same seed gives the same run.</p></footer>\n\
         </main>\n</body>\n</html>\n",
        include_str!("style.css"),
        sections.concat(),
        escape(&report.made_by)
    )
}

#[cfg(test)]
mod tests;
