//! Sightings on the local network, and the memory of which of them lead nowhere.
//!
//! mDNS uses libp2p's fixed name, so nodes of other meshes and other programs show up too. Those that refused this
//! node are not reported again for a while, longer each time.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{FromSwarm, NetworkBehaviour, NewListenAddr};
use libp2p::{Multiaddr, PeerId, mdns};
use peerage_protocol::address_book::Source;
use peerage_protocol::id::NodeId;
use peerage_protocol::limits::ADDRESSES_PER_NODE_MAX;
use tokio::time::Instant;

use crate::net::event::NetworkEvent;
use crate::net::peer_id::node_id;

/// Quiet after the first refusal; doubles with each further one.
const QUIET_MIN: Duration = Duration::from_secs(30);

/// The longest quiet.
const QUIET_MAX: Duration = Duration::from_secs(60 * 60);

/// Foreign nodes remembered; beyond that, the one whose quiet ends first is forgotten.
const FOREIGN_MAX: usize = 1_024;

/// Nodes taken from one answer.
const SIGHTINGS_MAX: usize = 256;

/// The mDNS behaviour of a node that listens at these addresses, if possible: a machine without multicast goes without.
///
/// It asks at once, and then not for a second. So it is made when the addresses are known: of two nodes that start
/// together, each listens to the group before it asks, and so one of them has its question answered.
pub(crate) fn behaviour<'a>(
    local: PeerId,
    listening: impl Iterator<Item = &'a Multiaddr>,
) -> Toggle<mdns::tokio::Behaviour> {
    let started = mdns::tokio::Behaviour::new(mdns::Config::default(), local);
    let behaviour = started.map(|mut behaviour| {
        for addr in listening {
            let listener_id = ListenerId::next();
            let told = FromSwarm::NewListenAddr(NewListenAddr { listener_id, addr });
            behaviour.on_swarm_event(told);
        }
        behaviour
    });
    let told = |error| tracing::warn!(%error, "no discovery on the local network");
    Toggle::from(behaviour.map_err(told).ok())
}

/// The nodes refused of late.
#[derive(Default)]
pub(crate) struct ForeignNodes {
    quiet: HashMap<NodeId, Quiet>,
}

struct Quiet {
    until: Instant,
    length: Duration,
}

impl ForeignNodes {
    /// The gate of `node` stayed closed.
    pub(crate) fn refused(&mut self, node: NodeId, now: Instant) {
        let before = self.quiet.get(&node).map(|quiet| quiet.length * 2);
        let length = before.unwrap_or(QUIET_MIN).min(QUIET_MAX);
        if before.is_none() && self.quiet.len() >= FOREIGN_MAX {
            self.forget_the_next();
        }
        let until = now + length;
        self.quiet.insert(node, Quiet { until, length });
    }

    /// `node` let this node in after all.
    pub(crate) fn admitted(&mut self, node: NodeId) {
        self.quiet.remove(&node);
    }

    /// Whether a sighting of `node` is worth a dial.
    pub(crate) fn is_worth_a_dial(&self, node: NodeId, now: Instant) -> bool {
        self.quiet.get(&node).is_none_or(|quiet| quiet.until <= now)
    }

    /// What control should hear of `discovered`.
    pub(crate) fn sightings(
        &self,
        discovered: Vec<(PeerId, Multiaddr)>,
        now: Instant,
    ) -> Vec<NetworkEvent> {
        let mut found: Vec<(NodeId, Vec<Multiaddr>)> = Vec::new();
        for (peer, address) in discovered {
            let Some(node) = node_id(&peer) else { continue };
            let known = found.iter().position(|(known, _)| *known == node);
            match known {
                Some(at) if found[at].1.len() < ADDRESSES_PER_NODE_MAX => found[at].1.push(address),
                None if found.len() < SIGHTINGS_MAX && self.is_worth_a_dial(node, now) => {
                    found.push((node, vec![address]));
                }
                Some(_) | None => {}
            }
        }
        let source = Source::Mdns;
        let sighted = |(node, addresses)| NetworkEvent::Sighted {
            node,
            addresses,
            source,
        };
        found.into_iter().map(sighted).collect()
    }

    fn forget_the_next(&mut self) {
        let next = self.quiet.iter().min_by_key(|(_, quiet)| quiet.until);
        if let Some(node) = next.map(|(node, _)| *node) {
            self.quiet.remove(&node);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::net::peer_id::peer_id;

    fn node(n: u32) -> NodeId {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_be_bytes());
        NodeId::from_public_key(key)
    }

    fn address(port: u32) -> Multiaddr {
        format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap()
    }

    #[test]
    fn the_addresses_of_one_node_are_one_sighting() {
        let discovered = vec![
            (peer_id(node(1)), address(1)),
            (peer_id(node(2)), address(2)),
            (peer_id(node(1)), address(3)),
        ];
        let sighted = ForeignNodes::default().sightings(discovered, Instant::now());
        let expected = |n, addresses| NetworkEvent::Sighted {
            node: node(n),
            addresses,
            source: Source::Mdns,
        };
        assert_eq!(
            sighted,
            [
                expected(1, vec![address(1), address(3)]),
                expected(2, vec![address(2)])
            ]
        );
    }

    #[test]
    fn a_node_that_refused_is_quiet_for_a_while_and_longer_each_time() {
        let (mut foreign, start) = (ForeignNodes::default(), Instant::now());
        foreign.refused(node(1), start);
        assert!(!foreign.is_worth_a_dial(node(1), start + QUIET_MIN / 2));
        assert!(foreign.is_worth_a_dial(node(1), start + QUIET_MIN));
        foreign.refused(node(1), start);
        assert!(!foreign.is_worth_a_dial(node(1), start + QUIET_MIN));
        (0..50).for_each(|_| foreign.refused(node(1), start));
        assert!(foreign.is_worth_a_dial(node(1), start + QUIET_MAX));
    }

    #[test]
    fn a_node_that_admits_is_heard_of_again() {
        let (mut foreign, start) = (ForeignNodes::default(), Instant::now());
        foreign.refused(node(1), start);
        let discovered = vec![(peer_id(node(1)), address(1))];
        assert_eq!(foreign.sightings(discovered.clone(), start), []);
        foreign.admitted(node(1));
        assert_eq!(foreign.sightings(discovered, start).len(), 1);
    }

    #[test]
    fn memory_of_foreign_nodes_is_bounded() {
        let (mut foreign, start) = (ForeignNodes::default(), Instant::now());
        for n in 0..u32::try_from(FOREIGN_MAX).unwrap() + 100 {
            foreign.refused(node(n), start + Duration::from_millis(n.into()));
        }
        assert_eq!(foreign.quiet.len(), FOREIGN_MAX);
        assert!(foreign.is_worth_a_dial(node(0), start));
    }

    #[test]
    fn addresses_and_nodes_of_one_answer_are_bounded() {
        let many = (0..1_000).map(|port| (peer_id(node(1)), address(port)));
        let others = (2..1_000).map(|n| (peer_id(node(n)), address(n)));
        let foreign = ForeignNodes::default();
        let sighted = foreign.sightings(many.chain(others).collect(), Instant::now());
        assert_eq!(sighted.len(), SIGHTINGS_MAX);
        let NetworkEvent::Sighted { addresses, .. } = &sighted[0] else {
            panic!("{sighted:?}");
        };
        assert_eq!(addresses.len(), ADDRESSES_PER_NODE_MAX);
    }
}
