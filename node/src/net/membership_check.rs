//! Denies, before any other behaviour hears of it, a connection to a node that is no member any more, and too many
//! arrivals from one address.
//!
//! The gate has checked membership already; this asks again because a member may be revoked in between.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::util::unreachable;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dummy::ConnectionHandler;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::gatekeeper::Gatekeeper;
use super::peer_id::node_id;

/// Must be the first field of the swarm's behaviour: the others are asked in order.
pub(crate) struct MembershipCheck {
    gatekeeper: Arc<dyn Gatekeeper>,
    arrivals: Arrivals,
}

impl MembershipCheck {
    pub(crate) fn new(gatekeeper: Arc<dyn Gatekeeper>) -> Self {
        Self {
            gatekeeper,
            arrivals: Arrivals::default(),
        }
    }

    fn check(&self, peer: PeerId) -> Result<ConnectionHandler, ConnectionDenied> {
        match node_id(&peer) {
            Some(node) if self.gatekeeper.is_member(node) => Ok(ConnectionHandler),
            _ => Err(ConnectionDenied::new(NotAMember { peer })),
        }
    }
}

/// The other end is no member, whatever it was at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{peer} is not a member of this mesh any more")]
pub(crate) struct NotAMember {
    pub(crate) peer: PeerId,
}

/// The IP address in a multiaddress.
pub(super) fn address_of(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    })
}

impl NetworkBehaviour for MembershipCheck {
    type ConnectionHandler = ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let Some(ip) = address_of(remote) else {
            return Ok(());
        };
        let arrival = self.arrivals.arrive(ip, Instant::now());
        arrival.map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<ConnectionHandler, ConnectionDenied> {
        self.check(peer)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<ConnectionHandler, ConnectionDenied> {
        self.check(peer)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        unreachable(event)
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
