//! Keeps [`Links`] true: a connection is in it from its establishment to its end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::util::unreachable;
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, DialFailure, FromSwarm, ListenFailure,
    NetworkBehaviour, THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use peerage_protocol::id::NodeId;
use peerage_protocol::limits::SUBSTREAMS_OPENING_MAX;
use tokio::sync::mpsc;

use super::InboundSubstreams;
use super::handler::Handler;
use super::links::{Link, Links, Route};
use super::open_count::OpenCount;
use super::spares::Spares;
use crate::net::membership_check::NotAMember;
use crate::net::peer_id::node_id;

/// The swarm's part in calls.
pub(crate) struct Behaviour {
    links: Links,
    inbound: Arc<dyn InboundSubstreams>,
    /// Connections that another behaviour may still deny; each ends in [`Links`] or in a failure.
    promised: HashMap<ConnectionId, Link>,
}

impl Behaviour {
    pub(crate) fn new(links: Links, inbound: Arc<dyn InboundSubstreams>) -> Self {
        Self {
            links,
            inbound,
            promised: HashMap::new(),
        }
    }

    /// The connections to `node` on which no substream is open or being opened.
    pub(crate) fn idle_connections(&self, node: NodeId) -> Vec<ConnectionId> {
        self.links.idle_connections(node)
    }

    fn promise(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        let remote = node_id(&peer).ok_or_else(|| ConnectionDenied::new(NotAMember { peer }))?;
        let (opens, requests) = mpsc::channel(SUBSTREAMS_OPENING_MAX);
        let open = OpenCount::default();
        let link = Link {
            connection,
            route: Route::of(address),
            opens,
            open: open.clone(),
            spares: Spares::default(),
        };
        self.promised.insert(connection, link);
        Ok(Handler::new(remote, self.inbound.clone(), requests, open))
    }

    fn established(&mut self, peer: PeerId, connection: ConnectionId) {
        if let (Some(node), Some(link)) = (node_id(&peer), self.promised.remove(&connection)) {
            self.links.add(node, link);
        }
    }

    fn closed(&mut self, peer: PeerId, connection: ConnectionId) {
        if let Some(node) = node_id(&peer) {
            self.links.remove(node, connection);
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        self.promise(connection, peer, local)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        self.promise(connection, peer, address)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id,
                ..
            }) => self.established(peer_id, connection_id),
            FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id,
                connection_id,
                ..
            }) => self.closed(peer_id, connection_id),
            FromSwarm::DialFailure(DialFailure { connection_id, .. })
            | FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.promised.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        unreachable(event)
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
