//! Nodes inside the test's own process: real control, real store, real swarm, so that a test can plant what a real
//! binary would never write, and look at what no command shows.

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::Multiaddr;
use peerage_node::control::{
    Clock, Control, Membership, PeerNetwork, Snapshots, follow_network, wall,
};
use peerage_node::net::peer_id::keypair;
use peerage_node::net::{
    CallSubstream, GossipId, GossipVerdict, InboundSubstreams, Network, NetworkEvent,
    NetworkSettings, PublishError,
};
use peerage_node::store::Store;
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::limits::CERTIFICATE_LIFETIME;
use peerage_protocol::membership::certificate::{
    CERTIFICATE_VERSION, CertificateBody, CertificateChain, Role,
};
use peerage_protocol::membership::ticket::Ticket;
use peerage_protocol::node_state::{Keys, Record, Write};
use peerage_protocol::signature::{Ed25519, Signer};
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// QUIC over UDP.
    Quic,
    /// TCP with Noise and yamux.
    Tcp,
}

impl Transport {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Quic, Self::Tcp];

    fn listen(self) -> Multiaddr {
        let address = match self {
            Self::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
            Self::Tcp => "/ip4/127.0.0.1/tcp/0",
        };
        address.parse().expect("a multiaddress")
    }
}

/// A node without frontends.
pub struct Inside {
    /// Its key.
    pub key: SigningKey,
    /// Founding, inviting, joining.
    pub membership: Membership,
    /// What its control published.
    pub snapshots: Arc<Snapshots>,
    /// Its swarm.
    pub network: Network,
    events: broadcast::Sender<NetworkEvent>,
    _stop: tokio_util::sync::DropGuard,
    _home: TempDir,
}

struct NoSubstreams;

impl InboundSubstreams for NoSubstreams {
    fn accept(&self, _: NodeId, _: CallSubstream) {}
}

/// The swarm as control sees it, except that it answers no exchange.
struct NoExchanges(Network);

impl PeerNetwork for NoExchanges {
    fn dial(&self, node: NodeId, addresses: Vec<String>) -> BoxFuture<'_, ()> {
        PeerNetwork::dial(&self.0, node, addresses)
    }

    fn disconnect(&self, node: NodeId) -> BoxFuture<'_, ()> {
        PeerNetwork::disconnect(&self.0, node)
    }

    fn release(&self, node: NodeId) -> BoxFuture<'_, ()> {
        PeerNetwork::release(&self.0, node)
    }

    fn publish(&self, data: Vec<u8>) -> BoxFuture<'static, Result<(), PublishError>> {
        PeerNetwork::publish(&self.0, data)
    }

    fn judge(&self, id: GossipId, from: NodeId, verdict: GossipVerdict) -> BoxFuture<'_, ()> {
        PeerNetwork::judge(&self.0, id, from, verdict)
    }

    fn exchange(
        &self,
        _: NodeId,
        _: &'static str,
        _: Vec<u8>,
    ) -> BoxFuture<'static, Result<bytes::Bytes, String>> {
        async { Ok(bytes::Bytes::new()) }.boxed()
    }
}

impl Inside {
    /// A node whose key is made of `byte`, that finds `records` in its database and listens over `transport`.
    pub async fn start(byte: u8, transport: Transport, records: Vec<Record>) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let store = Store::open(&home.path().join("store.sqlite")).expect("a database");
        let writes = records.into_iter().map(Write::Put).collect();
        store.write(writes).await.expect("written");
        let key = SigningKey::from_bytes(&[byte; 32]);
        let keys = Keys {
            node: Arc::new(key.clone()),
            root: None,
            verifier: Arc::new(Ed25519),
        };
        let control = Control::load(Clock::start(), keys, store)
            .await
            .expect("control");
        let (events, received) = mpsc::channel(256);
        let settings = NetworkSettings {
            listen: vec![transport.listen()],
            ..NetworkSettings::new(keypair(&Zeroizing::new(key.to_bytes())))
        };
        let network = Network::start(
            settings,
            Arc::new(control.gate()),
            Arc::new(NoSubstreams),
            events,
        )
        .await
        .expect("a network");
        let peers: Arc<dyn PeerNetwork> = Arc::new(NoExchanges(network.clone()));
        let snapshots = control.snapshots();
        let (heard, _) = broadcast::channel(256);
        let forwarded = overhear(received, heard.clone());
        tokio::spawn(follow_network(
            forwarded,
            peers.clone(),
            control.handle(),
            snapshots.clone(),
            control.joining_dials(),
        ));
        let membership = control.membership(peers.clone());
        let stop = CancellationToken::new();
        tokio::spawn(control.run(peers, stop.clone()));
        Self {
            key,
            membership,
            snapshots,
            network,
            events: heard,
            _stop: stop.drop_guard(),
            _home: home,
        }
    }

    /// A node that founded a mesh of its own three hours ago.
    pub async fn founder(byte: u8, transport: Transport) -> Self {
        let root = SigningKey::from_bytes(&[byte + 100; 32]);
        let key = SigningKey::from_bytes(&[byte; 32]);
        let mesh = MeshId::from_public_key(root.public_key());
        let not_before = wall() - Duration::from_secs(3 * 60 * 60);
        let body = CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh,
            serial: 1,
            subject: NodeId::from_public_key(key.public_key()),
            name: "founder".parse().expect("a name"),
            role: Role::Admin,
            not_before,
            expires: not_before + CERTIFICATE_LIFETIME,
            only: Vec::new(),
            replaces: None,
        };
        let chain = Arc::new(body.sign(&root, Vec::new()));
        Self::start(byte, transport, vec![Record::Home { mesh, chain }]).await
    }

    /// This node.
    pub fn id(&self) -> NodeId {
        NodeId::from_public_key(self.key.public_key())
    }

    /// A ticket for `uses` nodes that lives for `lifetime`.
    pub async fn invite(&self, lifetime: Duration, uses: u32) -> Ticket {
        let addresses = self.network.listen_addresses();
        let addresses = addresses.iter().map(ToString::to_string).collect();
        self.membership
            .invite(lifetime, uses, Role::Member.into(), None, addresses)
            .await
            .expect("a ticket")
    }

    /// A certificate of this founder's for `subject`, as old as `age`, valid for an hour from its making.
    pub fn certify(&self, subject: NodeId, age: Duration) -> CertificateChain {
        let roster = self.snapshots.roster().expect("in a mesh");
        let not_before = wall() - age;
        let body = CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh: roster.mesh,
            serial: 77,
            subject,
            name: "planted".parse().expect("a name"),
            role: Role::Member,
            not_before,
            expires: not_before + Duration::from_secs(60 * 60),
            only: Vec::new(),
            replaces: None,
        };
        body.sign(&self.key, vec![roster.own.certificate.clone()])
    }

    /// Dials `host` as control would and waits for what comes of it.
    pub async fn dial(&self, host: &Inside) -> NetworkEvent {
        let mut events = self.events.subscribe();
        self.network
            .dial(host.id(), host.network.listen_addresses())
            .await;
        let outcome = async {
            loop {
                let event = events.recv().await.expect("events");
                let ends = matches!(
                    event,
                    NetworkEvent::LinkUp { .. } | NetworkEvent::DialFailed { .. }
                );
                if ends {
                    return event;
                }
            }
        };
        tokio::time::timeout(PATIENCE, outcome)
            .await
            .expect("a dial ends")
    }

    /// Every event from here on.
    pub fn events(&self) -> broadcast::Receiver<NetworkEvent> {
        self.events.subscribe()
    }

    /// Whether any behaviour of this node's swarm knows a connection.
    pub fn has_links(&self) -> bool {
        !self.network.links().nodes().is_empty()
            || self.snapshots.links().borrow().values().any(|l| l.up)
    }
}

/// Passes events on to control and to whoever listens in the test.
fn overhear(
    mut received: mpsc::Receiver<NetworkEvent>,
    heard: broadcast::Sender<NetworkEvent>,
) -> mpsc::Receiver<NetworkEvent> {
    let (forward, forwarded) = mpsc::channel(256);
    tokio::spawn(async move {
        while let Some(event) = received.recv().await {
            // Nobody may be listening at the moment.
            let _ = heard.send(event.clone());
            if forward.send(event).await.is_err() {
                return;
            }
        }
    });
    forwarded
}
