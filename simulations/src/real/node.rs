//! One real node without frontends: control, store and swarm as they are shipped.

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use futures::FutureExt;
use futures::future::BoxFuture;
use peerage_node::control::{
    Clock, Control, ControlError, ControlHandle, LinksOnDemand, MemberExchanges, Membership,
    PeerNetwork, Snapshots, Soundings, follow_network,
};
use peerage_node::gateway::call::{Call, CallError, Reply};
use peerage_node::gateway::frontend::admission::Admission;
use peerage_node::gateway::frontend::members::MemberSubstreams;
use peerage_node::gateway::frontend::peer::{CallService, PeerFrontend};
use peerage_node::net::peer_id::keypair;
use peerage_node::net::substream::{ExchangeError, exchange};
use peerage_node::net::{Network, NetworkSettings, StartError};
use peerage_node::store::{Store, StoreError};
use peerage_protocol::catalog::manifest::ToolEntry;
use peerage_protocol::catalog::shelf::Shelf;
use peerage_protocol::catalog::snapshot::{LocalServer, Lookup};
use peerage_protocol::id::{NodeId, NodeName, ServerName};
use peerage_protocol::node_state::{Input, Keys};
use peerage_protocol::signature::Ed25519;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use zeroize::Zeroizing;

use super::channels::Channels;

/// Events of the network that wait for control, as in a node of its own.
const EVENTS_WAITING_MAX: usize = 1_024;

/// A question that no node knows: the refusal comes from as far as an answer would.
const NO_QUESTION: &str = "simulations/none";

/// How long it may take to ask another node, a link to it included.
const REACHED_WITHIN: Duration = Duration::from_secs(20);

/// A running node; it ends when this is dropped.
pub(super) struct RealNode {
    pub(super) id: NodeId,
    pub(super) name: NodeName,
    pub(super) membership: Membership,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) network: Network,
    opener: LinksOnDemand,
    control: ControlHandle,
    address: String,
    _stop: DropGuard,
    _home: TempDir,
}

impl RealNode {
    /// Starts the node with this number; its key is made of the number and the seed.
    pub(super) async fn start(number: u32, channels: Channels) -> Result<Self, NodeError> {
        let home = tempfile::tempdir().map_err(NodeError::Home)?;
        let store = Store::open(&home.path().join("store.sqlite"))?;
        let key = key(number, channels.seed);
        let keys = Keys {
            node: Arc::new(key.clone()),
            root: None,
            verifier: Arc::new(Ed25519),
        };
        let clock = Clock::start();
        let control = Control::load(clock, keys, store.clone()).await?;
        let (snapshots, handle) = (control.snapshots(), control.handle());
        let (events, received) = mpsc::channel(EVENTS_WAITING_MAX);
        let settings = NetworkSettings {
            listen: vec![channels.address(number)],
            in_process: channels.transport(number),
            ..NetworkSettings::new(keypair(&Zeroizing::new(key.to_bytes())))
        };
        let id = NodeId::from_public_key(key.verifying_key().to_bytes());
        let exchanges = MemberExchanges::new(
            handle.clone(),
            snapshots.clone(),
            Arc::new(Soundings::new(clock)),
            store.clone(),
        );
        let frontend = PeerFrontend::new(
            id,
            Arc::new(Admission::default()),
            Arc::new(NoCalls),
            Arc::new(exchanges),
            settings.door.clone(),
        );
        let inbound = Arc::new(MemberSubstreams::new(frontend, snapshots.clone()));
        let gate = Arc::new(control.gate());
        let network = Network::start(settings, gate, inbound, events).await?;
        let peers: Arc<dyn PeerNetwork> = Arc::new(network.clone());
        tokio::spawn(follow_network(
            received,
            peers.clone(),
            handle.clone(),
            snapshots.clone(),
            control.joining_dials(),
        ));
        let membership = control.membership(peers.clone());
        let stop = CancellationToken::new();
        tokio::spawn(control.run(peers, stop.clone()));
        Ok(Self {
            id,
            name: name(number)?,
            membership,
            opener: LinksOnDemand::new(network.links().clone(), handle.clone(), snapshots.clone()),
            snapshots,
            network,
            control: handle,
            address: channels.address(number).to_string(),
            _stop: stop.drop_guard(),
            _home: home,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Has it tell everybody something new of itself that nobody need ask more about: where it listens, once or
    /// twice over.
    pub(super) async fn tell_addresses(&self, twice: bool) {
        let addresses = vec![self.address.clone(); if twice { 2 } else { 1 }];
        self.control.tell(Input::Listening { addresses }).await;
    }

    /// Has it share one server with one tool, whose definition names the edition.
    pub(super) async fn share(&self, edition: u32) {
        let tool = ToolEntry {
            name: "read".into(),
            definition: definition(edition).into(),
        };
        let Ok(name) = "files".parse() else { return };
        let servers = vec![LocalServer {
            name,
            share: true,
            tools: vec![tool],
            shelf: Shelf::default(),
        }];
        self.control.tell(Input::LocalServers { servers }).await;
    }

    /// Asks `other` something, over a link that is made for it where none stands; whether it answered.
    pub(super) async fn reaches(&self, other: NodeId) -> bool {
        let asked = exchange(&self.opener, other, NO_QUESTION, Vec::new(), REACHED_WITHIN).await;
        matches!(asked, Ok(_) | Err(ExchangeError::Refused(_)))
    }

    /// Whether this node has `other` in its roster.
    pub(super) fn lists(&self, other: NodeId) -> bool {
        let roster = self.snapshots.roster();
        roster.is_some_and(|roster| roster.member(other).is_some())
    }

    /// How many addresses this node knows `other` to have told.
    pub(super) fn told_addresses(&self, other: NodeId) -> Option<usize> {
        let roster = self.snapshots.roster()?;
        Some(roster.known(other)?.record()?.addresses.len())
    }

    /// Whether this node's catalog shows the tool of `other` in this edition.
    pub(super) fn shows(&self, other: &Self, edition: u32) -> bool {
        let catalog = self.snapshots.catalog();
        let name = format!("{}__files__read", other.name);
        match catalog.lookup(&name) {
            Lookup::Found(entry) => *entry.definition == *definition(edition),
            Lookup::Ambiguous(_) | Lookup::Unknown => false,
        }
    }
}

/// The members are here for their membership: none has a tool that can be called.
struct NoCalls;

impl CallService for NoCalls {
    fn call(&self, server: ServerName, _: Call) -> BoxFuture<'_, Result<Reply, CallError>> {
        let name = server.to_string();
        async move { Err(CallError::UnknownTool { name }) }.boxed()
    }
}

fn definition(edition: u32) -> String {
    format!(r#"{{"name":"read","description":"edition {edition}"}}"#)
}

fn name(number: u32) -> Result<NodeName, NodeError> {
    let name = format!("node-{number}");
    name.parse().map_err(|_| NodeError::Name { name })
}

fn key(number: u32, seed: u64) -> SigningKey {
    let mut hasher = blake3::Hasher::new_derive_key("peerage-simulations real node key");
    hasher.update(&seed.to_be_bytes());
    hasher.update(&number.to_be_bytes());
    SigningKey::from_bytes(hasher.finalize().as_bytes())
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It has no folder.
    #[error("no folder for a node could be made: {0}")]
    Home(std::io::Error),
    /// Its number makes no name.
    #[error("{name} is no name for a node")]
    Name {
        /// The name.
        name: String,
    },
    /// Its store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its control.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Its network.
    #[error(transparent)]
    Network(#[from] StartError),
}
