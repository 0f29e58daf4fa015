//! Who came to the door and who was turned away, as the owner is told.

use serde::{Deserialize, Serialize};

use crate::net::{DoorReport, Offender, OffenderId};

/// Strangers at the door, and who offended of late.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorStatus {
    /// Handshakes under way.
    pub handshakes: usize,
    /// Arrivals that were turned away before any handshake, since the node started.
    pub turned_away: u64,
    /// Who offended of late, the worst first, at most 16.
    pub offenders: Vec<OffenderStatus>,
}

/// Somebody who offended of late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffenderStatus {
    /// An IP address, of IPv6 the first of its network; or the id of a member.
    pub who: String,
    /// What it adds up to now, rounded; it falls with time.
    pub score: u64,
    /// What weighs most in it: `half-open`, `garbage`, `flood`, `no-claim`, `bad-gossip`, `gossip-flood`, `bad-frames`
    /// or `call-flood`.
    pub worst: String,
    /// Whether it is refused for it at the moment.
    pub refused: bool,
}

/// Offenders that are named.
const NAMED_MAX: usize = 16;

pub(super) fn door(mut report: DoorReport) -> DoorStatus {
    report
        .offenders
        .sort_by(|one, other| other.score.total_cmp(&one.score));
    DoorStatus {
        handshakes: report.handshakes,
        turned_away: report.turned_away.iter().map(|(_, times)| times).sum(),
        offenders: report
            .offenders
            .iter()
            .take(NAMED_MAX)
            .map(offender)
            .collect(),
    }
}

fn offender(offender: &Offender) -> OffenderStatus {
    OffenderStatus {
        who: match offender.who {
            OffenderId::Network(network) => network.to_string(),
            OffenderId::Member(node) => node.to_string(),
        },
        score: offender.score.round() as u64,
        worst: offender.worst.name().to_owned(),
        refused: offender.refused,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::net::Offence;

    #[test]
    fn the_worst_offender_is_named_first() {
        let offender = |last: u8, score: f64| Offender {
            who: OffenderId::Network(IpAddr::from([192, 0, 2, last])),
            score,
            worst: Offence::Garbage,
            refused: score >= crate::net::OFFENCE_MARK,
        };
        let status = door(DoorReport {
            handshakes: 1,
            turned_away: [("offenders", 2), ("too-often", 3), ("no-place", 4)],
            offenders: vec![offender(1, 5.2), offender(2, 60.0)],
        });
        assert_eq!(status.turned_away, 9);
        let named: Vec<_> = status
            .offenders
            .iter()
            .map(|one| (one.who.as_str(), one.refused))
            .collect();
        assert_eq!(named, [("192.0.2.2", true), ("192.0.2.1", false)]);
    }
}
