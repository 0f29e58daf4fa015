//! What a link does once it stands, and how it ends.

use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use peerage_node::net::peer_id::keypair;
use peerage_node::net::{
    DialFailure, LinkEnd, NetworkEvent, NetworkSettings, OpenError, StartError,
};
use peerage_protocol::id::NodeId;

use crate::over_quic_and_tcp;
use crate::proxy::Wire;
use crate::world::{Doorkeeper, Mesh, Node, PATIENCE, Via, id, linked, secret};

async fn link_down(node: &mut Node) -> (NodeId, LinkEnd) {
    node.event(|event| match event {
        NetworkEvent::LinkDown { node, why } => Some((node, why)),
        _ => None,
    })
    .await
}

/// Answers every substream with what it said, reversed.
fn answer_all(node: Node) {
    tokio::spawn(answer_each(node));
}

async fn answer_each(mut node: Node) {
    while let Some((_, mut substream)) = node.substreams.recv().await {
        tokio::spawn(async move {
            let mut said = Vec::new();
            substream.read_to_end(&mut said).await.unwrap();
            said.reverse();
            substream.write_all(&said).await.unwrap();
            substream.close().await.unwrap();
        });
    }
}

async fn call(from: &Node, to: NodeId, said: &[u8]) -> Vec<u8> {
    let mut substream = from.network.open(to).await.unwrap();
    substream.write_all(said).await.unwrap();
    substream.close().await.unwrap();
    let mut answer = Vec::new();
    substream.read_to_end(&mut answer).await.unwrap();
    answer
}

over_quic_and_tcp! {
    async fn many_substreams_are_opened_at_once_and_none_is_mixed_up(via: Via) {
        let (a, b) = linked(via).await;
        let b_id = b.id;
        answer_all(b);
        let call = |n: u32| {
            let a = &a;
            async move { (n, call(a, b_id, &n.to_be_bytes()).await) }
        };
        for (n, answer) in futures::future::join_all((0..200).map(call)).await {
            assert_eq!(answer, n.to_le_bytes());
        }
    }

    async fn a_large_body_crosses_both_ways(via: Via) {
        let (a, b) = linked(via).await;
        let b_id = b.id;
        answer_all(b);
        let body: Vec<u8> = (0..8 * 1024 * 1024_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut answer = call(&a, b_id, &body).await;
        answer.reverse();
        assert!(answer == body);
    }

    async fn the_listener_opens_substreams_too_and_the_opener_is_named(via: Via) {
        let (mut a, b) = linked(via).await;
        let mut substream = b.network.open(a.id).await.unwrap();
        substream.write_all(b"hello").await.unwrap();
        substream.flush().await.unwrap();
        let (from, mut received) = a.substreams.recv().await.unwrap();
        let mut said = [0; 5];
        received.read_exact(&mut said).await.unwrap();
        assert_eq!((from, &said), (b.id, b"hello"));
    }

    async fn a_cancelled_open_leaves_the_link_as_it_was(via: Via) {
        let (a, b) = linked(via).await;
        let b_id = b.id;
        answer_all(b);
        for round in 0..10_u8 {
            // Polled once, then dropped; fewer than the queue holds.
            for _ in 0..100 {
                let _ = futures::FutureExt::now_or_never(a.network.open(b_id));
            }
            assert_eq!(call(&a, b_id, &[1, round]).await, [round, 1]);
        }
    }

    async fn an_open_to_an_unknown_node_fails_at_once(via: Via) {
        let (a, _b) = linked(via).await;
        let unknown = id(77);
        let opened = futures::FutureExt::now_or_never(a.network.open(unknown));
        let error = opened.expect("no waiting").unwrap_err();
        assert_eq!(error, OpenError::NotConnected { node: unknown });
    }

    async fn a_link_whose_other_end_vanishes_is_declared_dead(via: Via) {
        let mesh = Mesh::new(100);
        let mut a = Node::member(&mesh, 1, via).await;
        let mut b = Node::member(&mesh, 2, via).await;
        let wire = Wire::to(&b.network.listen_addresses()[0]).await;
        a.network.dial(b.id, vec![wire.address.clone()]).await;
        assert_eq!(a.link_up().await, b.id);
        assert_eq!(b.link_up().await, a.id);
        let mut open = a.network.open(b.id).await.unwrap();
        open.write_all(b"x").await.unwrap();
        open.flush().await.unwrap();
        let cut = Instant::now();
        wire.cut();
        let mut nothing = Vec::new();
        let reading = tokio::time::timeout(PATIENCE, open.read_to_end(&mut nothing));
        let (a_down, b_down, read) = tokio::join!(link_down(&mut a), link_down(&mut b), reading);
        assert!(read.is_ok(), "a call on a dead link ends");
        assert_eq!(a_down, (b.id, LinkEnd::Silent));
        assert_eq!(b_down, (a.id, LinkEnd::Silent));
        assert_eq!(a.network.links().nodes(), []);
        let limit = match via {
            Via::Quic => Duration::from_millis(4_500),
            // Closing may take its bound of a second, for the wire takes no more bytes.
            Via::Tcp | Via::Memory => Duration::from_millis(5_500),
        };
        assert!(cut.elapsed() < limit, "{:?}", cut.elapsed());
    }

    async fn an_idle_link_stays(via: Via) {
        let (a, b) = linked(via).await;
        let (a_id, b_id) = (a.id, b.id);
        let quiet = async {
            let (mut a, mut b) = (a, b);
            tokio::join!(link_down(&mut a), link_down(&mut b))
        };
        // What is proved is that nothing happens: twice the silence that kills, and one more second.
        let ended = tokio::time::timeout(Duration::from_secs(8), quiet).await;
        assert!(ended.is_err(), "{a_id} {b_id}: {ended:?}");
    }

    async fn a_disconnect_is_seen_at_both_ends(via: Via) {
        let (mut a, mut b) = linked(via).await;
        a.network.disconnect(b.id).await;
        assert_eq!(link_down(&mut a).await, (b.id, LinkEnd::ClosedHere));
        let (node, why) = link_down(&mut b).await;
        assert_eq!(node, a.id);
        assert!(matches!(why, LinkEnd::Broken { .. }), "{why:?}");
    }

    async fn a_link_without_substreams_is_released(via: Via) {
        let (mut a, mut b) = linked(via).await;
        a.network.release(b.id).await;
        assert_eq!(link_down(&mut a).await, (b.id, LinkEnd::ClosedHere));
        assert_eq!(link_down(&mut b).await.0, a.id);
    }

    async fn a_link_in_use_is_not_released_until_its_last_substream_ends(via: Via) {
        let (mut a, mut b) = linked(via).await;
        let mut asked = a.network.open(b.id).await.unwrap();
        asked.write_all(b"x").await.unwrap();
        asked.flush().await.unwrap();
        let (_, answering) = b.substreams.recv().await.unwrap();
        // Commands are carried out in order: once the publish is answered, the release was looked at.
        for node in [&a, &b] {
            let other = if node.id == a.id { b.id } else { a.id };
            node.network.release(other).await;
            let _ = node.network.publish(b"after the release".to_vec()).await;
            assert!(node.network.links().is_connected(other));
        }
        drop(asked);
        a.network.release(b.id).await;
        assert_eq!(link_down(&mut a).await, (b.id, LinkEnd::ClosedHere));
        drop(answering);
    }

    async fn a_shutdown_is_seen_at_once_and_frees_the_port(via: Via) {
        let (mut a, b) = linked(via).await;
        let listened = b.network.listen_addresses();
        b.network.shutdown().await;
        assert_eq!(link_down(&mut a).await.0, b.id);
        until_free(&listened[0]).await;
        let keeper = Doorkeeper::new(Some(Mesh::new(100).valid(id(2))));
        let again = Node::start(2, listened.clone(), keeper).await;
        assert_eq!(again.network.listen_addresses(), listened);
        a.dial(&again).await;
        assert_eq!(a.link_up().await, again.id);
    }

    async fn a_dial_to_nobody_is_unreachable(via: Via) {
        let mesh = Mesh::new(100);
        let gone = Node::member(&mesh, 2, via).await;
        let addresses = gone.network.listen_addresses();
        gone.network.shutdown().await;
        let mut a = Node::member(&mesh, 1, via).await;
        a.network.dial(gone.id, addresses).await;
        let why = a.event(|event| match event {
            NetworkEvent::DialFailed { why, .. } => Some(why),
            _ => None,
        }).await;
        assert!(matches!(why, DialFailure::Unreachable { .. }), "{why:?}");
    }

    async fn an_address_in_use_is_named(via: Via) {
        let first = Node::member(&Mesh::new(100), 2, via).await;
        let address = first.network.listen_addresses().remove(0);
        let error = start_at(address.clone()).await.unwrap_err();
        assert!(matches!(&error, StartError::Listen { address: named, .. } if *named == address));
        assert!(error.to_string().contains("in use"), "{error}");
    }

    async fn two_nodes_that_dial_each_other_at_once_both_get_a_link(via: Via) {
        let mesh = Mesh::new(100);
        let mut a = Node::member(&mesh, 1, via).await;
        let mut b = Node::member(&mesh, 2, via).await;
        tokio::join!(a.dial(&b), b.dial(&a));
        assert_eq!(a.link_up().await, b.id);
        assert_eq!(b.link_up().await, a.id);
    }
}

/// QUIC connections drain before their port is free.
async fn until_free(address: &Multiaddr) {
    let Some(Protocol::Udp(port)) = address.iter().nth(1) else {
        return;
    };
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = std::net::UdpSocket::bind(("127.0.0.1", port)) {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn start_at(address: Multiaddr) -> Result<(), StartError> {
    let mut settings = NetworkSettings::new(keypair(&secret(3).to_bytes().into()));
    settings.listen = vec![address];
    Node::try_start(settings).await
}

#[tokio::test]
async fn listening_everywhere_names_each_interface_and_never_everywhere() {
    let keeper = Doorkeeper::new(None);
    let everywhere = "/ip4/0.0.0.0/tcp/0".parse().unwrap();
    let node = Node::start(1, vec![everywhere], keeper).await;
    let addresses = node.network.listen_addresses();
    assert!(!addresses.is_empty());
    let unspecified = addresses
        .iter()
        .any(|address| address.to_string().contains("0.0.0.0"));
    assert!(!unspecified, "{addresses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_ways_quic_is_taken() {
    let mesh = Mesh::new(100);
    let mut a = Node::member(&mesh, 1, Via::Quic).await;
    let keeper = Doorkeeper::new(Some(mesh.valid(id(2))));
    let both = vec![Via::Tcp.listen(), Via::Quic.listen()];
    let b = Node::start(2, both, keeper).await;
    a.dial(&b).await;
    let address = a
        .event(|event| match event {
            NetworkEvent::LinkUp { address, .. } => Some(address),
            _ => None,
        })
        .await;
    assert!(address.to_string().contains("quic-v1"), "{address}");
}
