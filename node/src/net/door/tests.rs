//! The door as a whole: who is let in beside whom.
#![allow(clippy::unwrap_used)]

use futures::FutureExt;

use super::*;

fn udp(host: u8, port: u16) -> Source {
    Source {
        host: IpAddr::from([192, 0, 2, host]),
        udp_port: Some(port),
    }
}

fn tcp(host: u8) -> Source {
    Source {
        host: IpAddr::from([192, 0, 2, host]),
        udp_port: None,
    }
}

/// Strangers hold every place, and every turn of one host is taken.
fn crowded() -> (Door, Vec<Place>) {
    let door = Door::default();
    let held: Vec<_> = (0..200)
        .flat_map(|n| {
            let door = &door;
            (0..20).filter_map(move |_| door.knock(tcp(n)).ok())
        })
        .collect();
    (door, held)
}

#[tokio::test(start_paused = true)]
async fn strangers_take_all_their_places_and_no_more() {
    let (door, held) = crowded();
    assert_eq!(held.len(), STRANGERS.total);
    assert_eq!(door.report().handshakes, STRANGERS.total);
    drop(held);
    assert_eq!(door.report().handshakes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_member_comes_back_to_a_door_full_of_strangers() {
    let (door, _held) = crowded();
    door.remember(udp(250, 7));
    assert!(door.knock(udp(250, 7)).is_ok());
    assert!(door.knock(tcp(250)).is_ok());
    assert!(door.knock(tcp(251)).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_members_socket_is_let_in_from_a_host_that_is_refused() {
    let door = Door::default();
    door.remember(udp(1, 7));
    for _ in 0..50 {
        door.stranger_offended(tcp(1), Offence::Garbage);
    }
    while door.knock(tcp(1)).is_ok() {}
    assert_eq!(door.knock(tcp(1)).err(), Some(Refused::Offender));
    assert!(door.knock(udp(1, 7)).is_ok());
    assert!(door.knock(udp(1, 8)).is_err());
}

#[tokio::test(start_paused = true)]
async fn who_offends_is_refused_until_it_is_half_forgotten() {
    let door = Door::default();
    for _ in 0..10 {
        door.knock(tcp(1)).unwrap().offended(Offence::Garbage);
    }
    assert_eq!(door.knock(tcp(1)).err(), Some(Refused::Offender));
    assert!(door.knock(tcp(2)).is_ok());
    let report = door.report();
    assert_eq!(report.turned_away[0], ("offenders", 1));
    assert!(report.offenders[0].refused);
    assert_eq!(report.offenders[0].worst, Offence::Garbage);
    tokio::time::advance(Duration::from_secs(5 * 60)).await;
    assert!(door.knock(tcp(1)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_dawdles_loses_its_place_when_it_is_needed() {
    let door = Door::default();
    let mut places: Vec<_> = (0..STRANGERS.per_network)
        .map(|_| door.knock(tcp(1)).unwrap())
        .collect();
    let mut first = places.remove(0);
    let handshake = tokio::spawn(async move { first.within(std::future::pending::<()>()).await });
    tokio::time::advance(places::DAWDLING).await;
    let newcomer = door.knock(tcp(1));
    assert!(newcomer.is_ok());
    assert_eq!(handshake.await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_floods_is_kept_out_for_a_while() {
    let (door, node) = (Door::default(), NodeId::from_public_key([1; 32]));
    for _ in 0..600 {
        door.member_offended(node, Offence::GossipFlood);
    }
    let crossed = std::future::poll_fn(|cx| door.poll_crossed(cx));
    assert_eq!(crossed.await, node);
    let again = std::future::poll_fn(|cx| door.poll_crossed(cx)).now_or_never();
    assert_eq!(again, None, "once is enough");
    assert!(door.keeps_out(node));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(!door.keeps_out(node));
}

#[tokio::test(start_paused = true)]
async fn sources_must_prove_themselves_once_strangers_come_in_numbers() {
    let door = Door::default();
    assert!(!door.is_wary());
    let (crowd, held) = crowded();
    assert!(crowd.is_wary());
    drop(held);
    tokio::time::advance(WARY).await;
    assert!(!crowd.is_wary());
}
