//! Those who wish a node no good: strangers of several kinds, and a member that floods. Each goes as fast as it can.

mod garbage;
mod half_open;
mod initials;
mod member;
mod strangers;

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Instant;

use peerage_protocol::id::NodeId;

/// Where the attack goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens over TCP.
    pub tcp: SocketAddr,
    /// Where it listens over QUIC.
    pub quic: SocketAddr,
    /// Who it is.
    pub node: NodeId,
    /// A ticket of its mesh, for the member that floods.
    pub ticket: Option<String>,
}

/// One kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// TCP connections on which nothing is said, many of them held open.
    HalfOpenTcp,
    /// QUIC handshakes that are begun and never go on.
    HalfOpenQuic,
    /// TCP connections on which noise is said.
    GarbageTcp,
    /// The same, from another address each time.
    GarbageFromEverywhere,
    /// Packets of noise.
    GarbageUdp,
    /// Nodes of another mesh over TCP: the whole handshake, and a claim that is no good.
    StrangersTcp,
    /// The same over QUIC.
    StrangersQuic,
    /// A member that gossips noise and asks large questions that never end.
    Member,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::HalfOpenTcp,
        Self::HalfOpenQuic,
        Self::GarbageTcp,
        Self::GarbageFromEverywhere,
        Self::GarbageUdp,
        Self::StrangersTcp,
        Self::StrangersQuic,
        Self::Member,
    ];

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HalfOpenTcp => "half-open-tcp",
            Self::HalfOpenQuic => "half-open-quic",
            Self::GarbageTcp => "garbage-tcp",
            Self::GarbageFromEverywhere => "garbage-all-ips",
            Self::GarbageUdp => "garbage-udp",
            Self::StrangersTcp => "strangers-tcp",
            Self::StrangersQuic => "strangers-quic",
            Self::Member => "member",
        }
    }

    /// Attacks `target` until `end`; how many times.
    pub async fn run(self, target: &Target, end: Instant) -> u64 {
        match self {
            Self::HalfOpenTcp => half_open::tcp(target.tcp, end).await,
            Self::HalfOpenQuic => half_open::quic(target.quic, end).await,
            Self::GarbageTcp => garbage::tcp(target.tcp, end).await,
            Self::GarbageFromEverywhere => garbage::from_everywhere(target.tcp, end).await,
            Self::GarbageUdp => garbage::udp(target.quic, end).await,
            Self::StrangersTcp => strangers::tcp(target, end).await,
            Self::StrangersQuic => strangers::quic(target, end).await,
            Self::Member => member::flood(target, end).await,
        }
    }
}

impl FromStr for Attack {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|attack| attack.name() == name);
        found.ok_or_else(|| format!("no attack is called {name}"))
    }
}
