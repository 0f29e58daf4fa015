//! Denies, before any other behaviour hears of it, a connection to a node that is no member any more, or that offended
//! so often that it is kept out for a while.
//!
//! The gate has checked membership already; this asks again because a member may be revoked in between.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::util::unreachable;
use libp2p::swarm::dummy::ConnectionHandler;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandlerInEvent,
    ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use peerage_protocol::id::NodeId;

use super::door::Door;
use super::gatekeeper::Gatekeeper;
use super::peer_id::{node_id, peer_id};

/// Must be the first field of the swarm's behaviour: the others are asked in order.
pub(crate) struct MembershipCheck {
    gatekeeper: Arc<dyn Gatekeeper>,
    door: Door,
}

impl MembershipCheck {
    pub(crate) fn new(gatekeeper: Arc<dyn Gatekeeper>, door: Door) -> Self {
        Self { gatekeeper, door }
    }

    /// The door that remembers what members did.
    pub(crate) fn door(&self) -> &Door {
        &self.door
    }

    fn check(&self, peer: PeerId) -> Result<ConnectionHandler, ConnectionDenied> {
        match node_id(&peer) {
            Some(node) if self.door.keeps_out(node) => {
                Err(ConnectionDenied::new(OffendedTooOften { node }))
            }
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

/// The other end is a member that offended too often of late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{node} offended too often and is kept out for a while")]
pub(crate) struct OffendedTooOften {
    node: NodeId,
}

impl NetworkBehaviour for MembershipCheck {
    type ConnectionHandler = ConnectionHandler;
    type ToSwarm = Infallible;

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

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        self.door
            .poll_crossed(cx)
            .map(|node| ToSwarm::CloseConnection {
                peer_id: peer_id(node),
                connection: CloseConnection::All,
            })
    }
}
