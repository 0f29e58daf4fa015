//! The addresses of a node: read from settings, bound, shown.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::net::TcpListener;

use super::StartError;

/// Where the swarm is to listen. A wildcard IPv6 address is left out on a machine without IPv6.
pub(super) fn multiaddresses(listen: &[String]) -> Result<Vec<Multiaddr>, StartError> {
    let mut addresses = Vec::with_capacity(listen.len());
    for text in listen {
        let address: Multiaddr =
            text.parse().map_err(
                |error: libp2p::multiaddr::Error| StartError::ListenAddress {
                    address: text.clone(),
                    why: error.to_string(),
                },
            )?;
        addresses.push(address);
    }
    if !has_ipv6() {
        addresses.retain(|address| !is_ipv6_wildcard(address));
    }
    Ok(addresses)
}

fn has_ipv6() -> bool {
    UdpSocket::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).is_ok()
}

fn is_ipv6_wildcard(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Ip6(ip)) if ip.is_unspecified())
}

/// Addresses as text.
pub(super) fn texts(addresses: &[Multiaddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

/// The URLs of the endpoint, one a socket.
pub(super) fn endpoints(listeners: &[TcpListener]) -> Vec<String> {
    let bound = listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok());
    bound
        .map(|address| format!("http://{address}/mcp"))
        .collect()
}

/// The hosts that a request may name because the endpoint is bound to them.
pub(super) fn bound_hosts(listeners: &[TcpListener]) -> Vec<String> {
    let bound = listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok());
    bound
        .filter(|address| !address.ip().is_unspecified())
        .map(|address| match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_no_multiaddress_is_named() {
        let refused = multiaddresses(&["127.0.0.1:4001".to_owned()]).unwrap_err();
        assert!(refused.to_string().contains("127.0.0.1:4001"), "{refused}");
    }
}
