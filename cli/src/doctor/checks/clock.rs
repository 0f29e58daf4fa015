//! Whether this machine's clock can be right: judged by what was written and signed before now, and by the clocks of
//! linked members.

use std::time::Duration;

use peerage_node::gateway::frontend::rest::api::NodeStatus;
use peerage_protocol::limits::CLOCK_LEEWAY;

use super::Judgement;
use crate::doctor::evidence::{Answer, DatabaseFacts, Evidence};
use crate::doctor::finding::Finding;

const SET: &str = "set the clock, and let the system keep it: timedatectl set-ntp true (Linux), sntp -sS time.apple.com (macOS)";

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let clocks = members_clocks(evidence);
    let seen = match clocks.len() {
        0 => "compared with the certificate and the files of the home; no member could be asked"
            .to_owned(),
        asked => format!(
            "compared with the certificate, the files of the home and the clocks of {asked} members"
        ),
    };
    let by_itself = [issued_later(evidence), written_later(evidence)];
    Judgement::new(seen, by_itself.into_iter().flatten().chain(apart(&clocks)))
}

/// The clocks of two members may differ by this much, in milliseconds, before anybody is told.
const APART_MAX: u64 = 60_000;

/// Each linked member's name, and how far its clock is ahead of this one, in milliseconds.
fn members_clocks(evidence: &Evidence) -> Vec<(&str, i64)> {
    let Answer::Said(_, nodes) = &evidence.node else {
        return Vec::new();
    };
    let clock = |node: &'_ NodeStatus| node.clock_ahead_ms;
    let told = nodes
        .iter()
        .filter_map(|node| Some((node.name.as_str(), clock(node)?)));
    told.collect()
}

/// Whose clock is off: where most others disagree with this one, it is this one.
fn apart(clocks: &[(&str, i64)]) -> Vec<Finding> {
    let far = clocks
        .iter()
        .filter(|(_, ahead)| ahead.unsigned_abs() > APART_MAX);
    let far: Vec<_> = far.copied().collect();
    let told: Vec<String> = far
        .iter()
        .map(|(name, ahead)| difference(name, *ahead))
        .collect();
    match (far.len(), clocks.len()) {
        (0, _) => Vec::new(),
        (1, 1) => vec![Finding::wrong(
            "clock_off",
            format!("{}: one of the two clocks is off", told.join(", ")),
            format!("compare both with a third, and on the machine that is off {SET}"),
        )],
        (far, all) if far * 2 > all => vec![Finding::wrong(
            "clock_off",
            format!("this clock is off: {}", told.join(", ")),
            SET,
        )],
        _ => {
            let finding = |((name, _), told): (&(&str, i64), &String)| {
                let mend = format!("on {name}: {SET}");
                Finding::notice("member_clock_off", told.clone(), mend)
            };
            far.iter().zip(&told).map(finding).collect()
        }
    }
}

fn difference(name: &str, ahead: i64) -> String {
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    let apart = minutes(Duration::from_millis(ahead.unsigned_abs()));
    format!("the clock of {name} is {apart} {direction} this one")
}

/// Whoever signed the certificate did it before now: if it begins later, this clock is behind, or the issuer's ahead.
fn issued_later(evidence: &Evidence) -> Option<Finding> {
    let DatabaseFacts::Read {
        membership: Some((_, certificate)),
        ..
    } = &evidence.database
    else {
        return None;
    };
    let ahead = certificate.not_before.since(evidence.now);
    (ahead > CLOCK_LEEWAY).then(|| {
        Finding::wrong(
            "clock_behind",
            format!("the certificate begins {} from now: this clock is behind, or its issuer's was ahead", minutes(ahead)),
            SET,
        )
    })
}

fn written_later(evidence: &Evidence) -> Option<Finding> {
    let latest = evidence.files.iter().max_by_key(|file| file.modified)?;
    let ahead = latest.modified.since(evidence.now);
    (ahead > CLOCK_LEEWAY).then(|| {
        Finding::wrong(
            "clock_behind_files",
            format!(
                "{} was written {} from now: the clock has gone back",
                latest.path.display(),
                minutes(ahead)
            ),
            SET,
        )
    })
}

fn minutes(ahead: Duration) -> String {
    match ahead.as_secs() / 60 {
        1 => "1 minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;
    use crate::doctor::evidence::FileFacts;
    use peerage_protocol::time::Timestamp;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_certificate_from_the_future_means_that_the_clock_is_off() {
        let evidence = Evidence::healthy();
        let mut certificate = evidence.certificate(Duration::ZERO, HOUR * 24);
        certificate.not_before = evidence.now + HOUR;
        assert_eq!(
            names(&check(&evidence.clone().member(certificate.clone()))),
            ["clock_behind"]
        );
        certificate.not_before = evidence.now + CLOCK_LEEWAY;
        assert_eq!(
            names(&check(&evidence.member(certificate))),
            Vec::<&str>::new()
        );
    }

    #[test]
    fn where_most_members_disagree_it_is_this_clock() {
        let far = 180_000;
        let judged = |clocks: &[(&str, i64)]| -> Vec<&str> {
            apart(clocks).iter().map(|finding| finding.name).collect()
        };
        assert_eq!(judged(&[("desk", 59_000), ("shed", -59_000)]), [""; 0]);
        assert_eq!(judged(&[("desk", far)]), ["clock_off"]);
        assert_eq!(
            judged(&[("desk", -far), ("shed", -far), ("den", 0)]),
            ["clock_off"]
        );
        assert_eq!(
            judged(&[("desk", far), ("shed", 0), ("den", 0)]),
            ["member_clock_off"]
        );
        let told = &apart(&[("desk", -far)])[0].what;
        assert!(
            told.contains("the clock of desk is 3 minutes behind this one"),
            "{told}"
        );
    }

    #[test]
    fn a_file_from_the_future_means_that_the_clock_has_gone_back() {
        let at = |modified: Timestamp| {
            let file = FileFacts {
                path: "/h/peerage.db".into(),
                owner: 1_000,
                mode: 0o600,
                modified,
            };
            names(&check(&Evidence {
                files: vec![file],
                ..Evidence::healthy()
            }))
        };
        let now = Evidence::healthy().now;
        assert_eq!(at(now + HOUR), ["clock_behind_files"]);
        assert_eq!(at(now), Vec::<&str>::new());
    }
}
