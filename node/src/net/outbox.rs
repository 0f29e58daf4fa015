//! Events on their way to control, bounded although the swarm never waits for control.
//!
//! Links are told exactly, but a link that came and went unheard is not told at all: two entries a node suffice.
//! Listen addresses replace each other. Sightings and failed dials come again, so beyond the bound they are dropped.

use std::collections::VecDeque;

use peerage_protocol::id::NodeId;

use super::event::NetworkEvent;

/// Sightings and failed dials that wait at most.
const REPEATABLE_MAX: usize = 1_024;

/// What control has not heard yet, oldest first.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: VecDeque<NetworkEvent>,
    repeatable: usize,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<NetworkEvent> {
        let event = self.waiting.pop_front()?;
        self.repeatable -= usize::from(is_repeatable(&event));
        Some(event)
    }

    pub(super) fn push(&mut self, event: NetworkEvent) {
        match &event {
            NetworkEvent::LinkDown { node, .. } if self.withdraw_link_up(*node) => return,
            NetworkEvent::ListenAddresses(_) => self.withdraw_listen_addresses(),
            NetworkEvent::Sighted { .. }
            | NetworkEvent::RecordRefused { .. }
            | NetworkEvent::AddressesFailed { .. }
            | NetworkEvent::DialFailed { .. } => {
                if self.repeatable == REPEATABLE_MAX {
                    tracing::debug!(?event, "dropped, for control is far behind");
                    return;
                }
                self.repeatable += 1;
            }
            // Bounded by the messages that may wait for a verdict.
            NetworkEvent::LinkUp { .. }
            | NetworkEvent::LinkDown { .. }
            | NetworkEvent::Gossip { .. } => {}
        }
        self.waiting.push_back(event);
    }

    /// Takes back an unheard link; whether there was one.
    fn withdraw_link_up(&mut self, wanted: NodeId) -> bool {
        let is_up = |event: &NetworkEvent| matches!(event, NetworkEvent::LinkUp { node, .. } if *node == wanted);
        let position = self.waiting.iter().rposition(is_up);
        position.and_then(|at| self.waiting.remove(at)).is_some()
    }

    fn withdraw_listen_addresses(&mut self) {
        self.waiting
            .retain(|event| !matches!(event, NetworkEvent::ListenAddresses(_)));
    }
}

fn is_repeatable(event: &NetworkEvent) -> bool {
    matches!(
        event,
        NetworkEvent::Sighted { .. }
            | NetworkEvent::RecordRefused { .. }
            | NetworkEvent::AddressesFailed { .. }
            | NetworkEvent::DialFailed { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::event::{DialFailure, LinkEnd};

    fn node(n: u8) -> NodeId {
        NodeId::from_public_key([n; 32])
    }

    fn up(n: u8) -> NetworkEvent {
        NetworkEvent::LinkUp {
            node: node(n),
            address: libp2p::Multiaddr::empty(),
            dialed: true,
        }
    }

    fn down(n: u8) -> NetworkEvent {
        NetworkEvent::LinkDown {
            node: node(n),
            why: LinkEnd::Silent,
        }
    }

    fn failed() -> NetworkEvent {
        NetworkEvent::DialFailed {
            node: node(9),
            why: DialFailure::NothingToShow,
        }
    }

    fn heard(outbox: &mut Outbox) -> Vec<NetworkEvent> {
        std::iter::from_fn(|| outbox.pop()).collect()
    }

    #[test]
    fn a_link_that_came_and_went_unheard_is_not_told() {
        let mut outbox = Outbox::default();
        for event in [up(1), up(2), down(1)] {
            outbox.push(event);
        }
        assert_eq!(heard(&mut outbox), [up(2)]);
    }

    #[test]
    fn a_link_that_flaps_takes_two_places_at_most() {
        let mut outbox = Outbox::default();
        outbox.push(down(1));
        for _ in 0..1_000 {
            outbox.push(up(1));
            outbox.push(down(1));
        }
        outbox.push(up(1));
        assert_eq!(heard(&mut outbox), [down(1), up(1)]);
    }

    #[test]
    fn listen_addresses_replace_those_nobody_heard() {
        let mut outbox = Outbox::default();
        let addresses = vec![libp2p::Multiaddr::empty()];
        outbox.push(NetworkEvent::ListenAddresses(Vec::new()));
        outbox.push(NetworkEvent::ListenAddresses(addresses.clone()));
        assert_eq!(
            heard(&mut outbox),
            [NetworkEvent::ListenAddresses(addresses)]
        );
    }

    #[test]
    fn what_comes_again_is_dropped_beyond_the_bound_and_links_are_not() {
        let mut outbox = Outbox::default();
        for _ in 0..REPEATABLE_MAX + 10 {
            outbox.push(failed());
        }
        outbox.push(up(1));
        let heard = heard(&mut outbox);
        assert_eq!(heard.len(), REPEATABLE_MAX + 1);
        assert_eq!(heard.last(), Some(&up(1)));
        outbox.push(failed());
        assert_eq!(outbox.pop(), Some(failed()));
    }
}
