//! The fabric alone, without a world.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;

const NODES: usize = 40;
const SAYS_SO_US: u64 = 50_000;

fn message(publisher: usize, bytes: usize) -> Message {
    let audience = Arc::new(vec![true; NODES]);
    Message::new(Arc::default(), bytes, publisher, 0, 1, audience)
}

/// Nodes of which each is linked to the `links` behind it in a circle.
fn circle(links: usize) -> Fabric {
    let mut fabric = Fabric::new(NODES, 1);
    for node in 0..NODES {
        for step in 1..=links {
            let other = (node + step) % NODES;
            fabric.connected(node, other);
            fabric.connected(other, node);
        }
    }
    for node in 0..NODES {
        fabric.heartbeat(node);
    }
    fabric
}

/// Who has had the message when everybody passes on whatever comes first, and how many copies were sent.
fn spread(fabric: &mut Fabric, publisher: usize) -> (BTreeSet<usize>, usize) {
    let to = fabric
        .publish(0, publisher, 7, message(publisher, 100))
        .unwrap();
    let mut copies: VecDeque<(usize, usize)> = to.into_iter().map(|to| (publisher, to)).collect();
    let (mut had, mut sent) = (BTreeSet::from([publisher]), 0);
    while let Some((from, to)) = copies.pop_front() {
        sent += 1;
        if fabric.arrived(1, to, 7) == Some(Arrival::First) {
            had.insert(to);
            let passed_on = fabric.accepted(1, to, from, 7, |_| SAYS_SO_US);
            copies.extend(passed_on.into_iter().map(|next| (to, next)));
        }
    }
    (had, sent)
}

#[test]
fn a_message_reaches_everybody_along_the_mesh() {
    let mut fabric = circle(8);
    let (had, sent) = spread(&mut fabric, 3);
    assert_eq!(had.len(), NODES);
    assert!(sent < NODES * MESH_HIGH, "{sent}");
}

#[test]
fn the_mesh_keeps_its_bounds() {
    let mut fabric = circle(19);
    for _ in 0..3 {
        for node in 0..NODES {
            fabric.heartbeat(node);
        }
    }
    let sizes = fabric.members.iter().map(|member| member.mesh.len());
    assert!(
        sizes
            .clone()
            .all(|size| (MESH_LOW..=MESH_HIGH).contains(&size)),
        "{:?}",
        sizes.collect::<Vec<_>>()
    );
}

#[test]
fn whoever_is_outside_the_mesh_is_told_and_asks() {
    let mut fabric = circle(12);
    let publisher = 0;
    fabric
        .publish(0, publisher, 7, message(publisher, 100))
        .unwrap();
    let beat = fabric.heartbeat(publisher);
    assert_eq!(beat.messages, [7]);
    assert!(!beat.tell.is_empty());
    let told = beat.tell[0];
    assert!(!fabric.members[publisher].mesh.contains(&told));
    assert_eq!(fabric.missing(told, &beat.messages), [7]);
    fabric.arrived(5, told, 7);
    assert_eq!(fabric.missing(told, &beat.messages), [0_u64; 0]);
}

#[test]
fn what_was_said_is_not_said_again_and_nobody_there_is_an_error() {
    let mut fabric = circle(8);
    fabric.publish(0, 0, 7, message(0, 100)).unwrap();
    assert_eq!(
        fabric.publish(1, 0, 7, message(0, 100)),
        Err(NotPublished::Duplicate)
    );
    let mut alone = Fabric::new(NODES, 1);
    assert_eq!(
        alone.publish(0, 0, 7, message(0, 100)),
        Err(NotPublished::NoPeers)
    );
}

#[test]
fn a_verdict_that_comes_late_passes_nothing_on() {
    let mut fabric = circle(8);
    fabric.publish(0, 0, 7, message(0, 100)).unwrap();
    fabric.arrived(1_000, 1, 7);
    assert_eq!(
        fabric.accepted(8_000_000, 1, 0, 7, |_| SAYS_SO_US),
        [0_usize; 0]
    );
}

#[test]
fn of_a_large_message_nobody_is_sent_a_copy_who_has_had_it_for_long() {
    let mut fabric = circle(8);
    fabric.publish(0, 0, 7, message(0, 10_000)).unwrap();
    for node in 1..NODES {
        fabric.arrived(1_000, node, 7);
    }
    assert_eq!(
        fabric.accepted(60_000, 1, 0, 7, |_| SAYS_SO_US),
        [0_usize; 0]
    );
    assert_ne!(
        fabric.accepted(20_000, 2, 0, 7, |_| SAYS_SO_US),
        [0_usize; 0]
    );
}

#[test]
fn whoever_starts_anew_has_had_nothing() {
    let mut fabric = circle(8);
    fabric.publish(0, 0, 7, message(0, 100)).unwrap();
    fabric.arrived(1_000, 1, 7);
    fabric.restarted(1);
    assert_eq!(fabric.missing(1, &[7]), [7]);
    assert!(
        fabric
            .members
            .iter()
            .all(|member| !member.mesh.contains(&1))
    );
}
