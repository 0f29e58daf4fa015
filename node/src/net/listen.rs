//! Refuses to listen where somebody else already does.
//!
//! libp2p listens on TCP with `SO_REUSEPORT`, so a second node of the same user would share the port without a word
//! and each would get some of the other's connections.

use std::io;
use std::net::{IpAddr, SocketAddr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};

/// An error when `address` is a TCP address on which somebody listens.
pub(super) fn ensure_free(address: &Multiaddr) -> io::Result<()> {
    match tcp_address(address) {
        Some(address) if address.port() != 0 => try_bind(address),
        _ => Ok(()),
    }
}

/// Binds as libp2p does, an IPv6 address for IPv6 alone, but without sharing the port.
fn try_bind(address: SocketAddr) -> io::Result<()> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket(family, SocketType::STREAM, None)?;
    // Connections of an earlier run that are not quite gone are no reason to refuse.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    Ok(())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_that_somebody_listens_on_is_taken_for_its_own_family_alone() {
        let holder = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = holder.local_addr().unwrap().port();
        let at = |ip: &str| ensure_free(&format!("/{ip}/tcp/{port}").parse().unwrap());
        let taken = at("ip4/0.0.0.0").unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        assert!(at("ip6/::").is_ok());
        drop(holder);
        assert!(at("ip4/0.0.0.0").is_ok());
    }
}
