//! What the door tells its owner.

use std::net::IpAddr;

use peerage_protocol::id::NodeId;

use super::{MARK, Offence, Refused};

/// Who came, and who was turned away, since the node started.
#[derive(Clone, Debug, PartialEq)]
pub struct DoorReport {
    /// Handshakes under way.
    pub handshakes: usize,
    /// Arrivals that were turned away before their handshake, by reason.
    pub turned_away: [(&'static str, u64); 3],
    /// Who offended of late, in no order.
    pub offenders: Vec<Offender>,
}

/// Somebody who offended of late.
#[derive(Clone, Debug, PartialEq)]
pub struct Offender {
    /// Who it is.
    pub who: OffenderId,
    /// What it adds up to now; it falls with time.
    pub score: f64,
    /// What weighs most in it.
    pub worst: Offence,
    /// Whether it is refused for it.
    pub refused: bool,
}

impl Offender {
    pub(super) fn new(who: OffenderId, score: f64, worst: Offence) -> Self {
        let refused = score >= MARK;
        Self {
            who,
            score,
            worst,
            refused,
        }
    }
}

/// By what an offender is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffenderId {
    /// Strangers from an address, or from the IPv6 network of 2⁶⁴ addresses that begins with it.
    Network(IpAddr),
    /// A member.
    Member(NodeId),
}

impl From<IpAddr> for OffenderId {
    fn from(network: IpAddr) -> Self {
        Self::Network(network)
    }
}

impl From<NodeId> for OffenderId {
    fn from(node: NodeId) -> Self {
        Self::Member(node)
    }
}

/// How many were turned away, and why.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TurnedAway {
    offenders: u64,
    too_often: u64,
    no_place: u64,
}

impl TurnedAway {
    pub(super) fn count(&mut self, refused: Refused) {
        let counter = match refused {
            Refused::Offender => &mut self.offenders,
            Refused::TooOften => &mut self.too_often,
            Refused::NoPlace => &mut self.no_place,
        };
        *counter += 1;
    }

    pub(super) fn all(self) -> [(&'static str, u64); 3] {
        [
            ("offenders", self.offenders),
            ("too-often", self.too_often),
            ("no-place", self.no_place),
        ]
    }
}
