//! The mesh's table of addresses between real swarms: who is found in it, and what is not believed.

use std::sync::Arc;
use std::time::Duration;

use peerage_node::control::wall;
use peerage_node::net::NetworkEvent;
use peerage_protocol::address_book::Source;
use peerage_protocol::id::{Hash, NodeId};
use peerage_protocol::membership::certificate::{CERTIFICATE_VERSION, CertificateBody, Role};
use peerage_protocol::membership::member::Member;
use peerage_protocol::membership::peer_record::PeerRecord;

use crate::over_quic_and_tcp;
use crate::world::{Mesh, Node, PATIENCE, Via, id, secret};

/// Pause between two questions: a record needs a moment to get where it is kept.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

const MESH: u8 = 100;

/// What `subject` says of itself, signed by `signer`.
fn word_of(subject: u8, signer: u8, addresses: Vec<String>) -> Arc<Member> {
    let now = wall();
    let body = CertificateBody {
        version: CERTIFICATE_VERSION,
        mesh: Mesh::new(MESH).id(),
        serial: 1,
        subject: id(subject),
        name: "node".parse().unwrap(),
        role: Role::Member,
        not_before: now - Duration::from_secs(60),
        expires: now + Duration::from_secs(3_600),
        only: Vec::new(),
        replaces: None,
    };
    let chain = Arc::new(body.sign(&Mesh::new(MESH).root, Vec::new()));
    let key = secret(signer);
    let record = PeerRecord::sign(&key, &chain, 1, addresses, Hash::of(b""), false);
    Arc::new(Member::new(chain, Some(record)))
}

fn texts(node: &Node) -> Vec<String> {
    let addresses = node.network.listen_addresses();
    addresses.iter().map(ToString::to_string).collect()
}

/// Three members of which the first and the third are linked to the second; each knows where its links listen.
async fn around_one(via: Via) -> [Node; 3] {
    let mesh = Mesh::new(MESH);
    let mut nodes = [
        Node::member(&mesh, 1, via).await,
        Node::member(&mesh, 2, via).await,
        Node::member(&mesh, 3, via).await,
    ];
    let middle = (nodes[1].id, texts(&nodes[1]));
    for at in [0, 2] {
        let end = (nodes[at].id, texts(&nodes[at]));
        nodes[1].keeper.ways.lock().unwrap().insert(end.0, end.1);
        let ways = &nodes[at].keeper.ways;
        ways.lock().unwrap().insert(middle.0, middle.1.clone());
    }
    for at in [0, 2] {
        nodes[at].dial(&nodes[1]).await;
        assert_eq!(nodes[at].link_up().await, middle.0);
        nodes[1].link_up().await;
    }
    nodes
}

/// Asks `node` for `sought` until something is sighted.
async fn sought(node: &mut Node, sought: NodeId) -> Vec<String> {
    let asked = async {
        loop {
            node.network.seek(sought).await;
            let event = tokio::time::timeout(AGAIN_AFTER, node.events.recv()).await;
            if let Ok(Some(NetworkEvent::Sighted {
                node,
                addresses,
                source,
            })) = event
            {
                assert_eq!((node, source), (sought, Source::Dht));
                return addresses.iter().map(ToString::to_string).collect();
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .expect("it is found")
}

over_quic_and_tcp! {
    async fn a_member_that_is_linked_to_another_is_found_by_its_own_word(via: Via) {
        let [mut near, _middle, far] = around_one(via).await;
        let word = word_of(3, 3, vec!["/ip4/192.0.2.7/tcp/7".to_owned()]);
        far.network.provide(word).await;
        assert_eq!(sought(&mut near, far.id).await, ["/ip4/192.0.2.7/tcp/7"]);
    }

    async fn what_somebody_else_signed_in_a_members_name_is_refused_and_never_found(via: Via) {
        let [mut near, mut middle, liar] = around_one(via).await;
        let victim = 9;
        let lies = vec!["/ip4/127.0.0.1/tcp/1".to_owned(); 16];
        liar.network.provide(word_of(victim, 3, lies)).await;
        let refused = middle
            .event(|event| match event {
                NetworkEvent::RecordRefused { node, why } => Some((node, why)),
                _ => None,
            })
            .await;
        assert_eq!(refused.0, id(victim), "{refused:?}");
        near.network.seek(id(victim)).await;
        while let Ok(Some(event)) = tokio::time::timeout(AGAIN_AFTER, near.events.recv()).await {
            assert!(!matches!(event, NetworkEvent::Sighted { .. }), "{event:?}");
        }
    }
}
