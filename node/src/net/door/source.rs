//! Where an arrival comes from, as far as the door tells one from another.

use std::net::{IpAddr, Ipv6Addr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// A host, and over UDP its port: the port of a TCP connection says nothing of who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) host: IpAddr,
    pub(crate) udp_port: Option<u16>,
}

impl Source {
    /// Where `address` is; `None` of a channel within this process, or through a third node.
    pub(crate) fn of(address: &Multiaddr) -> Option<Self> {
        let mut parts = address.iter();
        let host = match parts.next()? {
            Protocol::Ip4(ip) => ip.into(),
            Protocol::Ip6(ip) => ip.into(),
            _ => return None,
        };
        let udp_port = match parts.next()? {
            Protocol::Udp(port) => Some(port),
            _ => None,
        };
        let relayed = parts.any(|part| part == Protocol::P2pCircuit);
        (!relayed).then_some(Self { host, udp_port })
    }

    /// Whoever holds one IPv6 address usually holds the 2⁶⁴ around it.
    pub(crate) fn network(self) -> IpAddr {
        match self.host {
            IpAddr::V4(_) => self.host,
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn source(address: &str) -> Option<Source> {
        Source::of(&address.parse().unwrap())
    }

    #[test]
    fn a_port_counts_over_udp_alone() {
        let udp = source("/ip4/192.0.2.1/udp/7/quic-v1").unwrap();
        assert_eq!(udp.udp_port, Some(7));
        let tcp = source("/ip4/192.0.2.1/tcp/7").unwrap();
        assert_eq!(tcp.udp_port, None);
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one() {
        let network = |address| source(address).unwrap().network();
        let (one, other) = ("/ip6/2001:db8::1/tcp/7", "/ip6/2001:db8::2/tcp/7");
        assert_eq!(network(one), network(other));
        assert_ne!(network(one), network("/ip6/2001:db9::1/tcp/7"));
    }

    #[test]
    fn what_comes_from_no_address_has_none() {
        assert_eq!(source("/memory/7"), None);
    }
}
