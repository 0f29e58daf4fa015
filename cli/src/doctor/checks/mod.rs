//! Pure functions from what was seen to what is wrong: one file a subject.

mod bootstrap;
mod certificate;
mod clock;
mod copies;
mod database;
mod disk;
mod keys;
mod lists;
mod members;
mod permissions;
mod ports;
mod registry;
mod running;
mod servers;
mod settings;
mod upstreams;

use super::evidence::Evidence;
use super::finding::{Examined, Finding};

/// A subject: its name, and what is judged of it.
type Check = (&'static str, fn(&Evidence) -> Judgement);

/// What was seen, in a few words, and what is wrong with it.
struct Judgement {
    seen: String,
    findings: Vec<Finding>,
}

impl Judgement {
    fn new(seen: impl Into<String>, findings: impl IntoIterator<Item = Finding>) -> Self {
        Self {
            seen: seen.into(),
            findings: findings.into_iter().collect(),
        }
    }
}

const CHECKS: [Check; 16] = [
    ("permissions", permissions::check),
    ("keys", keys::check),
    ("node", running::check),
    ("database", database::check),
    ("settings", settings::check),
    ("servers", servers::check),
    ("upstreams", upstreams::check),
    ("ports", ports::check),
    ("certificate", certificate::check),
    ("clock", clock::check),
    ("members", members::check),
    ("bootstrap", bootstrap::check),
    ("registry", registry::check),
    ("copies", copies::check),
    ("list", lists::check),
    ("disk", disk::check),
];

/// Judges everything, in an order in which one mends.
pub fn examine(evidence: &Evidence) -> Vec<Examined> {
    CHECKS
        .into_iter()
        .map(|(subject, check)| {
            let Judgement { seen, findings } = check(evidence);
            Examined {
                subject,
                seen,
                findings,
            }
        })
        .collect()
}

#[cfg(test)]
fn names(judgement: &Judgement) -> Vec<&'static str> {
    judgement
        .findings
        .iter()
        .map(|finding| finding.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_healthy_home_nothing_is_found() {
        let examined = examine(&Evidence::healthy());
        let found: Vec<_> = examined.iter().flat_map(|one| &one.findings).collect();
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(examined.len(), CHECKS.len());
    }
}
