//! A mesh in memory: real certificates, a gatekeeper that keeps them in a table, and nodes on loopback.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use futures::future::BoxFuture;
use libp2p::Multiaddr;
use peerage_node::net::gatekeeper::{Claim, Credentials, Gatekeeper, Purpose, Refusal, Verdict};
use peerage_node::net::peer_id::keypair;
use peerage_node::net::{
    CallSubstream, InboundSubstreams, Network, NetworkEvent, NetworkSettings, StartError,
};
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::membership::certificate::{
    CERTIFICATE_VERSION, CertificateBody, CertificateChain, Role, Validity,
};
use peerage_protocol::membership::join_request::RequestWords;
use peerage_protocol::membership::revocation::Revocation;
use peerage_protocol::membership::ticket::{TicketId, TicketSecret, Transcript};
use peerage_protocol::signature::Ed25519;
use peerage_protocol::time::Timestamp;
use tokio::sync::{mpsc, watch};

/// The wall clock of every gatekeeper here.
pub const NOW: Timestamp = Timestamp(1_000_000_000);

/// Nothing here takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Quic,
    Tcp,
    /// Channels within this process.
    Memory,
}

impl Via {
    pub fn listen(self) -> Multiaddr {
        let text = match self {
            Via::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
            Via::Tcp => "/ip4/127.0.0.1/tcp/0",
            Via::Memory => "/memory/0",
        };
        text.parse().unwrap()
    }
}

/// Defines each test once for each transport.
#[macro_export]
macro_rules! over_quic_and_tcp {
    ($($(#[$doc:meta])* async fn $name:ident($via:ident: Via) $body:block)+) => {
        $(
            mod $name {
                #[allow(unused_imports)]
                use super::*;

                $(#[$doc])*
                async fn behaviour($via: Via) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn over_quic() {
                    behaviour(Via::Quic).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn over_tcp() {
                    behaviour(Via::Tcp).await;
                }
            }
        )+
    };
}

/// Defines each test once over channels within this process and once over TCP.
#[macro_export]
macro_rules! over_memory_and_tcp {
    ($($(#[$doc:meta])* async fn $name:ident($via:ident: Via) $body:block)+) => {
        $(
            mod $name {
                use super::*;

                $(#[$doc])*
                async fn behaviour($via: Via) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn over_memory() {
                    behaviour(Via::Memory).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn over_tcp() {
                    behaviour(Via::Tcp).await;
                }
            }
        )+
    };
}

/// A root that signs.
#[derive(Clone)]
pub struct Mesh {
    pub root: SigningKey,
}

impl Mesh {
    pub fn new(seed: u8) -> Self {
        Self {
            root: SigningKey::from_bytes(&[seed; 32]),
        }
    }

    pub fn id(&self) -> MeshId {
        MeshId::from_public_key(self.root.verifying_key().to_bytes())
    }

    pub fn certify(&self, subject: NodeId, expires: Timestamp) -> Arc<CertificateChain> {
        let body = CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh: self.id(),
            serial: 1,
            subject,
            name: "node".parse().unwrap(),
            role: Role::Member,
            not_before: Timestamp(0),
            expires,
            only: Vec::new(),
            replaces: None,
        };
        Arc::new(body.sign(&self.root, Vec::new()))
    }

    pub fn valid(&self, subject: NodeId) -> Credentials {
        Credentials {
            mesh: self.id(),
            chain: self.certify(subject, NOW + Duration::from_secs(3_600)),
            revocations: 0,
        }
    }

    pub fn expired(&self, subject: NodeId) -> Credentials {
        Credentials {
            mesh: self.id(),
            chain: self.certify(subject, NOW - Duration::from_secs(3_600)),
            revocations: 0,
        }
    }
}

pub fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub fn id(seed: u8) -> NodeId {
    NodeId::from_public_key(secret(seed).verifying_key().to_bytes())
}

/// A gatekeeper that remembers in memory.
pub struct Doorkeeper {
    pub credentials: Mutex<Option<Credentials>>,
    pub purpose: Mutex<Purpose>,
    pub members: Mutex<HashSet<NodeId>>,
    /// Passes the gate, and is no member when the swarm asks again.
    pub revoked: Mutex<HashSet<NodeId>>,
    pub tickets: Mutex<HashMap<TicketId, TicketSecret>>,
    /// Where members say that they listen.
    pub ways: Mutex<HashMap<NodeId, Vec<String>>>,
    /// Signs when it is an issuer.
    pub mesh: Option<Mesh>,
    pub refusals: Mutex<Vec<Refusal>>,
    pub judged: Mutex<usize>,
    /// How often the swarm was told that somebody who passed the gate is no member.
    pub denied: watch::Sender<usize>,
}

impl Doorkeeper {
    pub fn new(credentials: Option<Credentials>) -> Self {
        Self {
            credentials: Mutex::new(credentials),
            purpose: Mutex::new(Purpose::Member),
            members: Mutex::default(),
            revoked: Mutex::default(),
            tickets: Mutex::default(),
            ways: Mutex::default(),
            mesh: None,
            refusals: Mutex::default(),
            judged: Mutex::default(),
            denied: watch::Sender::new(0),
        }
    }

    /// Ends once the swarm was told that somebody is no member.
    pub async fn denied(&self) {
        let mut denied = self.denied.subscribe();
        let denied = denied.wait_for(|denied| *denied > 0);
        tokio::time::timeout(PATIENCE, denied)
            .await
            .expect("somebody is denied")
            .unwrap();
    }

    fn enrol(&self, chain: &CertificateChain) -> Result<(), Refusal> {
        let mesh = self.credentials().ok_or(Refusal::NoMesh)?.mesh;
        chain
            .verify(mesh, &Ed25519)
            .map_err(|error| Refusal::Certificate {
                why: error.to_string(),
            })?;
        if chain.validity(NOW) != Validity::Valid {
            return Err(Refusal::Expired);
        }
        self.members.lock().unwrap().insert(chain.body().subject);
        Ok(())
    }

    fn verdict(&self, transcript: &Transcript, claim: &Claim) -> Result<Verdict, (Refusal, bool)> {
        *self.judged.lock().unwrap() += 1;
        let own = self.credentials().unwrap().chain;
        match claim {
            Claim::Member { chain, .. } => {
                self.enrol(chain).map_err(|refusal| (refusal, false))?;
                Ok(Verdict::Admit {
                    own,
                    revocations: Vec::new(),
                })
            }
            Claim::Renew { chain } => {
                let mesh = self.mesh.as_ref().ok_or((Refusal::NotAnIssuer, false))?;
                chain
                    .verify(mesh.id(), &Ed25519)
                    .map_err(|_| (Refusal::Expired, false))?;
                let issued = mesh.valid(transcript.dialer).chain;
                Ok(Verdict::Issue { own, issued })
            }
            Claim::Redeem { ticket, proof, .. } => {
                let mesh = self.mesh.as_ref().ok_or((Refusal::NotAnIssuer, false))?;
                let mut tickets = self.tickets.lock().unwrap();
                let secret = tickets.get(ticket).ok_or((Refusal::UnknownTicket, false))?;
                if !secret.check(*ticket, transcript, proof) {
                    return Err((Refusal::UnknownTicket, false));
                }
                if *ticket == USED {
                    return Err((Refusal::TicketUsed, true));
                }
                tickets.remove(ticket);
                let issued = mesh.valid(transcript.dialer).chain;
                Ok(Verdict::Issue { own, issued })
            }
            Claim::Ask { .. } | Claim::Collect | Claim::Rotate { .. } => {
                Err((Refusal::Unspoken, false))
            }
        }
    }
}

/// A ticket every gatekeeper here takes for used.
pub const USED: TicketId = TicketId([0xee; 16]);

impl Gatekeeper for Doorkeeper {
    fn credentials(&self) -> Option<Credentials> {
        self.credentials.lock().unwrap().clone()
    }

    fn purpose(&self, _: NodeId) -> Purpose {
        self.purpose.lock().unwrap().clone()
    }

    fn judge(&self, transcript: Transcript, claim: Claim, _: String) -> BoxFuture<'_, Verdict> {
        let verdict = self.verdict(&transcript, &claim);
        let verdict = verdict.unwrap_or_else(|(reason, tell)| Verdict::Refuse { reason, tell });
        Box::pin(std::future::ready(verdict))
    }

    fn admitted(
        &self,
        _: NodeId,
        theirs: CertificateChain,
        _: Vec<Arc<Revocation>>,
    ) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(std::future::ready(self.enrol(&theirs)))
    }

    fn issued(
        &self,
        _: NodeId,
        _: CertificateChain,
        issued: CertificateChain,
    ) -> BoxFuture<'_, Result<(), Refusal>> {
        *self.credentials.lock().unwrap() = Some(Credentials {
            mesh: issued.body().mesh,
            chain: Arc::new(issued),
            revocations: 0,
        });
        *self.purpose.lock().unwrap() = Purpose::Member;
        Box::pin(std::future::ready(Ok(())))
    }

    fn asked(&self, _: NodeId, _: RequestWords) {}

    fn refused(&self, _: NodeId, refusal: Refusal) {
        self.refusals.lock().unwrap().push(refusal);
    }

    fn addresses(&self, node: NodeId) -> Vec<String> {
        let ways = self.ways.lock().unwrap();
        ways.get(&node).cloned().unwrap_or_default()
    }

    fn is_member(&self, node: NodeId) -> bool {
        let revoked = self.revoked.lock().unwrap().contains(&node);
        let member = !revoked && self.members.lock().unwrap().contains(&node);
        if !member {
            self.denied.send_modify(|denied| *denied += 1);
        }
        member
    }
}

struct Inbox(mpsc::UnboundedSender<(NodeId, CallSubstream)>);

impl InboundSubstreams for Inbox {
    fn accept(&self, from: NodeId, substream: CallSubstream) {
        let _ = self.0.send((from, substream));
    }
}

/// A running node with all that reaches it.
pub struct Node {
    pub id: NodeId,
    pub network: Network,
    pub keeper: Arc<Doorkeeper>,
    pub events: mpsc::Receiver<NetworkEvent>,
    pub substreams: mpsc::UnboundedReceiver<(NodeId, CallSubstream)>,
}

impl Node {
    pub async fn start(seed: u8, listen: Vec<Multiaddr>, keeper: Doorkeeper) -> Self {
        let mut settings = NetworkSettings::new(keypair(&secret(seed).to_bytes().into()));
        settings.listen = listen;
        settings.gate_deadline = Duration::from_secs(3);
        Self::start_with(seed, settings, keeper).await
    }

    pub async fn start_with(seed: u8, settings: NetworkSettings, keeper: Doorkeeper) -> Self {
        let keeper = Arc::new(keeper);
        let (events_out, events) = mpsc::channel(64);
        let (substreams_out, substreams) = mpsc::unbounded_channel();
        let inbox = Arc::new(Inbox(substreams_out));
        let network = Network::start(settings, keeper.clone(), inbox, events_out)
            .await
            .unwrap();
        Self {
            id: id(seed),
            network,
            keeper,
            events,
            substreams,
        }
    }

    /// Whether a node with these settings starts; it stops at once.
    pub async fn try_start(settings: NetworkSettings) -> Result<(), StartError> {
        let (events, _) = mpsc::channel(1);
        let inbox = Arc::new(Inbox(mpsc::unbounded_channel().0));
        let keeper = Arc::new(Doorkeeper::new(None));
        Network::start(settings, keeper, inbox, events)
            .await
            .map(drop)
    }

    pub async fn member(mesh: &Mesh, seed: u8, via: Via) -> Self {
        let keeper = Doorkeeper::new(Some(mesh.valid(id(seed))));
        Self::start(seed, vec![via.listen()], keeper).await
    }

    pub async fn dial(&self, other: &Node) {
        let addresses = other.network.listen_addresses();
        assert!(!addresses.is_empty());
        self.network.dial(other.id, addresses).await;
    }

    /// The first event that `pick` takes.
    pub async fn event<T>(&mut self, pick: impl Fn(NetworkEvent) -> Option<T>) -> T {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the network runs");
                if let Some(picked) = pick(event) {
                    return picked;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .expect("an event")
    }

    pub async fn link_up(&mut self) -> NodeId {
        self.event(|event| match event {
            NetworkEvent::LinkUp { node, .. } => Some(node),
            _ => None,
        })
        .await
    }

    /// Stops the node and asserts that it never had a link.
    pub async fn never_had_a_link(mut self) {
        assert_eq!(self.network.links().nodes(), []);
        self.network.shutdown().await;
        while let Some(event) = self.events.recv().await {
            assert!(!matches!(event, NetworkEvent::LinkUp { .. }), "{event:?}");
        }
    }
}

/// Two members with a link, seen at both ends.
pub async fn linked(via: Via) -> (Node, Node) {
    let mesh = Mesh::new(100);
    let mut a = Node::member(&mesh, 1, via).await;
    let mut b = Node::member(&mesh, 2, via).await;
    a.dial(&b).await;
    assert_eq!(a.link_up().await, b.id);
    assert_eq!(b.link_up().await, a.id);
    (a, b)
}
