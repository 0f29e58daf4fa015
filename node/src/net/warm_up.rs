//! One QUIC handshake of this process with itself: the first sets its cryptography up, and no peer should wait for that.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Once;
use std::time::Duration;

use libp2p::core::transport::{DialOpts, ListenerId, PortUse, TransportEvent};
use libp2p::core::{Endpoint, Transport};
use libp2p::identity::Keypair;

use super::door::Door;
use super::quic::QuicTransport;

/// A handshake that takes longer is given up: warming is a favour, not a duty.
const WARM_UP_MAX: Duration = Duration::from_secs(5);

/// Warms the cryptography up in the background, once a process.
pub(super) fn warm_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(tokio::spawn(warm())));
}

async fn warm() {
    let warmed = tokio::time::timeout(WARM_UP_MAX, handshake()).await;
    if !matches!(warmed, Ok(Some(()))) {
        tracing::debug!("the first QUIC handshake will be a slow one");
    }
}

/// Both ends have a key of the moment and a port of the moment on loopback.
async fn handshake() -> Option<()> {
    let mut listener = transport()?;
    let mut dialer = transport()?;
    let anywhere = "/ip4/127.0.0.1/udp/0/quic-v1".parse().ok()?;
    listener.listen_on(ListenerId::next(), anywhere).ok()?;
    let options = DialOpts {
        role: Endpoint::Dialer,
        port_use: PortUse::New,
    };
    let mut dialing = None;
    loop {
        let event = poll_fn(|cx| Pin::new(&mut listener).poll(cx)).await;
        match event {
            TransportEvent::NewAddress { listen_addr, .. } => {
                dialing = Some(tokio::spawn(dialer.dial(listen_addr, options).ok()?));
            }
            TransportEvent::Incoming { upgrade, .. } => {
                let (accepted, dialed) = futures::join!(upgrade, dialing?);
                return accepted.is_ok().then_some(dialed.ok()?.ok().map(drop)?);
            }
            _ => return None,
        }
    }
}

fn transport() -> Option<QuicTransport> {
    QuicTransport::new(&Keypair::generate_ed25519(), Door::default()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_handshake_comes_to_an_end() {
        let ended = tokio::time::timeout(WARM_UP_MAX, handshake()).await;
        assert_eq!(ended, Ok(Some(())));
    }
}
