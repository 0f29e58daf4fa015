//! Refuses to listen where somebody else already does.
//!
//! libp2p listens on TCP with `SO_REUSEPORT`, so a second node of the same user would share the port without a word
//! and each would get some of the other's connections.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// An error when `address` is a TCP address on which somebody listens.
pub(super) fn ensure_free(address: &Multiaddr) -> io::Result<()> {
    match tcp_address(address) {
        Some(address) if address.port() != 0 => TcpListener::bind(address).map(drop),
        _ => Ok(()),
    }
}

fn tcp_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}
