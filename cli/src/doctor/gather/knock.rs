//! Knocks at addresses: is anything there that speaks TCP or QUIC? Who it is, only the gate can tell.
//!
//! A QUIC server answers a packet of a version that it does not know with the versions that it does (RFC 9000, sections
//! 5.2.2 and 6.1), so that no handshake is needed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::doctor::evidence::{Knock, Whose};

/// Addresses that are knocked at.
const KNOCKS_MAX: usize = 64;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// A first packet may be lost.
const PACKETS: u32 = 3;

/// Knocks at all of them at once; beyond [`KNOCKS_MAX`] at none.
pub(super) async fn at_all(doors: Vec<(Whose, String)>) -> Vec<Knock> {
    let mut knocks = JoinSet::new();
    for (place, (whose, address)) in doors.into_iter().take(KNOCKS_MAX).enumerate() {
        knocks.spawn(async move {
            let outcome = at(&address).await;
            let knock = Knock {
                whose,
                address,
                outcome,
            };
            (place, knock)
        });
    }
    let mut knocks = knocks.join_all().await;
    knocks.sort_by_key(|(place, _)| *place);
    knocks.into_iter().map(|(_, knock)| knock).collect()
}

async fn at(address: &str) -> Result<Duration, String> {
    let door = Door::parse(address).ok_or("such an address cannot be tried from here")?;
    let begun = Instant::now();
    let knocked = async {
        let mut found = lookup_host((door.host.as_str(), door.port))
            .await
            .map_err(|error| error.to_string())?;
        let address = found.next().ok_or("the name has no address")?;
        match door.quic {
            true => knock_quic(address).await.map_err(|error| error.to_string()),
            false => TcpStream::connect(address)
                .await
                .map(drop)
                .map_err(|error| error.to_string()),
        }
    };
    match timeout(PATIENCE, knocked).await {
        Ok(outcome) => outcome.map(|()| begun.elapsed()),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}

async fn knock_quic(address: SocketAddr) -> std::io::Result<()> {
    let from: SocketAddr = match address.is_ipv4() {
        true => ([0, 0, 0, 0], 0).into(),
        false => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(from).await?;
    socket.connect(address).await?;
    let mut answer = [0; 1_500];
    for _ in 0..PACKETS {
        socket.send(&unknown_version()).await?;
        if let Ok(received) = timeout(PATIENCE / PACKETS, socket.recv(&mut answer)).await {
            received?;
            return Ok(());
        }
    }
    Err(std::io::ErrorKind::TimedOut.into())
}

/// A long header of a version that is reserved for this (RFC 9000, section 15), as large as a first packet must be.
fn unknown_version() -> [u8; 1_200] {
    /// The form bit and the fixed bit.
    const LONG_HEADER: u8 = 0xC0;
    const VERSION: [u8; 4] = [0x1A, 0x2A, 0x3A, 0x4A];
    const CONNECTION_ID_LENGTH: u8 = 8;
    let mut packet = [0; 1_200];
    packet[0] = LONG_HEADER;
    packet[1..5].copy_from_slice(&VERSION);
    packet[5] = CONNECTION_ID_LENGTH;
    packet[6..14].fill(1);
    packet[14] = CONNECTION_ID_LENGTH;
    packet
}

/// Where to knock.
#[derive(Debug, PartialEq, Eq)]
struct Door {
    host: String,
    port: u16,
    quic: bool,
}

impl Door {
    /// Of a multiaddress with an IP address or a name, and TCP or QUIC; `None` for any other, such as a relay's.
    fn parse(address: &str) -> Option<Self> {
        let mut parts = address.split('/').skip(1);
        let host = match parts.next()? {
            "ip4" | "ip6" | "dns" | "dns4" | "dns6" => parts.next()?.to_owned(),
            _ => return None,
        };
        let transport = parts.next()?;
        let port = parts.next()?.parse().ok()?;
        let quic = match (transport, parts.next()) {
            ("tcp", None | Some("p2p")) => false,
            ("udp", Some("quic-v1")) => true,
            _ => return None,
        };
        Some(Self { host, port, quic })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn addresses_of_tcp_and_quic_are_understood_and_others_are_left() {
        let door = |host: &str, quic| {
            let host = host.to_owned();
            Some(Door {
                host,
                port: 4_001,
                quic,
            })
        };
        assert_eq!(
            Door::parse("/ip4/192.0.2.1/tcp/4001"),
            door("192.0.2.1", false)
        );
        assert_eq!(Door::parse("/ip6/::1/udp/4001/quic-v1"), door("::1", true));
        assert_eq!(
            Door::parse("/dns/h.example/tcp/4001/p2p/12D3"),
            door("h.example", false)
        );
        for other in [
            "",
            "/memory/1",
            "/ip4/1.2.3.4/udp/1",
            "/ip4/1.2.3.4/tcp/x",
            "/ip4/1.2.3.4/tcp/1/ws",
        ] {
            assert_eq!(Door::parse(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn an_open_port_answers_and_a_closed_one_does_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = format!("/ip4/127.0.0.1/tcp/{port}");
        let knock = |address: &str| at_all(vec![(Whose::Bootstrap, address.to_owned())]);
        assert!(knock(&address).await[0].outcome.is_ok());
        drop(listener);
        assert!(knock(&address).await[0].outcome.is_err());
        assert!(knock("/memory/1").await[0].outcome.is_err());
    }

    #[tokio::test]
    async fn whoever_answers_over_udp_is_there() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut packet = [0; 1_500];
            let (length, from) = server.recv_from(&mut packet).await.unwrap();
            assert_eq!((length, packet[0] & 0x80), (1_200, 0x80));
            server.send_to(&[0x80, 0, 0, 0, 0], from).await.unwrap();
        });
        let address = format!("/ip4/127.0.0.1/udp/{port}/quic-v1");
        assert!(at(&address).await.is_ok());
    }
}
