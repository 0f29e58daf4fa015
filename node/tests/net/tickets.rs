//! Tickets and renewals at the gate: a certificate, never a link; and a reason only to who holds a ticket.

use std::sync::Arc;

use peerage_node::net::gatekeeper::{Purpose, Refusal};
use peerage_node::net::{DialFailure, NetworkEvent};
use peerage_protocol::membership::ticket::{Ticket, TicketId, TicketSecret};

use crate::over_quic_and_tcp;
use crate::world::{Doorkeeper, Mesh, NOW, Node, USED, Via, id};

const TICKET: TicketId = TicketId([7; 16]);

async fn issuer(mesh: &Mesh, via: Via) -> Node {
    let mut keeper = Doorkeeper::new(Some(mesh.valid(id(2))));
    keeper.mesh = Some(mesh.clone());
    for ticket in [TICKET, USED] {
        let secret = TicketSecret([8; 32]);
        keeper.tickets.lock().unwrap().insert(ticket, secret);
    }
    Node::start(2, vec![via.listen()], keeper).await
}

async fn joiner(mesh: &Mesh, id: TicketId, secret: [u8; 32]) -> Node {
    let ticket = Ticket {
        mesh: mesh.id(),
        issuer: crate::world::id(2),
        id,
        secret: TicketSecret(secret),
        expires: NOW,
        addresses: Vec::new(),
    };
    let keeper = Doorkeeper::new(None);
    *keeper.purpose.lock().unwrap() = Purpose::Redeem {
        ticket: Arc::new(ticket),
        name: "desk".parse().unwrap(),
    };
    Node::start(1, Vec::new(), keeper).await
}

async fn outcome(node: &mut Node) -> DialFailure {
    node.event(|event| match event {
        NetworkEvent::DialFailed { why, .. } => Some(why),
        NetworkEvent::LinkUp { .. } => panic!("a link"),
        _ => None,
    })
    .await
}

over_quic_and_tcp! {
    async fn a_ticket_is_redeemed_without_a_link_and_its_certificate_admits(via: Via) {
        let mesh = Mesh::new(100);
        let mut issuer = issuer(&mesh, via).await;
        let mut joiner = joiner(&mesh, TICKET, [8; 32]).await;
        joiner.dial(&issuer).await;
        assert_eq!(outcome(&mut joiner).await, DialFailure::Issued);
        assert_eq!(issuer.network.links().nodes(), []);
        joiner.dial(&issuer).await;
        assert_eq!(joiner.link_up().await, issuer.id);
        assert_eq!(issuer.link_up().await, joiner.id);
    }

    async fn a_wrong_proof_is_refused_without_a_reason(via: Via) {
        let mesh = Mesh::new(100);
        let issuer = issuer(&mesh, via).await;
        let mut joiner = joiner(&mesh, TICKET, [9; 32]).await;
        joiner.dial(&issuer).await;
        let expected = DialFailure::Refused(Refusal::Unspoken);
        assert_eq!(outcome(&mut joiner).await, expected);
        joiner.never_had_a_link().await;
        issuer.never_had_a_link().await;
    }

    async fn the_holder_of_a_used_ticket_is_told_so(via: Via) {
        let mesh = Mesh::new(100);
        let issuer = issuer(&mesh, via).await;
        let mut joiner = joiner(&mesh, USED, [8; 32]).await;
        joiner.dial(&issuer).await;
        let expected = DialFailure::Refused(Refusal::TicketUsed);
        assert_eq!(outcome(&mut joiner).await, expected);
        joiner.never_had_a_link().await;
        issuer.never_had_a_link().await;
    }

    async fn an_expired_member_renews_without_a_link_and_then_enters(via: Via) {
        let mesh = Mesh::new(100);
        let issuer = issuer(&mesh, via).await;
        let keeper = Doorkeeper::new(Some(mesh.expired(id(1))));
        *keeper.purpose.lock().unwrap() = Purpose::Renew;
        let mut member = Node::start(1, Vec::new(), keeper).await;
        member.dial(&issuer).await;
        assert_eq!(outcome(&mut member).await, DialFailure::Issued);
        assert_eq!(issuer.network.links().nodes(), []);
        member.dial(&issuer).await;
        assert_eq!(member.link_up().await, issuer.id);
    }

    async fn a_member_renews_beside_a_standing_link(via: Via) {
        let mesh = Mesh::new(100);
        let issuer = issuer(&mesh, via).await;
        let mut member = Node::member(&mesh, 1, via).await;
        member.dial(&issuer).await;
        assert_eq!(member.link_up().await, issuer.id);
        *member.keeper.purpose.lock().unwrap() = Purpose::Renew;
        member.dial(&issuer).await;
        assert_eq!(outcome(&mut member).await, DialFailure::Issued);
        assert!(member.network.links().is_connected(issuer.id));
    }
}
