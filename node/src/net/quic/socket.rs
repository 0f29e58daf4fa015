//! The UDP sockets of QUIC.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};

/// Bytes that the kernel may keep until they are read: what others flood with is dropped behind it, members' packets
/// among them. The system's own bound may be lower.
const RECEIVE_BUFFER_BYTES: usize = 2 * 1024 * 1024;

/// A socket bound to `address`; of IPv6 for IPv6 alone.
pub(super) fn bound(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket(family, SocketType::DGRAM, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER_BYTES)?;
    bind(&socket, &address)?;
    Ok(socket.into())
}

/// Any port, of the family of `target`.
pub(super) fn anywhere_for(target: SocketAddr) -> SocketAddr {
    match target {
        SocketAddr::V4(_) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        SocketAddr::V6(_) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
    }
}
