//! The one task that owns the swarm. It never waits for anybody else: what control does not take waits in the outbox.

mod commands;
mod gossip;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::StreamExt;
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::gossipsub::IdentTopic;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionError, ConnectionId, DialError, NetworkBehaviour, Swarm, SwarmEvent,
};
use libp2p::{Multiaddr, PeerId, connection_limits};
use peerage_protocol::address_book::Source;
use peerage_protocol::id::NodeId;
use tokio::sync::mpsc::{self, OwnedPermit, error::SendError};
use tokio::sync::oneshot;

pub(super) use commands::Command;

use super::calls;
use super::dial_failure::{dial_failure, failed_addresses, unanswered};
use super::door::{Buckets, Rate};
use super::event::{LinkEnd, NetworkEvent};
use super::gatekeeper::Gatekeeper;
use super::gossip::{Awaited, Counters};
use super::membership_check::MembershipCheck;
use super::outbox::Outbox;
use super::peer_id::{node_id, without_node};
use super::pulse;
use crate::discovery::dht;

/// How long closing all links may take at shutdown.
const SHUTDOWN_MAX: Duration = Duration::from_secs(2);

/// Gossip messages, new ones, that are taken from one member.
const GOSSIP_OF_ONE_MEMBER: Rate = Rate {
    burst: 2_048,
    refill: Duration::from_millis(4),
};

/// What the swarm is made of. The first two deny, so they must stay first.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) membership: MembershipCheck,
    pub(super) limits: connection_limits::Behaviour,
    pub(super) calls: calls::Behaviour,
    pub(super) pulse: pulse::Behaviour,
    pub(super) gossip: super::gossip::Behaviour,
    pub(super) dht: dht::Behaviour,
}

/// The swarm with its surroundings.
pub(super) struct Driver {
    swarm: Swarm<Behaviour>,
    gatekeeper: Arc<dyn Gatekeeper>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<NetworkEvent>,
    outbox: Outbox,
    listen_addresses: Arc<ArcSwap<Vec<Multiaddr>>>,
    /// Listeners that have not said where they listen.
    starting: HashSet<ListenerId>,
    awaited: Awaited,
    topic: IdentTopic,
    gossip_counters: Counters,
    gossip_rates: Buckets<NodeId>,
    /// Why connections that are closing are closed; each leaves when it is.
    closing: HashMap<ConnectionId, LinkEnd>,
    leaving: Option<oneshot::Sender<()>>,
}

impl Driver {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        gatekeeper: Arc<dyn Gatekeeper>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<NetworkEvent>,
        listen_addresses: Arc<ArcSwap<Vec<Multiaddr>>>,
        starting: HashSet<ListenerId>,
        (topic, gossip_counters): (IdentTopic, Counters),
    ) -> Self {
        Self {
            swarm,
            gatekeeper,
            commands,
            events,
            outbox: Outbox::default(),
            listen_addresses,
            starting,
            awaited: Awaited::default(),
            topic,
            gossip_counters,
            gossip_rates: Buckets::new(GOSSIP_OF_ONE_MEMBER),
            closing: HashMap::new(),
            leaving: None,
        }
    }

    /// Works until every listener has said where it listens.
    pub(super) async fn until_listening(&mut self) {
        while !self.starting.is_empty() {
            let event = self.swarm.select_next_some().await;
            self.on_swarm_event(event);
        }
    }

    /// Works until it is asked to stop, or nobody holds a handle any more.
    pub(super) async fn run(mut self) {
        let mut running = true;
        while running {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = self.commands.recv() => running = self.on_command(command),
                room = self.events.clone().reserve_owned(), if !self.outbox.is_empty() => self.deliver(room),
            }
        }
        self.close().await;
    }

    /// Hands one event over; when nobody listens any more, events are of no use.
    fn deliver(&mut self, room: Result<OwnedPermit<NetworkEvent>, SendError<()>>) {
        let Some(event) = self.outbox.pop() else {
            return;
        };
        if let Ok(room) = room {
            room.send(event);
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                endpoint,
                num_established,
                concurrent_dial_errors,
                ..
            } => {
                let unanswered = unanswered(&concurrent_dial_errors.unwrap_or_default());
                self.on_failed_addresses(peer_id, unanswered);
                if num_established.get() == 1 {
                    self.on_link_up(peer_id, &endpoint);
                }
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                num_established,
                cause,
                ..
            } => self.on_closed(peer_id, connection_id, num_established, cause),
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                error,
                ..
            } => {
                self.on_failed_addresses(peer, failed_addresses(&error));
                if let Some(node) = node_id(&peer) {
                    self.on_dial_error(node, &error);
                }
            }
            SwarmEvent::IncomingConnectionError {
                send_back_addr,
                error,
                ..
            } => tracing::debug!(from = %send_back_addr, %error, "an inbound connection failed"),
            SwarmEvent::NewListenAddr { listener_id, .. } => {
                self.starting.remove(&listener_id);
                self.on_listen_addresses();
            }
            SwarmEvent::ListenerClosed {
                listener_id,
                reason,
                ..
            } => {
                tracing::warn!(?reason, "a listener closed");
                self.starting.remove(&listener_id);
                self.on_listen_addresses();
            }
            SwarmEvent::ExpiredListenAddr { .. } => self.on_listen_addresses(),
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "a listener failed"),
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Pulse(pulse::DeclaredDead { connection }) => {
                self.closing.insert(connection, LinkEnd::Silent);
            }
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Dht(dht::Event::Found { node, addresses }) => {
                let source = Source::Dht;
                self.outbox.push(NetworkEvent::Sighted {
                    node,
                    addresses,
                    source,
                });
            }
            BehaviourEvent::Dht(dht::Event::Refused { node, why }) => {
                self.outbox.push(NetworkEvent::RecordRefused { node, why });
            }
        }
    }

    fn on_link_up(&mut self, peer: PeerId, endpoint: &ConnectedPoint) {
        let Some(node) = node_id(&peer) else { return };
        self.outbox.push(NetworkEvent::LinkUp {
            node,
            address: without_node(endpoint.get_remote_address().clone()),
            dialed: endpoint.is_dialer(),
        });
    }

    fn on_closed(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        remaining: u32,
        cause: Option<ConnectionError>,
    ) {
        let noted = self.closing.remove(&connection);
        let Some(node) = node_id(&peer).filter(|_| remaining == 0) else {
            return;
        };
        let why = noted.unwrap_or_else(|| match cause {
            Some(cause) => LinkEnd::Broken {
                why: cause.to_string(),
            },
            None => LinkEnd::ClosedHere,
        });
        self.outbox.push(NetworkEvent::LinkDown { node, why });
    }

    fn on_failed_addresses(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        if let Some(node) = node_id(&peer).filter(|_| !addresses.is_empty()) {
            self.outbox
                .push(NetworkEvent::AddressesFailed { node, addresses });
        }
    }

    fn on_dial_error(&mut self, node: NodeId, error: &DialError) {
        let Some(why) = dial_failure(error) else {
            return;
        };
        self.outbox.push(NetworkEvent::DialFailed { node, why });
    }

    fn on_listen_addresses(&mut self) {
        let addresses: Vec<_> = self
            .swarm
            .listeners()
            .filter(|a| is_specific(a))
            .cloned()
            .collect();
        self.listen_addresses.store(Arc::new(addresses.clone()));
        self.outbox.push(NetworkEvent::ListenAddresses(addresses));
    }

    /// Tells every member that this node goes, and waits for that a little.
    async fn close(mut self) {
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let all_closed = async {
            while self.swarm.network_info().num_peers() > 0 {
                let event = self.swarm.select_next_some().await;
                self.on_swarm_event(event);
            }
        };
        if tokio::time::timeout(SHUTDOWN_MAX, all_closed)
            .await
            .is_err()
        {
            tracing::debug!("some links did not close in time");
        }
        while let Some(event) = self.outbox.pop() {
            // Control may have stopped listening by now.
            let _ = self.events.try_send(event);
        }
        let done = self.leaving.take();
        drop(self);
        if let Some(done) = done {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
    }
}

/// Whether somebody else could make something of it.
fn is_specific(address: &Multiaddr) -> bool {
    !address.iter().any(|part| match part {
        Protocol::Ip4(ip) => ip.is_unspecified(),
        Protocol::Ip6(ip) => ip.is_unspecified(),
        _ => false,
    })
}
