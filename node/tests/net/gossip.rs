//! What gossip brings from node to node, and what it does not pass on.

use std::time::Duration;

use peerage_node::net::gatekeeper::Credentials;
use peerage_node::net::{GossipVerdict, NetworkEvent, PublishError};
use peerage_protocol::limits::GOSSIP_BYTES_MAX;
use tokio::sync::mpsc;

use crate::over_memory_and_tcp;
use crate::world::{Doorkeeper, Mesh, Node, PATIENCE, Via, id};

/// Time in which a message would have come many times over, had it been passed on.
const LONG: Duration = Duration::from_secs(2);

/// Time after which something else is published, until all links take part.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Members in a line, each linked to the next.
async fn line(via: Via, length: u8) -> Vec<Node> {
    let mesh = Mesh::new(100);
    let mut nodes: Vec<Node> = Vec::new();
    for seed in 1..=length {
        let mut node = Node::member(&mesh, seed, via).await;
        if let Some(last) = nodes.last_mut() {
            node.dial(last).await;
            assert_eq!(node.link_up().await, last.id);
            assert_eq!(last.link_up().await, node.id);
        }
        nodes.push(node);
    }
    nodes
}

/// Judges all that `node` hears alike, and tells what it was.
fn judging(mut node: Node, verdict: GossipVerdict) -> mpsc::UnboundedReceiver<Vec<u8>> {
    let (told, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(event) = node.events.recv().await {
            if let NetworkEvent::Gossip { id, from, data } = event {
                node.network.judge(id, from, verdict).await;
                // The second verdict does not count.
                node.network.judge(id, from, GossipVerdict::Accept).await;
                let _ = told.send(data.to_vec());
            }
        }
    });
    heard
}

/// Publishes until somebody listens: a fresh link needs a moment until gossip has it.
async fn publish(node: &Node, data: &[u8]) {
    let told = async {
        while let Err(error) = node.network.publish(data.to_vec()).await {
            assert_eq!(error, PublishError::NobodySubscribed);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
}

async fn next(heard: &mut mpsc::UnboundedReceiver<Vec<u8>>) -> Vec<u8> {
    let next = tokio::time::timeout(PATIENCE, heard.recv());
    next.await.expect("heard in time").expect("the node runs")
}

/// The last of three nodes hears nothing of the first when the one in between judges so.
async fn is_not_passed_on(via: Via, verdict: GossipVerdict) {
    let mut nodes = line(via, 3).await.into_iter();
    let first = nodes.next().unwrap();
    let mut middle = judging(nodes.next().unwrap(), verdict);
    let mut last = judging(nodes.next().unwrap(), GossipVerdict::Accept);
    publish(&first, b"news").await;
    assert_eq!(next(&mut middle).await, b"news");
    let passed_on = tokio::time::timeout(LONG, last.recv()).await;
    assert!(passed_on.is_err(), "{passed_on:?}");
}

over_memory_and_tcp! {
    async fn what_one_of_two_publishes_reaches_the_other(via: Via) {
        let mut nodes = line(via, 2).await.into_iter();
        let first = nodes.next().unwrap();
        let mut second = judging(nodes.next().unwrap(), GossipVerdict::Accept);
        publish(&first, b"news").await;
        assert_eq!(next(&mut second).await, b"news");
    }

    async fn what_is_published_at_one_end_of_a_line_reaches_the_other(via: Via) {
        let mut nodes = line(via, 5).await.into_iter();
        let first = nodes.next().unwrap();
        let mut others: Vec<_> = nodes.map(|node| judging(node, GossipVerdict::Accept)).collect();
        // A link that gossip does not know yet is passed by for good: what is missed there, a reconciliation brings.
        let mut last = others.pop().unwrap();
        let arrived = async {
            for number in 0_u32.. {
                publish(&first, &number.to_be_bytes()).await;
                if let Ok(heard) = tokio::time::timeout(AGAIN_AFTER, last.recv()).await {
                    return heard.unwrap();
                }
            }
            unreachable!("the numbers do not end")
        };
        let heard = tokio::time::timeout(PATIENCE, arrived).await.unwrap();
        for before in &mut others {
            while next(before).await != heard {}
        }
    }

    async fn a_message_as_large_as_allowed_arrives(via: Via) {
        let mut nodes = line(via, 2).await.into_iter();
        let first = nodes.next().unwrap();
        let mut second = judging(nodes.next().unwrap(), GossipVerdict::Accept);
        let data = vec![7; GOSSIP_BYTES_MAX];
        publish(&first, &data).await;
        assert!(next(&mut second).await == data);
    }

    async fn a_rejected_message_is_not_passed_on(via: Via) {
        is_not_passed_on(via, GossipVerdict::Reject).await;
    }

    async fn an_ignored_message_is_not_passed_on(via: Via) {
        is_not_passed_on(via, GossipVerdict::Ignore).await;
    }

    async fn a_message_over_the_limit_is_refused_by_name(via: Via) {
        let nodes = line(via, 2).await;
        let bytes = GOSSIP_BYTES_MAX + 1;
        let refused = nodes[0].network.publish(vec![0; bytes]).await;
        assert_eq!(refused, Err(PublishError::TooLarge { bytes }));
    }

    async fn a_node_without_links_is_told_that_nobody_listens(via: Via) {
        let alone = Node::member(&Mesh::new(100), 1, via).await;
        let told = alone.network.publish(b"news".to_vec()).await;
        assert_eq!(told, Err(PublishError::NobodySubscribed));
    }

    async fn what_was_published_before_has_been_told(via: Via) {
        let mut nodes = line(via, 2).await.into_iter();
        let first = nodes.next().unwrap();
        let mut second = judging(nodes.next().unwrap(), GossipVerdict::Accept);
        publish(&first, b"news").await;
        publish(&first, b"news").await;
        publish(&first, b"more").await;
        assert_eq!(next(&mut second).await, b"news");
        assert_eq!(next(&mut second).await, b"more");
    }

    /// Refused at the gate, or let through it and revoked before the swarm asks: gossip never hears of either.
    async fn a_stranger_is_never_told_anything(via: Via) {
        let mesh = Mesh::new(100);
        let listener = Node::member(&mesh, 2, via).await;
        listener.keeper.revoked.lock().unwrap().insert(id(1));
        let revoked = Node::member(&mesh, 1, via).await;
        revoked.dial(&listener).await;
        listener.keeper.denied().await;
        let chain = Mesh::new(101).valid(id(3)).chain;
        let shown = Credentials { mesh: mesh.id(), chain, revocations: 0 };
        let mut stranger = Node::start(3, Vec::new(), Doorkeeper::new(Some(shown))).await;
        stranger.dial(&listener).await;
        let refused = |event| matches!(event, NetworkEvent::DialFailed { .. }).then_some(());
        stranger.event(refused).await;
        let told = listener.network.publish(b"secret".to_vec()).await;
        assert_eq!(told, Err(PublishError::NobodySubscribed));
        listener.never_had_a_link().await;
    }
}

/// Sixteen nodes, each linked to the four before it: each hears a message once, however many copies come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_copies_are_heard_once_and_counted() {
    let mesh = Mesh::new(100);
    let mut nodes: Vec<Node> = Vec::new();
    for seed in 1..=16 {
        let mut node = Node::member(&mesh, seed, Via::Memory).await;
        for earlier in nodes.iter().rev().take(4) {
            node.dial(earlier).await;
            assert_eq!(node.link_up().await, earlier.id);
        }
        nodes.push(node);
    }
    let networks: Vec<_> = nodes.iter().map(|node| node.network.clone()).collect();
    let mut nodes = nodes.into_iter();
    let first = nodes.next().unwrap();
    let mut others: Vec<_> = nodes
        .map(|node| judging(node, GossipVerdict::Accept))
        .collect();
    publish(&first, b"news").await;
    for heard in &mut others {
        assert_eq!(next(heard).await, b"news");
    }
    let traffic: Vec<_> = networks.iter().map(|n| n.gossip_traffic()).collect();
    assert!(traffic[1..].iter().all(|traffic| traffic.messages == 1));
    assert!(traffic.iter().any(|traffic| traffic.copies > 1));
    assert!(others.iter_mut().all(|heard| heard.try_recv().is_err()));
}
