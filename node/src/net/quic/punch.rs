//! Opens a way through this node's NAT for a dial from the other side: packets that nobody answers.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Time between two packets.
const INTERVAL: Duration = Duration::from_millis(100);

/// A packet's bytes: the first bit is not that of QUIC, so that it is thrown away unread.
const PACKET: [u8; 64] = [0; 64];

/// Sends packets from the listening `socket` to `target`; ends only in an error.
pub(super) async fn punch(socket: UdpSocket, target: SocketAddr) -> io::Error {
    let socket = match tokio::net::UdpSocket::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return error,
    };
    loop {
        if let Err(error) = socket.send_to(&PACKET, target).await {
            return error;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
