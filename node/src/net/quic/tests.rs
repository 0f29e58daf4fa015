//! Two ends of QUIC on loopback: who comes from where, and what may be sent before the gate.
#![allow(clippy::unwrap_used)]

use std::future::poll_fn;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::muxing::StreamMuxerExt;
use libp2p::core::transport::PortUse;
use peerage_protocol::limits::GATE_MESSAGE_BYTES_MAX;

use super::*;
use crate::net::door::Source;

const OPTIONS: DialOpts = DialOpts {
    role: Role::Dialer,
    port_use: PortUse::New,
};

async fn listening() -> (QuicTransport, Multiaddr) {
    let mut transport = QuicTransport::new(&Keypair::generate_ed25519(), Door::default()).unwrap();
    let anywhere = "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap();
    transport.listen_on(ListenerId::next(), anywhere).unwrap();
    let event = next(&mut transport).await;
    (transport, event.into_new_address().unwrap())
}

async fn next(transport: &mut QuicTransport) -> TransportEvent<Upgrade, QuicError> {
    poll_fn(|cx| Pin::new(&mut *transport).poll(cx)).await
}

/// Both ends of a connection, and the address from which the listener was dialed.
async fn connected() -> (Arrival, Arrival, Multiaddr, Multiaddr) {
    let (mut listener, address) = listening().await;
    let (mut dialer, own) = listening().await;
    let dial = tokio::spawn(dialer.dial(address, OPTIONS).unwrap());
    let (upgrade, from) = next(&mut listener).await.into_incoming().unwrap();
    let (_, accepted) = upgrade.await.unwrap();
    let (_, dialed) = dial.await.unwrap().unwrap();
    (accepted, dialed, from, own)
}

#[tokio::test]
async fn a_node_dials_from_where_it_listens() {
    let (accepted, dialed, from, own) = connected().await;
    assert_eq!(from, own);
    assert!(accepted.place.is_some() && dialed.place.is_none());
}

#[tokio::test]
async fn a_stranger_sends_little_until_the_credit_is_opened() {
    let (mut accepted, mut dialed, ..) = connected().await;
    let mut sending = poll_fn(|cx| dialed.muxer.poll_outbound_unpin(cx))
        .await
        .unwrap();
    let most = 4 * GATE_MESSAGE_BYTES_MAX;
    sending.write_all(&vec![0; most]).await.unwrap();
    let mut receiving = poll_fn(|cx| accepted.muxer.poll_inbound_unpin(cx))
        .await
        .unwrap();
    let another = poll_fn(|cx| match dialed.muxer.poll_outbound_unpin(cx) {
        Poll::Pending => Poll::Ready(None),
        opened => opened.map(Some),
    });
    assert!(another.await.is_none(), "a stranger opens one substream");
    let more = tokio::spawn(async move {
        sending.write_all(&vec![0; 10 * most]).await.unwrap();
        sending.close().await.unwrap();
    });
    tokio::task::yield_now().await;
    assert!(!more.is_finished());
    accepted.credit.open();
    poll_fn(|cx| dialed.muxer.poll_outbound_unpin(cx))
        .await
        .unwrap();
    let mut all = Vec::new();
    receiving.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 11 * most);
    more.await.unwrap();
}

#[tokio::test]
async fn when_strangers_come_in_numbers_a_dial_proves_its_source_and_gets_in() {
    let (mut listener, address) = listening().await;
    let crowd = Source {
        host: std::net::IpAddr::from([192, 0, 2, 1]),
        udp_port: None,
    };
    let mut held = Vec::new();
    while let Ok(place) = listener.door.knock(crowd) {
        held.push(place);
    }
    assert!(listener.door.is_wary());
    let (mut dialer, _) = listening().await;
    let dial = tokio::spawn(dialer.dial(address, OPTIONS).unwrap());
    let (upgrade, _) = next(&mut listener).await.into_incoming().unwrap();
    upgrade.await.unwrap();
    dial.await.unwrap().unwrap();
}
