//! QUIC's multiaddresses: `/ip4/…/udp/…/quic-v1`, with or without the id of who listens there.

use std::net::{IpAddr, SocketAddr};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// The socket that `address` names, and who should be there; `None` if it is no address of QUIC.
pub(super) fn socket_of(address: &Multiaddr) -> Option<(SocketAddr, Option<PeerId>)> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    let (Protocol::Udp(port), Protocol::QuicV1) = (parts.next()?, parts.next()?) else {
        return None;
    };
    let peer = match (parts.next(), parts.next()) {
        (None, _) => None,
        (Some(Protocol::P2p(peer)), None) => Some(peer),
        _ => return None,
    };
    Some((SocketAddr::new(ip, port), peer))
}

/// The address of `socket`.
pub(super) fn address_of(socket: SocketAddr) -> Multiaddr {
    Multiaddr::empty()
        .with(socket.ip().into())
        .with(Protocol::Udp(socket.port()))
        .with(Protocol::QuicV1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_address_and_its_socket_name_each_other() {
        for address in [
            "/ip4/192.0.2.1/udp/7/quic-v1",
            "/ip6/2001:db8::1/udp/7/quic-v1",
        ] {
            let address: Multiaddr = address.parse().unwrap();
            let (socket, peer) = socket_of(&address).unwrap();
            assert_eq!((address_of(socket), peer), (address, None));
        }
    }

    #[test]
    fn who_should_be_there_is_read_and_everything_else_refused() {
        let peer = PeerId::random();
        let named = format!("/ip4/192.0.2.1/udp/7/quic-v1/p2p/{peer}");
        assert_eq!(socket_of(&named.parse().unwrap()).unwrap().1, Some(peer));
        for other in [
            "/ip4/192.0.2.1/tcp/7",
            "/ip4/192.0.2.1/udp/7",
            "/ip4/192.0.2.1/udp/7/quic-v1/p2p-circuit",
            "/memory/7",
        ] {
            assert_eq!(socket_of(&other.parse().unwrap()), None, "{other}");
        }
    }
}
