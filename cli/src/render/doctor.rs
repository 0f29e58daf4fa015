//! What the doctor found: a line for every subject, and under it what is wrong and how to mend it.

use super::layout::{Style, styled, wrapped};
use super::one_line;
use crate::doctor::finding::{Examined, Finding, Severity};
use crate::terminal::View;

/// Columns before what was seen.
const SUBJECT_COLUMNS: usize = 16;
/// Columns before the text of a finding.
const FINDING_COLUMNS: usize = 10;

/// Everything that was examined.
pub fn examined(examined: &[Examined], view: View) -> String {
    examined.iter().map(|one| subject(one, view)).collect()
}

fn subject(examined: &Examined, view: View) -> String {
    let worst = examined
        .findings
        .iter()
        .map(|finding| finding.severity)
        .max();
    let (sign, style) = match worst {
        None => ("✓", Style::Green),
        Some(Severity::Notice) => ("!", Style::Yellow),
        Some(Severity::Wrong) => ("✗", Style::Red),
    };
    let seen = wrapped(&one_line(&examined.seen), SUBJECT_COLUMNS, view);
    let subject = format!("{:<13}", examined.subject);
    let mut text = format!(
        "{} {} {seen}\n",
        styled(sign, style, view),
        styled(&subject, Style::Bold, view)
    );
    for finding in &examined.findings {
        text += &findings(finding, view);
    }
    text
}

fn findings(finding: &Finding, view: View) -> String {
    let (label, style) = match finding.severity {
        Severity::Notice => ("  notice  ", Style::Yellow),
        Severity::Wrong => ("  wrong   ", Style::Red),
    };
    let what = wrapped(
        &format!("{}: {}", finding.name, one_line(&finding.what)),
        FINDING_COLUMNS,
        view,
    );
    let mend = wrapped(&one_line(&finding.mend), FINDING_COLUMNS, view);
    let mend_label = styled("  mend    ", Style::Dim, view);
    format!("{}{what}\n{mend_label}{mend}\n", styled(label, style, view))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_has_its_mend_below_it() {
        let healthy = Examined {
            subject: "disk",
            seen: "90 GiB free".to_owned(),
            findings: Vec::new(),
        };
        let ill = Examined {
            subject: "certificate",
            seen: "desk as member".to_owned(),
            findings: vec![
                Finding::wrong(
                    "certificate_expired",
                    "it ended 2 days ago\u{1b}[2J",
                    "start an admin's node",
                ),
                Finding::notice(
                    "list_large",
                    "the list takes 30000 tokens",
                    "drop servers that nobody uses",
                ),
            ],
        };
        insta::assert_snapshot!(examined(&[healthy, ill], View::default()));
    }
}
