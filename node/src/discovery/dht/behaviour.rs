//! The table in the swarm: follows the mesh the node belongs to, keeps what is signed, and finds who is sought.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::kad::store::{MemoryStore, RecordStore};
use libp2p::kad::{self, GetRecordOk, InboundRequest, QueryId, QueryResult, Quorum, Record};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, DialError, DialFailure, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::limits::ADDRESSES_PER_NODE_MAX;
use peerage_protocol::membership::member::Member;
use peerage_protocol::signature::Ed25519;
use tokio::time::{Instant, Sleep, sleep_until};

use super::dials::Dials;
use super::record::{self, RecordRefused};
use super::{TELL_EVERY, table};
use crate::control::wall;
use crate::net::gatekeeper::Gatekeeper;
use crate::net::peer_id::{node_id, peer_id};

/// Members that are sought at one time; one more is sought when control asks again.
const SEEKS_MAX: usize = 16;

/// Pause before the own record is told: a new link brings others with it.
const TELL_SOON: Duration = Duration::from_secs(1);

/// Pause after the own record found no keeper.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What the table has to say.
#[derive(Debug)]
pub(crate) enum Event {
    /// A member's own word on where it is.
    Found {
        /// The member.
        node: NodeId,
        /// Its addresses.
        addresses: Vec<Multiaddr>,
    },
    /// Somebody told a record that is not believed.
    Refused {
        /// About whom.
        node: NodeId,
        /// What is wrong with it.
        why: RecordRefused,
    },
}

type Table = kad::Behaviour<MemoryStore>;

/// The table of the mesh that the node belongs to; while it belongs to none, nobody is linked and it is empty.
pub(crate) struct Behaviour {
    local: PeerId,
    gatekeeper: Arc<dyn Gatekeeper>,
    mesh: Option<MeshId>,
    table: Table,
    /// Those of this mesh: a link of an earlier one speaks to another table.
    connections: HashSet<ConnectionId>,
    own: Option<Record>,
    telling: Option<QueryId>,
    /// When the own record is told next; `None` until somebody is linked.
    tell: Option<Pin<Box<Sleep>>>,
    seeks: HashMap<QueryId, NodeId>,
    dials: Dials,
}

impl Behaviour {
    pub(crate) fn new(local: PeerId, gatekeeper: Arc<dyn Gatekeeper>) -> Self {
        let nobodys = MeshId::from_public_key([0; 32]);
        Self {
            table: table(local, nobodys),
            local,
            gatekeeper,
            mesh: None,
            connections: HashSet::new(),
            own: None,
            telling: None,
            tell: None,
            seeks: HashMap::new(),
            dials: Dials::default(),
        }
    }

    /// Tells this of the node itself from now on.
    pub(crate) fn provide(&mut self, own: &Arc<Member>) {
        self.follow_mesh();
        self.own = record::record_of(own);
        if !self.connections.is_empty() {
            self.tell_at(Instant::now() + TELL_SOON);
        }
    }

    /// Looks for the record of `node`.
    pub(crate) fn seek(&mut self, node: NodeId) {
        let sought = self.seeks.values().any(|sought| *sought == node);
        if self.mesh.is_none() || sought || self.seeks.len() >= SEEKS_MAX {
            return;
        }
        let query = self.table.get_record(record::key(node));
        self.seeks.insert(query, node);
    }

    /// Begins anew where the node belongs to another mesh than before.
    fn follow_mesh(&mut self) {
        let mesh = self.gatekeeper.credentials().map(|own| own.mesh);
        let Some(mesh) = mesh.filter(|mesh| self.mesh != Some(*mesh)) else {
            return;
        };
        self.mesh = Some(mesh);
        self.table = table(self.local, mesh);
        self.connections.clear();
        self.seeks.clear();
        (self.own, self.telling, self.tell) = (None, None, None);
    }

    fn tell_at(&mut self, at: Instant) {
        self.tell = Some(Box::pin(sleep_until(at)));
    }

    fn linked(&mut self, peer: PeerId, endpoint: &ConnectedPoint) {
        if let ConnectedPoint::Dialer { address, .. } = endpoint {
            self.table.add_address(&peer, address.clone());
        }
        if let Some(node) = node_id(&peer) {
            let addresses = self.gatekeeper.addresses(node);
            self.learn_way(node, &addresses);
        }
        if self.tell.is_none() && self.telling.is_none() {
            self.tell_at(Instant::now() + TELL_SOON);
        }
    }

    /// Others may be told that `node` is there.
    fn learn_way(&mut self, node: NodeId, addresses: &[String]) {
        for address in addresses.iter().take(ADDRESSES_PER_NODE_MAX) {
            if let Ok(address) = address.parse() {
                self.table.add_address(&peer_id(node), address);
            }
        }
    }

    fn tell_own(&mut self) {
        let Some(own) = self.own.clone().filter(|_| !self.connections.is_empty()) else {
            return;
        };
        self.telling = self.table.put_record(own, Quorum::One).ok();
    }

    fn on_table_event(&mut self, event: kad::Event) -> Option<Event> {
        match event {
            kad::Event::InboundRequest {
                request:
                    InboundRequest::PutRecord {
                        record: Some(record),
                        ..
                    },
            } => self.keep(record),
            kad::Event::OutboundQueryProgressed {
                id, result, step, ..
            } => {
                let said = self.on_progress(id, result);
                if step.last {
                    self.seeks.remove(&id);
                }
                said
            }
            _ => None,
        }
    }

    fn on_progress(&mut self, id: QueryId, result: QueryResult) -> Option<Event> {
        match result {
            QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found))) => {
                let node = self.seeks.remove(&id)?;
                if let Some(mut query) = self.table.query_mut(&id) {
                    query.finish();
                }
                Some(self.found(node, &found.record))
            }
            QueryResult::PutRecord(put) if self.telling == Some(id) => {
                self.telling = None;
                let pause = put.map_or(TELL_AGAIN_AFTER, |_| TELL_EVERY);
                self.tell_at(Instant::now() + pause);
                None
            }
            _ => None,
        }
    }

    fn found(&mut self, node: NodeId, record: &Record) -> Event {
        match self.read(record) {
            Ok(member) if member.node() == node => Event::Found {
                node,
                addresses: addresses_of(&member),
            },
            Ok(_) => Event::Refused {
                node,
                why: RecordRefused::OtherNode,
            },
            Err(why) => Event::Refused { node, why },
        }
    }

    fn read(&self, record: &Record) -> Result<Arc<Member>, RecordRefused> {
        let mesh = self.mesh.ok_or(RecordRefused::OtherNode)?;
        record::read(record, mesh, wall(), &Ed25519)
    }

    /// Keeps a record that somebody tells, if it is its node's own word and the latest.
    fn keep(&mut self, told: Record) -> Option<Event> {
        let refused = |node: Option<NodeId>, why| Some(Event::Refused { node: node?, why });
        let node = record::node_of(&told.key);
        let member = match self.read(&told) {
            Ok(member) => member,
            Err(why) => return refused(node, why),
        };
        let kept = self.table.store_mut().get(&told.key);
        let kept = kept.map(|kept| kept.into_owned());
        let kept = kept.and_then(|kept| self.read(&kept).ok());
        if kept.is_some_and(|kept| kept.supersedes(&member)) {
            return refused(node, RecordRefused::Older);
        }
        let addresses = member.record().map_or(&[][..], |record| &record.addresses);
        self.learn_way(member.node(), addresses);
        if let Err(error) = self.table.store_mut().put(told) {
            tracing::debug!(?error, "a record is not kept");
        }
        None
    }

    /// Lets the table dial, or tells it that nobody was there.
    fn dial(&mut self, opts: &libp2p::swarm::dial_opts::DialOpts) -> bool {
        if self.dials.may_dial(Instant::now()) {
            return true;
        }
        let refused = DialFailure {
            peer_id: opts.get_peer_id(),
            error: &DialError::NoAddresses,
            connection_id: opts.connection_id(),
        };
        self.table.on_swarm_event(FromSwarm::DialFailure(refused));
        false
    }
}

fn addresses_of(member: &Member) -> Vec<Multiaddr> {
    let said = member
        .record()
        .into_iter()
        .flat_map(|record| &record.addresses);
    said.filter_map(|address| address.parse().ok()).collect()
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <Table as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.follow_mesh();
        self.connections.insert(connection);
        self.table
            .handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.table
            .handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.follow_mesh();
        self.connections.insert(connection);
        self.table
            .handle_established_outbound_connection(connection, peer, address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::ConnectionEstablished(up)
                if self.connections.contains(&up.connection_id) =>
            {
                let (peer, endpoint) = (up.peer_id, up.endpoint.clone());
                self.table.on_swarm_event(event);
                self.linked(peer, &endpoint);
            }
            FromSwarm::ConnectionClosed(down) if self.connections.remove(&down.connection_id) => {
                self.table.on_swarm_event(event);
            }
            FromSwarm::AddressChange(changed)
                if self.connections.contains(&changed.connection_id) =>
            {
                self.table.on_swarm_event(event);
            }
            FromSwarm::ConnectionEstablished(_)
            | FromSwarm::ConnectionClosed(_)
            | FromSwarm::AddressChange(_) => {}
            _ => self.table.on_swarm_event(event),
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        if self.connections.contains(&connection) {
            self.table
                .on_connection_handler_event(peer, connection, event);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        loop {
            if let Some(tell) = &mut self.tell
                && tell.as_mut().poll(context).is_ready()
            {
                self.tell = None;
                self.tell_own();
            }
            match self.table.poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(ToSwarm::GenerateEvent(event)) => {
                    if let Some(event) = self.on_table_event(event) {
                        return Poll::Ready(ToSwarm::GenerateEvent(event));
                    }
                }
                Poll::Ready(ToSwarm::Dial { opts }) => {
                    if self.dial(&opts) {
                        return Poll::Ready(ToSwarm::Dial { opts });
                    }
                }
                Poll::Ready(ToSwarm::NotifyHandler {
                    peer_id,
                    handler,
                    event,
                }) => {
                    return Poll::Ready(ToSwarm::NotifyHandler {
                        peer_id,
                        handler,
                        event,
                    });
                }
                // That somebody may be found somewhere is news to nobody but the table.
                Poll::Ready(_) => {}
            }
        }
    }
}
