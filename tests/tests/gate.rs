//! Whom the gate lets in, over QUIC and over TCP: members and nobody else, without a trace of the others in the swarm.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use peerage_node::control::{JoinError, wall};
use peerage_node::net::{DialFailure, NetworkEvent};
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::admission::{Refusal, check_member};
use peerage_protocol::node_state::Record;
use peerage_protocol::signature::Ed25519;
use peerage_tests::inside::{Inside, Transport};
use peerage_tests::wait::wait_until;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The host's own view after somebody was refused: no link, no connection in any behaviour, no event of one.
fn assert_untouched(
    host: &Inside,
    stranger: NodeId,
    heard: &mut tokio::sync::broadcast::Receiver<NetworkEvent>,
) {
    assert!(!host.has_links());
    let roster = host.snapshots.roster().unwrap();
    assert!(
        roster.member(stranger).is_none(),
        "the roster names a stranger"
    );
    while let Ok(event) = heard.try_recv() {
        assert!(!matches!(event, NetworkEvent::LinkUp { .. }), "{event:?}");
    }
}

fn refusal(event: &NetworkEvent) -> &DialFailure {
    match event {
        NetworkEvent::DialFailed { why, .. } => why,
        other => panic!("the dial was not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_member_of_another_mesh_is_refused() {
    for transport in Transport::ALL {
        let host = Inside::founder(1, transport).await;
        let mut heard = host.events();
        let other = Inside::founder(2, transport).await;
        let outcome = other.dial(&host).await;
        assert_eq!(refusal(&outcome), &DialFailure::Refused(Refusal::Unspoken));
        assert!(!other.has_links());
        assert_untouched(&host, other.id(), &mut heard);
    }
}

#[tokio::test]
async fn a_node_with_nothing_to_show_is_not_let_in() {
    for transport in Transport::ALL {
        let host = Inside::founder(1, transport).await;
        let mut heard = host.events();
        let stranger = Inside::start(2, transport, Vec::new()).await;
        let outcome = stranger.dial(&host).await;
        assert_eq!(refusal(&outcome), &DialFailure::NothingToShow);
        assert_untouched(&host, stranger.id(), &mut heard);
    }
}

#[tokio::test]
async fn a_certificate_presented_by_another_key_is_refused() {
    for transport in Transport::ALL {
        let host = Inside::founder(1, transport).await;
        let mut heard = host.events();
        let owner = NodeId::from_public_key([7; 32]);
        let stolen = Record::Home {
            mesh: host.snapshots.roster().unwrap().mesh,
            chain: Arc::new(host.certify(owner, Duration::ZERO)),
        };
        let thief = Inside::start(2, transport, vec![stolen]).await;
        let outcome = thief.dial(&host).await;
        assert_eq!(refusal(&outcome), &DialFailure::Refused(Refusal::Unspoken));
        assert!(!thief.has_links());
        assert_untouched(&host, thief.id(), &mut heard);
    }
}

/// A node with a certificate of `host` as old as `age`, and with or without the host in its roster.
async fn planted(host: &Inside, transport: Transport, age: Duration, knows_host: bool) -> Inside {
    let key = ed25519_dalek::SigningKey::from_bytes(&[2; 32]);
    let me = NodeId::from_public_key(key.verifying_key().to_bytes());
    let roster = host.snapshots.roster().unwrap();
    let mut records = vec![Record::Home {
        mesh: roster.mesh,
        chain: Arc::new(host.certify(me, age)),
    }];
    if knows_host {
        records.push(Record::Member(roster.own.clone()));
    }
    Inside::start(2, transport, records).await
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    for transport in Transport::ALL {
        let host = Inside::founder(1, transport).await;
        let mut heard = host.events();
        let late = planted(&host, transport, 2 * HOUR, false).await;
        let (mesh, chain) = {
            let roster = late.snapshots.roster().unwrap();
            (roster.mesh, roster.own.clone())
        };
        let good_but_for_its_age = check_member(&chain, mesh, late.id(), wall(), &Ed25519);
        assert_eq!(good_but_for_its_age, Err(Refusal::Expired));
        let outcome = late.dial(&host).await;
        assert_eq!(refusal(&outcome), &DialFailure::Refused(Refusal::Unspoken));
        assert!(!late.has_links());
        assert_untouched(&host, late.id(), &mut heard);
    }
}

#[tokio::test]
async fn a_valid_certificate_is_let_in() {
    for transport in Transport::ALL {
        let host = Inside::founder(1, transport).await;
        let member = planted(&host, transport, MINUTE, false).await;
        let outcome = member.dial(&host).await;
        assert!(
            matches!(outcome, NetworkEvent::LinkUp { .. }),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn an_expired_member_gets_a_fresh_certificate_and_only_then_a_link() {
    for transport in Transport::ALL {
        let host = Inside::founder(1, transport).await;
        let late = planted(&host, transport, 2 * HOUR, true).await;
        let outcome = late.dial(&host).await;
        assert_eq!(refusal(&outcome), &DialFailure::Issued);
        let renewed = late.snapshots.roster().unwrap().own.body().not_before;
        assert!(wall().since(renewed) < MINUTE);
        let outcome = late.dial(&host).await;
        assert!(
            matches!(outcome, NetworkEvent::LinkUp { .. }),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn an_expired_ticket_is_refused_and_says_so() {
    for transport in Transport::ALL {
        let host = Inside::founder(1, transport).await;
        let mut heard = host.events();
        let ticket = host.invite(Duration::from_millis(1), 1).await;
        let expires = ticket.expires;
        wait_until("the ticket has expired", MINUTE, async || {
            (wall() > expires).then_some(())
        })
        .await;
        let joiner = Inside::start(2, transport, Vec::new()).await;
        let name = "late".parse().unwrap();
        let refused = joiner.membership.join(ticket, name).await.unwrap_err();
        assert_eq!(refused, JoinError::Refused(Refusal::TicketExpired));
        assert!(joiner.snapshots.roster().is_none());
        assert_untouched(&host, joiner.id(), &mut heard);
    }
}

#[tokio::test]
async fn a_guessed_ticket_is_refused_without_a_reason() {
    for transport in Transport::ALL {
        let host = Inside::founder(1, transport).await;
        let mut heard = host.events();
        let mut ticket = host.invite(HOUR, 1).await;
        ticket.secret.0 = [0; 32];
        let joiner = Inside::start(2, transport, Vec::new()).await;
        let name = "guess".parse().unwrap();
        let refused = joiner.membership.join(ticket, name).await.unwrap_err();
        assert_eq!(refused, JoinError::Refused(Refusal::Unspoken));
        assert_untouched(&host, joiner.id(), &mut heard);
    }
}

#[tokio::test]
async fn a_used_ticket_is_refused_and_says_so() {
    for transport in Transport::ALL {
        let host = Inside::founder(1, transport).await;
        let ticket = host.invite(HOUR, 1).await;
        let first = Inside::start(2, transport, Vec::new()).await;
        let name: peerage_protocol::id::NodeName = "one".parse().unwrap();
        first
            .membership
            .join(ticket.clone(), name.clone())
            .await
            .unwrap();
        let second = Inside::start(3, transport, Vec::new()).await;
        let refused = second.membership.join(ticket, name).await.unwrap_err();
        assert_eq!(refused, JoinError::Refused(Refusal::TicketUsed));
        assert!(
            host.snapshots
                .roster()
                .unwrap()
                .member(second.id())
                .is_none()
        );
        assert_eq!(host.network.links().nodes(), [first.id()]);
    }
}

#[tokio::test]
async fn of_two_that_redeem_one_ticket_at_once_exactly_one_gets_in() {
    for transport in Transport::ALL {
        let host = Inside::founder(1, transport).await;
        let one = Inside::start(2, transport, Vec::new()).await;
        let two = Inside::start(3, transport, Vec::new()).await;
        let ticket = host.invite(HOUR, 1).await;
        let (first, second) = tokio::join!(
            one.membership.join(ticket.clone(), "one".parse().unwrap()),
            two.membership.join(ticket, "two".parse().unwrap()),
        );
        let refused = JoinError::Refused(Refusal::TicketUsed);
        let let_in = match (first, second) {
            (Ok(_), Err(error)) if error == refused => one.id(),
            (Err(error), Ok(_)) if error == refused => two.id(),
            other => panic!("not exactly one got in: {other:?}"),
        };
        assert_eq!(host.snapshots.roster().unwrap().len(), 1);
        assert_eq!(host.network.links().nodes(), [let_in]);
    }
}
