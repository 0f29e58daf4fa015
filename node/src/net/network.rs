//! The handle on the network: starts the swarm's task, opens substreams, dials, and stops it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use libp2p::core::transport::ListenerId;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, Swarm};
use libp2p::{Multiaddr, connection_limits, noise};
use peerage_protocol::id::{NodeId, RegionName};
use peerage_protocol::limits::{
    CONNECTIONS_PENDING_MAX, CONNECTIONS_PER_NODE_MAX, GATE_DEADLINE, SUBSTREAMS_PER_CONNECTION_MAX,
};
use peerage_protocol::membership::member::Member;
use tokio::sync::{mpsc, oneshot};

use super::calls::{self, CallSubstream, InboundSubstreams, Links, OpenError};
use super::door::Door;
use super::driver::{Behaviour, Command, Driver};
use super::event::NetworkEvent;
use super::gate::Gate;
use super::gatekeeper::Gatekeeper;
use super::gossip::{self, Counters, GossipId, GossipTraffic, GossipVerdict, PublishError};
use super::in_process::{InProcessTransport, in_process_transport};
use super::listen::ensure_free;
use super::membership_check::MembershipCheck;
use super::peer_id::node_id;
use super::pulse;
use super::quic::ConfigError;
use super::transport::{gated_transport, reason};
use super::warm_up::warm_up;
use crate::discovery::dht;

/// Commands that wait for the swarm's task.
const COMMANDS_MAX: usize = 256;

/// Time in which every listener must say where it listens.
const LISTEN_DEADLINE: Duration = Duration::from_secs(5);

/// How a node takes part in the network.
pub struct NetworkSettings {
    /// The node's identity; see [`super::peer_id::keypair`].
    pub keypair: Keypair,
    /// Whose gossip it hears; see [`peerage_protocol::region_links`].
    pub region: Option<RegionName>,
    /// Where to listen; port 0 picks one.
    pub listen: Vec<Multiaddr>,
    /// The table of links; keep a clone to open substreams without the handle.
    pub links: Links,
    /// What turns strangers away; keep a clone to say what members do wrong, and to hear who was turned away.
    pub door: Door,
    /// How long a gate handshake may take.
    pub gate_deadline: Duration,
    /// What carries `/memory/…` addresses: the only way between nodes of one process that a simulation can slow down.
    pub in_process: InProcessTransport,
}

impl NetworkSettings {
    /// A node that listens nowhere yet.
    pub fn new(keypair: Keypair) -> Self {
        Self {
            keypair,
            region: None,
            listen: Vec::new(),
            links: Links::default(),
            door: Door::default(),
            gate_deadline: GATE_DEADLINE,
            in_process: in_process_transport(),
        }
    }
}

/// A handle on the running network; cheap to clone. When the last one is dropped, the network stops.
#[derive(Clone)]
pub struct Network {
    local: NodeId,
    links: Links,
    commands: mpsc::Sender<Command>,
    listen_addresses: Arc<ArcSwap<Vec<Multiaddr>>>,
    gossip_counters: Counters,
}

impl Network {
    /// Starts the swarm's task; when this returns, the node can be dialed at [`Network::listen_addresses`].
    ///
    /// `events` should be read promptly. The swarm does not wait for it: see the outbox for what is kept.
    pub async fn start(
        settings: NetworkSettings,
        gatekeeper: Arc<dyn Gatekeeper>,
        inbound: Arc<dyn InboundSubstreams>,
        events: mpsc::Sender<NetworkEvent>,
    ) -> Result<Self, StartError> {
        let links = settings.links.clone();
        let listen = settings.listen.clone();
        let peer = settings.keypair.public().to_peer_id();
        let local = node_id(&peer).ok_or(StartError::NotEd25519)?;
        let gossip_counters = Counters::default();
        let topic = gossip::members_topic(settings.region.as_ref());
        let gossip = gossip::behaviour(gossip_counters.clone(), &topic)
            .map_err(|why| StartError::Gossip { why })?;
        let calls = calls::Behaviour::new(links.clone(), inbound);
        let mut swarm = build_swarm(settings, local, &gatekeeper, calls, gossip)?;
        let starting = listen_on(&mut swarm, &listen)?;
        let listen_addresses = Arc::new(ArcSwap::default());
        let (commands, requests) = mpsc::channel(COMMANDS_MAX);
        let mut driver = Driver::new(
            swarm,
            gatekeeper,
            requests,
            events,
            listen_addresses.clone(),
            starting,
            (topic, gossip_counters.clone()),
        );
        tokio::time::timeout(LISTEN_DEADLINE, driver.until_listening())
            .await
            .map_err(|_| StartError::NotListening)?;
        tokio::spawn(driver.run());
        warm_up();
        Ok(Self {
            local,
            links,
            commands,
            listen_addresses,
            gossip_counters,
        })
    }

    /// This node.
    pub fn local(&self) -> NodeId {
        self.local
    }

    /// The links that stand, and the way to open substreams without this handle.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Opens a substream to `node`; see [`Links::open`].
    pub async fn open(&self, node: NodeId) -> Result<CallSubstream, OpenError> {
        self.links.open(node).await
    }

    /// Asks for a link to `node` at one of `addresses`, or for the errand that the gatekeeper's purpose names.
    ///
    /// Ends when the swarm has taken the request: the outcome is an event, and none comes when a link stands already.
    pub async fn dial(&self, node: NodeId, addresses: Vec<Multiaddr>) {
        self.command(Command::Dial { node, addresses }).await;
    }

    /// Closes every connection to `node`; [`NetworkEvent::LinkDown`] follows if there was one.
    pub async fn disconnect(&self, node: NodeId) {
        self.command(Command::Disconnect { node }).await;
    }

    /// Closes the connections to `node` on which no substream of a call or an exchange is open or being opened here;
    /// [`NetworkEvent::LinkDown`] follows if none is left.
    pub async fn release(&self, node: NodeId) {
        self.command(Command::Release { node }).await;
    }

    /// Tells every member that listens, at most [`peerage_protocol::limits::GOSSIP_BYTES_MAX`] bytes. That it went out
    /// does not say that it arrived.
    pub async fn publish(&self, data: Vec<u8>) -> Result<(), PublishError> {
        let (done, outcome) = oneshot::channel();
        self.command(Command::Publish { data, done }).await;
        outcome.await.unwrap_or(Err(PublishError::Stopped))
    }

    /// Tells the mesh's table where this node is; members keep it for half an hour, and it is told again in time.
    pub async fn provide(&self, own: Arc<Member>) {
        self.command(Command::Provide { own }).await;
    }

    /// Asks the mesh's table where a member is; what is found is a [`NetworkEvent::Sighted`].
    pub async fn seek(&self, node: NodeId) {
        self.command(Command::Seek { node }).await;
    }

    /// Says what becomes of a [`NetworkEvent::Gossip`]. The first verdict counts, if it comes within seven seconds.
    pub async fn judge(&self, id: GossipId, from: NodeId, verdict: GossipVerdict) {
        self.command(Command::Judge { id, from, verdict }).await;
    }

    /// What gossip brought so far.
    pub fn gossip_traffic(&self) -> GossipTraffic {
        self.gossip_counters.traffic()
    }

    /// Where this node listens, each interface by its own address.
    pub fn listen_addresses(&self) -> Vec<Multiaddr> {
        self.listen_addresses.load().to_vec()
    }

    /// Closes all links and stops, within three seconds. A QUIC port stays taken while its connections drain, for less
    /// than a second more.
    pub async fn shutdown(&self) {
        let (done, stopped) = oneshot::channel();
        self.command(Command::ShutDown { done }).await;
        // An error says that it had stopped before.
        let _ = stopped.await;
    }

    async fn command(&self, command: Command) {
        if self.commands.send(command).await.is_err() {
            tracing::debug!("the network has stopped");
        }
    }
}

/// Begins to listen at every one of `addresses`; nobody else may.
fn listen_on(
    swarm: &mut Swarm<Behaviour>,
    addresses: &[Multiaddr],
) -> Result<HashSet<ListenerId>, StartError> {
    let mut starting = HashSet::new();
    for address in addresses {
        let refused = |why: String| StartError::Listen {
            address: address.clone(),
            why,
        };
        ensure_free(address).map_err(|error| refused(error.to_string()))?;
        let listener = swarm.listen_on(address.clone());
        starting.insert(listener.map_err(|error| refused(reason(&error)))?);
    }
    Ok(starting)
}

fn build_swarm(
    settings: NetworkSettings,
    local: NodeId,
    gatekeeper: &Arc<dyn Gatekeeper>,
    calls: calls::Behaviour,
    gossip: gossip::Behaviour,
) -> Result<Swarm<Behaviour>, StartError> {
    let (door, deadline) = (settings.door, settings.gate_deadline);
    let gate = Gate::new(local, gatekeeper.clone(), door.clone(), deadline);
    let transport = gated_transport(&settings.keypair, settings.in_process, gate, door.clone())?;
    let peer = settings.keypair.public().to_peer_id();
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(2 * CONNECTIONS_PENDING_MAX))
        .with_max_pending_outgoing(Some(CONNECTIONS_PENDING_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_NODE_MAX));
    let behaviour = Behaviour {
        membership: MembershipCheck::new(gatekeeper.clone(), door),
        limits: connection_limits::Behaviour::new(limits),
        calls,
        pulse: pulse::Behaviour::default(),
        gossip,
        dht: dht::Behaviour::new(peer, gatekeeper.clone()),
    };
    let config = Config::with_tokio_executor()
        .with_smart_dial()
        .with_substream_upgrade_protocol_override(Version::V1Lazy)
        .with_max_negotiating_inbound_streams(SUBSTREAMS_PER_CONNECTION_MAX as usize);
    Ok(Swarm::new(transport, behaviour, peer, config))
}

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The identity is not Ed25519.
    #[error("the node's key is not Ed25519; only such keys name nodes")]
    NotEd25519,
    /// The key cannot make a secure channel.
    #[error("no secure channels can be made with the node's key: {0}")]
    Noise(noise::Error),
    /// QUIC cannot be set up.
    #[error(transparent)]
    Quic(ConfigError),
    /// Gossip cannot be set up.
    #[error("gossip cannot be set up: {why}")]
    Gossip {
        /// What is wrong.
        why: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {why}; free it or choose another with --listen")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// What the operating system says.
        why: String,
    },
    /// The listeners said nothing in time.
    #[error("the listeners did not come up within {LISTEN_DEADLINE:?}")]
    NotListening,
}
