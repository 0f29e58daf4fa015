//! Who passes the gate, and that those who do not leave no trace at either end.

use std::time::Duration;

use peerage_node::net::gatekeeper::{Credentials, Refusal};
use peerage_node::net::{DialFailure, NetworkEvent};
use peerage_protocol::wire::hello::{LENGTH_PREFIX_BYTES, REFUSED_BODY_BYTES};

use crate::over_quic_and_tcp;
use crate::stranger::{Greeting, Stranger};
use crate::world::{Doorkeeper, Mesh, Node, PATIENCE, Via, id, linked};

/// A node that shows `credentials` dials a member and is refused without a reason, after so many judgements; neither
/// end ever has a link.
async fn is_refused(via: Via, judgements: usize, credentials: impl FnOnce(&Mesh) -> Credentials) {
    let mesh = Mesh::new(100);
    let listener = Node::member(&mesh, 2, via).await;
    let keeper = Doorkeeper::new(Some(credentials(&mesh)));
    let mut dialer = Node::start(1, Vec::new(), keeper).await;
    dialer.dial(&listener).await;
    let why = dialer.event(dial_failure).await;
    assert_eq!(why, DialFailure::Refused(Refusal::Unspoken));
    assert_eq!(*dialer.keeper.refusals.lock().unwrap(), [Refusal::Unspoken]);
    assert_eq!(*listener.keeper.judged.lock().unwrap(), judgements);
    dialer.never_had_a_link().await;
    listener.never_had_a_link().await;
}

fn dial_failure(event: NetworkEvent) -> Option<DialFailure> {
    match event {
        NetworkEvent::DialFailed { why, .. } => Some(why),
        _ => None,
    }
}

over_quic_and_tcp! {
    async fn a_member_is_admitted_and_both_ends_know(via: Via) {
        let (a, b) = linked(via).await;
        assert_eq!(a.network.links().nodes(), [b.id]);
        assert_eq!(b.network.links().nodes(), [a.id]);
    }

    async fn a_member_of_another_mesh_is_refused(via: Via) {
        is_refused(via, 0, |_| Mesh::new(101).valid(id(1))).await;
    }

    async fn a_certificate_of_another_mesh_under_this_ones_name_is_refused(via: Via) {
        is_refused(via, 1, |mesh| Credentials {
            mesh: mesh.id(),
            chain: Mesh::new(101).valid(id(1)).chain,
            revocations: 0,
        })
        .await;
    }

    async fn a_certificate_presented_by_another_key_is_refused(via: Via) {
        is_refused(via, 0, |mesh| mesh.valid(id(3))).await;
    }

    async fn an_expired_certificate_is_refused(via: Via) {
        is_refused(via, 1, |mesh| mesh.expired(id(1))).await;
    }

    async fn a_node_without_a_mesh_does_not_even_dial(via: Via) {
        let listener = Node::member(&Mesh::new(100), 2, via).await;
        let mut dialer = Node::start(1, Vec::new(), Doorkeeper::new(None)).await;
        dialer.dial(&listener).await;
        assert_eq!(dialer.event(dial_failure).await, DialFailure::NothingToShow);
        dialer.never_had_a_link().await;
        assert_eq!(*listener.keeper.judged.lock().unwrap(), 0);
        listener.never_had_a_link().await;
    }

    async fn a_listener_without_a_mesh_refuses_everybody(via: Via) {
        let listener = Node::start(2, vec![via.listen()], Doorkeeper::new(None)).await;
        let mut dialer = Node::member(&Mesh::new(100), 1, via).await;
        dialer.dial(&listener).await;
        let why = dialer.event(dial_failure).await;
        assert_eq!(why, DialFailure::Refused(Refusal::Unspoken));
        dialer.never_had_a_link().await;
        listener.never_had_a_link().await;
    }

    async fn a_listener_whose_certificate_is_expired_is_not_accepted_by_the_dialer(via: Via) {
        let mesh = Mesh::new(100);
        let keeper = Doorkeeper::new(Some(mesh.expired(id(2))));
        let listener = Node::start(2, vec![via.listen()], keeper).await;
        let mut dialer = Node::member(&mesh, 1, via).await;
        dialer.dial(&listener).await;
        let why = dialer.event(dial_failure).await;
        assert_eq!(why, DialFailure::Distrusted(Refusal::Expired));
        dialer.never_had_a_link().await;
    }

    async fn a_member_revoked_between_gate_and_swarm_gets_no_link(via: Via) {
        let mesh = Mesh::new(100);
        let listener = Node::member(&mesh, 2, via).await;
        listener.keeper.revoked.lock().unwrap().insert(id(1));
        let dialer = Node::member(&mesh, 1, via).await;
        dialer.dial(&listener).await;
        listener.keeper.denied().await;
        assert_eq!(*listener.keeper.judged.lock().unwrap(), 1);
        listener.never_had_a_link().await;
    }

    async fn garbage_gets_no_answer(via: Via) {
        let listener = Node::member(&Mesh::new(100), 2, via).await;
        let mut stranger = Stranger::dial(via, &listener).await;
        stranger.say(&[0x5a; 4_096]).await;
        assert_eq!(stranger.hear_all().await, b"");
        listener.never_had_a_link().await;
    }

    async fn a_message_that_is_said_to_be_huge_gets_no_answer(via: Via) {
        let listener = Node::member(&Mesh::new(100), 2, via).await;
        let mut stranger = Stranger::dial(via, &listener).await;
        stranger.say(&u32::MAX.to_be_bytes()).await;
        assert_eq!(stranger.hear_all().await, b"");
        listener.never_had_a_link().await;
    }

    async fn silence_is_cut_off(via: Via) {
        let listener = Node::member(&Mesh::new(100), 2, via).await;
        let mut stranger = Stranger::dial(via, &listener).await;
        stranger.say(&[0, 0]).await;
        let heard = tokio::time::timeout(PATIENCE, stranger.hear_all()).await;
        assert_eq!(heard.ok(), Some(Vec::new()));
        listener.never_had_a_link().await;
    }

    /// Of another mesh, of this mesh with a foreign certificate, of another version: one and the same answer.
    async fn all_refusals_are_the_same_bytes(via: Via) {
        let mesh = Mesh::new(100);
        let listener = Node::member(&mesh, 2, via).await;
        let other = Mesh::new(101);
        let greetings = [
            Greeting { mesh: other.id(), chain: other.valid(id(9)).chain, version: 1 },
            Greeting { mesh: mesh.id(), chain: other.valid(id(9)).chain, version: 1 },
            Greeting { mesh: mesh.id(), chain: mesh.valid(id(3)).chain, version: 1 },
            Greeting { mesh: mesh.id(), chain: mesh.expired(id(9)).chain, version: 1 },
            Greeting { mesh: mesh.id(), chain: mesh.valid(id(9)).chain, version: 99 },
        ];
        let mut answers = Vec::new();
        for greeting in greetings {
            let mut stranger = Stranger::dial(via, &listener).await;
            stranger.greet(&listener, greeting).await;
            answers.push(stranger.hear_all().await);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].len(), LENGTH_PREFIX_BYTES + REFUSED_BODY_BYTES);
        listener.never_had_a_link().await;
    }
}

#[tokio::test]
async fn a_listener_that_never_answers_is_given_up_at_the_deadline() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{}", silent.local_addr().unwrap().port());
    let mut dialer = Node::member(&Mesh::new(100), 1, Via::Tcp).await;
    dialer
        .network
        .dial(id(2), vec![address.parse().unwrap()])
        .await;
    let why = tokio::time::timeout(Duration::from_secs(15), dialer.event(dial_failure)).await;
    assert!(
        matches!(why, Ok(DialFailure::Unreachable { .. })),
        "{why:?}"
    );
}
