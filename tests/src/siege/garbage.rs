//! Noise instead of a protocol.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

/// Those that make connections.
const AT_ONCE: usize = 8;
/// How long a connection may take that the kernel does not answer.
const CONNECT: Duration = Duration::from_millis(200);
/// Bytes that are said at once.
const BYTES: usize = 1_200;

/// Bytes without a meaning, other ones each time.
fn noise(seed: &mut u64) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for byte in &mut bytes {
        // Xorshift (Marsaglia 2003): speed is all that matters here.
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *byte = *seed as u8;
    }
    bytes
}

/// Connects, says noise and goes.
pub(super) async fn tcp(target: SocketAddr, end: Instant) -> u64 {
    let one = async |number: u64| {
        let (mut seed, mut attempts) = (number + 1, 0);
        while Instant::now() < end {
            attempts += 1;
            match timeout(CONNECT, TcpStream::connect(target)).await {
                // Whether it is read does not matter.
                Ok(Ok(mut stream)) => drop(stream.write_all(&noise(&mut seed)).await),
                _ => tokio::task::yield_now().await,
            }
        }
        attempts
    };
    let all = (0..AT_ONCE as u64).map(one);
    join_all(all).await.iter().sum()
}

/// The same, each time from another address of this machine.
pub(super) async fn from_everywhere(target: SocketAddr, end: Instant) -> u64 {
    let one = async |number: u64| {
        let (mut seed, mut attempts) = (number + 1, 0);
        while Instant::now() < end {
            attempts += 1;
            let noise = noise(&mut seed);
            let source = Ipv4Addr::new(127, noise[0], noise[1], noise[2].max(2));
            match timeout(CONNECT, connect_from(source, target)).await {
                // Whether it is read does not matter.
                Ok(Ok(mut stream)) => drop(stream.write_all(&noise).await),
                _ => tokio::task::yield_now().await,
            }
        }
        attempts
    };
    let all = (0..AT_ONCE as u64).map(one);
    join_all(all).await.iter().sum()
}

async fn connect_from(source: Ipv4Addr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    socket.connect(target).await
}

/// Sends packets of noise, half of which look like the beginning of QUIC.
pub(super) async fn udp(target: SocketAddr, end: Instant) -> u64 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let socket = socket.expect("a socket");
    let (mut seed, mut sent) = (1, 0);
    while Instant::now() < end {
        let mut packet = noise(&mut seed);
        if sent % 2 == 0 {
            packet[..6].copy_from_slice(&[0xc0, 0, 0, 0, 1, 8]);
        }
        // Where nobody listens, the kernel says so with the next packet.
        let _ = socket.send_to(&packet, target).await;
        sent += 1;
    }
    sent
}
