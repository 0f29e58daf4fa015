//! First packets of QUIC handshakes, taken from dials to a socket that never answers.

use std::net::Ipv4Addr;
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::{DialOpts, PortUse, Transport};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, quic};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Handshakes that are taken: enough that a node has forgotten the first when it comes again.
const HANDSHAKES: usize = 256;
/// Time after which no further packet of a first flight comes.
const QUIET: Duration = Duration::from_millis(20);

/// The packets of each handshake's first flight.
pub(super) async fn captured() -> Vec<Vec<Vec<u8>>> {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let silent = silent.expect("a socket");
    let port = silent.local_addr().expect("it is bound").port();
    let address: Multiaddr = format!("/ip4/127.0.0.1/udp/{port}/quic-v1")
        .parse()
        .expect("an address");
    let options = DialOpts {
        role: Endpoint::Dialer,
        port_use: PortUse::Reuse,
    };
    let mut dialer = quic::tokio::Transport::new(quic::Config::new(&Keypair::generate_ed25519()));
    let mut all = Vec::new();
    for _ in 0..HANDSHAKES {
        let dial = dialer.dial(address.clone(), options).expect("it dials");
        let dial = tokio::spawn(dial);
        all.push(first_flight(&silent).await);
        dial.abort();
    }
    all
}

/// What arrives until it is quiet; only packets that begin a handshake.
async fn first_flight(socket: &UdpSocket) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut packet = [0; 2_048];
    while packets.len() < 2 {
        let Ok(Ok(length)) = timeout(QUIET, socket.recv(&mut packet)).await else {
            if packets.is_empty() {
                continue;
            }
            break;
        };
        // A long header, and an Initial among those; filled up as every first packet of a client.
        if packet[0] & 0xf0 == 0xc0 && length >= 1_200 {
            packets.push(packet[..length].to_vec());
        }
    }
    packets
}
