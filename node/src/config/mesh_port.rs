//! Chooses the port of the mesh on the first start: free for UDP and for TCP at once, so that one number is enough.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Ports that are tried before giving up.
const ATTEMPTS: usize = 32;

/// No port could be had.
#[derive(Debug, thiserror::Error)]
#[error("found no free port for the mesh: {source}; set one as port under [mesh] in peerage.toml")]
pub struct MeshPortError {
    /// Of the last attempt.
    #[source]
    pub source: io::Error,
}

/// A port that was free for both a moment ago.
pub fn choose_mesh_port() -> Result<u16, MeshPortError> {
    let mut last = io::Error::other("none was tried");
    for _ in 0..ATTEMPTS {
        match free_for_both() {
            Ok(port) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(MeshPortError { source: last })
}

fn free_for_both() -> io::Result<u16> {
    let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let port = udp.local_addr()?.port();
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    Ok(port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_chosen_port_can_be_used_by_both_transports() {
        let port = choose_mesh_port().unwrap();
        assert_ne!(port, 0);
        let _udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let _tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
