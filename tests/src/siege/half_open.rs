//! Handshakes that are begun and left.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::initials;

/// Connections held open by each of those that open them.
const HELD: usize = 64;
/// Those that open connections.
const AT_ONCE: usize = 8;
/// How long a connection may take that the kernel does not answer.
const CONNECT: Duration = Duration::from_millis(200);

/// Opens connections and says nothing.
pub(super) async fn tcp(target: SocketAddr, end: Instant) -> u64 {
    let one = async || {
        let (mut held, mut attempts) = (VecDeque::new(), 0);
        while Instant::now() < end {
            attempts += 1;
            match timeout(CONNECT, TcpStream::connect(target)).await {
                Ok(Ok(stream)) => held.push_back(stream),
                Ok(Err(_)) => tokio::task::yield_now().await,
                Err(_) => {}
            }
            if held.len() > HELD {
                held.pop_front();
            }
        }
        attempts
    };
    join_all((0..AT_ONCE).map(|_| one())).await.iter().sum()
}

/// Sends the first packets of handshakes, each of its own.
pub(super) async fn quic(target: SocketAddr, end: Instant) -> u64 {
    let initials = initials::captured().await;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let socket = socket.expect("a socket");
    let mut sent = 0;
    for packets in initials.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        for packet in packets {
            // Where nobody listens, the kernel says so with the next packet.
            let _ = socket.send_to(packet, target).await;
        }
        sent += 1;
    }
    sent
}
