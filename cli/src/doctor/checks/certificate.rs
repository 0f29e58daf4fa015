//! How old the node's certificate is, and how long it is still good.

use peerage_protocol::membership::certificate::{CertificateBody, Role};
use peerage_protocol::time::Timestamp;

use super::Judgement;
use crate::doctor::evidence::{Answer, DatabaseFacts, Evidence};
use crate::doctor::finding::Finding;
use crate::render::from_now;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let DatabaseFacts::Read {
        membership: Some((mesh, certificate)),
        ..
    } = &evidence.database
    else {
        return Judgement::new("none: this node is in no mesh", None);
    };
    let ends = from_now(evidence.now.0, certificate.expires.0);
    let seen = format!(
        "{} as {} in {mesh}, ends {ends}",
        certificate.name, certificate.role
    );
    Judgement::new(seen, age(evidence, certificate))
}

fn age(evidence: &Evidence, certificate: &CertificateBody) -> Option<Finding> {
    let now = evidence.now;
    let ends = from_now(now.0, certificate.expires.0);
    let who = match certificate.role {
        Role::Admin => "with an admin's node that runs, or the one that has root.key",
        Role::Member | Role::Observer | Role::Guest => "with an admin's node that runs",
    };
    let renew = format!(
        "it renews by itself once linked {who}: peerage up --background, then peerage nodes"
    );
    if now >= certificate.expires {
        return Some(Finding::wrong(
            "certificate_expired",
            format!("the certificate ended {ends}; other members no longer let this node in"),
            format!(
                "{renew}; if no admin is left, ask for a ticket and: peerage leave, peerage join TICKET"
            ),
        ));
    }
    if now < half_life(certificate) {
        return None;
    }
    let what =
        format!("the certificate is past its half-life, ends {ends}, and was not renewed yet");
    // A node that runs has had its chance; one that does not will renew when it is started.
    Some(match &evidence.node {
        Answer::Said(..) => Finding::wrong("certificate_not_renewed", what, renew),
        _ => Finding::notice("certificate_not_renewed", what, renew),
    })
}

fn half_life(certificate: &CertificateBody) -> Timestamp {
    certificate.not_before + certificate.expires.since(certificate.not_before) / 2
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::names;
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn judged(since: Duration, until: Duration) -> Judgement {
        let evidence = Evidence::healthy();
        let certificate = evidence.certificate(since, until);
        check(&evidence.member(certificate))
    }

    #[test]
    fn a_young_certificate_is_fine() {
        assert_eq!(names(&judged(DAY, DAY * 13)), Vec::<&str>::new());
    }

    #[test]
    fn past_its_half_life_a_certificate_is_told_and_expired_it_is_wrong() {
        assert_eq!(
            names(&judged(DAY * 8, DAY * 6)),
            ["certificate_not_renewed"]
        );
        let expired = judged(DAY * 14, Duration::ZERO);
        assert_eq!(names(&expired), ["certificate_expired"]);
        assert!(expired.findings[0].mend.contains("admin"));
    }
}
