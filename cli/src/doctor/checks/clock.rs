//! Whether this machine's clock can be right, judged by what was written and signed before now.

use std::time::Duration;

use peerage_protocol::limits::CLOCK_LEEWAY;

use super::Judgement;
use crate::doctor::evidence::{DatabaseFacts, Evidence};
use crate::doctor::finding::Finding;

const SET: &str = "set the clock, and let the system keep it: timedatectl set-ntp true (Linux), sntp -sS time.apple.com (macOS)";

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let seen = "compared with the certificate and the files of the home; other members' clocks cannot be asked yet";
    Judgement::new(
        seen,
        [issued_later(evidence), written_later(evidence)]
            .into_iter()
            .flatten(),
    )
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
    format!("{} minutes", ahead.as_secs() / 60)
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
