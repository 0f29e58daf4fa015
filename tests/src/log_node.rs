//! Nodes inside the test's own process that keep a log: control, exchanges, store and swarm as they are shipped, on a
//! home that outlives them, so that a test can stop them in peace or not, and put an old database in place.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures::FutureExt;
use futures::future::BoxFuture;
use peerage_node::control::{
    Clock, Control, ControlHandle, MemberExchanges, Membership, PeerNetwork, Snapshots, Soundings,
    follow_network,
};
use peerage_node::gateway::call::{Call, CallError, Reply as CallReply};
use peerage_node::gateway::frontend::admission::Admission;
use peerage_node::gateway::frontend::members::MemberSubstreams;
use peerage_node::gateway::frontend::peer::{CallService, PeerFrontend};
use peerage_node::net::peer_id::keypair;
use peerage_node::net::{Network, NetworkSettings};
use peerage_node::store::Store;
use peerage_protocol::id::{NodeId, ServerName};
use peerage_protocol::log::chain_id::ChainId;
use peerage_protocol::log::entry::Entry;
use peerage_protocol::log::{AppendError, Appended, Lane};
use peerage_protocol::membership::certificate::Role;
use peerage_protocol::membership::ticket::Ticket;
use peerage_protocol::node_state::{Input, Keys, Reply};
use peerage_protocol::signature::{Ed25519, Signer};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::wait::wait_until;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running node.
pub struct LogNode {
    /// Who it is.
    pub id: NodeId,
    /// Its database.
    pub store: Store,
    /// What its control published.
    pub snapshots: Arc<Snapshots>,
    membership: Membership,
    handle: ControlHandle,
    network: Network,
    stop: CancellationToken,
    control: JoinHandle<()>,
}

impl LogNode {
    /// Starts a node whose key is made of `byte`, on the database in `home`.
    pub async fn start(home: &Path, byte: u8) -> Self {
        let store = Store::open(&database(home)).expect("a database");
        let key = SigningKey::from_bytes(&[byte; 32]);
        let root = home.join("founder").exists();
        let root = root.then(|| Arc::new(root_key()) as Arc<dyn Signer>);
        let keys = Keys {
            node: Arc::new(key.clone()),
            root,
            verifier: Arc::new(Ed25519),
        };
        let clock = Clock::start();
        let control = Control::load(clock, keys, store.clone());
        let control = control.await.expect("control");
        let (snapshots, handle) = (control.snapshots(), control.handle());
        let (events, received) = mpsc::channel(1_024);
        let listen = "/ip4/127.0.0.1/udp/0/quic-v1".parse();
        let settings = NetworkSettings {
            listen: vec![listen.expect("a multiaddress")],
            ..NetworkSettings::new(keypair(&Zeroizing::new(key.to_bytes())))
        };
        let id = NodeId::from_public_key(key.public_key());
        let soundings = Arc::new(Soundings::new(clock));
        let exchanges =
            MemberExchanges::new(handle.clone(), snapshots.clone(), soundings, store.clone());
        let frontend = PeerFrontend::new(
            id,
            Arc::new(Admission::default()),
            Arc::new(NoCalls),
            Arc::new(exchanges),
            settings.door.clone(),
        );
        let inbound = Arc::new(MemberSubstreams::new(frontend, snapshots.clone()));
        let gate = Arc::new(control.gate());
        let network = Network::start(settings, gate, inbound, events).await;
        let network = network.expect("a network");
        let peers: Arc<dyn PeerNetwork> = Arc::new(network.clone());
        let joining = control.joining_dials();
        let followed = (peers.clone(), handle.clone(), snapshots.clone());
        tokio::spawn(follow_network(
            received, followed.0, followed.1, followed.2, joining,
        ));
        let membership = control.membership(peers.clone());
        let stop = CancellationToken::new();
        let running = control.run(peers, stop.clone());
        let control = tokio::spawn(async move { running.await.expect("control goes on") });
        Self {
            id,
            store,
            snapshots,
            membership,
            handle,
            network,
            stop,
            control,
        }
    }

    /// Starts a node that founds a mesh.
    pub async fn found(home: &Path, byte: u8) -> Self {
        std::fs::write(home.join("founder"), "").expect("a file");
        let node = Self::start(home, byte).await;
        let name = "founder".parse().expect("a name");
        let founded = node.membership.found(Arc::new(root_key()), name).await;
        founded.expect("a mesh");
        node
    }

    /// Has `other` join this node's mesh, and waits for the link.
    pub async fn admit(&self, other: &Self, name: &str) {
        let addresses = self.addresses();
        let ticket = self
            .membership
            .invite(PATIENCE, 1, Role::Member.into(), None, addresses);
        let ticket = ticket.await.expect("a ticket");
        let name = name.parse().expect("a name");
        other.membership.join(ticket, name).await.expect("joined");
        self.linked_with(other).await;
    }

    /// Joins the mesh of a node that runs as a process, with the text of a ticket.
    pub async fn join(&self, ticket: &str, name: &str) {
        let ticket = Ticket::from_text(ticket).expect("a ticket");
        let name = name.parse().expect("a name");
        let joined = self.membership.join(ticket, name).await;
        joined.expect("joined");
    }

    /// Waits for the link to `other`.
    pub async fn linked_with(&self, other: &Self) {
        wait_until("a link", PATIENCE, async || {
            let links = self.snapshots.links().borrow().clone();
            links.get(&other.id).filter(|link| link.up).map(|_| ())
        })
        .await;
    }

    /// Says to this node where `other` is.
    pub async fn sight(&self, other: &Self) {
        let sighted = Input::Sighted {
            node: other.id,
            addresses: other.addresses(),
            source: peerage_protocol::address_book::Source::Member,
        };
        self.handle.tell(sighted).await;
    }

    fn addresses(&self) -> Vec<String> {
        let addresses = self.network.listen_addresses();
        addresses.iter().map(ToString::to_string).collect()
    }

    /// Puts items into its log.
    ///
    /// # Errors
    ///
    /// Why they are not taken.
    pub async fn append(&self, lane: Lane, items: Vec<Bytes>) -> Result<Appended, AppendError> {
        let asked = self.handle.ask(move |request| Input::Append {
            request,
            lane,
            items,
        });
        match asked.await {
            Ok(Reply::Appended(appended)) => appended,
            Ok(other) => panic!("not an answer: {other:?}"),
            Err(_) => Err(AppendError::NotOpen),
        }
    }

    /// Entries that are on disk from here on.
    pub fn applied(&self) -> broadcast::Receiver<Arc<Entry>> {
        self.snapshots.applied()
    }

    /// Every place of its log on disk, with the hash there.
    pub async fn places(&self) -> Vec<(ChainId, u64, [u8; 32])> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.log_page(after, 4_096).await.expect("a page");
            let Some((chain, last)) = page.last() else {
                all.sort_unstable();
                return all;
            };
            after = Some((*chain, last.sequence));
            let places = page
                .iter()
                .map(|(_, kept)| (kept.chain, kept.sequence, kept.hash));
            all.extend(places);
        }
    }

    /// How many entries it has on disk.
    pub async fn count(&self) -> usize {
        self.store.log_size().await.expect("a count").0
    }

    /// How many bytes they take.
    pub async fn bytes(&self) -> u64 {
        self.store.log_size().await.expect("a count").1
    }

    /// Lets its database grow by a few pages only, as on a disk that is nearly full.
    pub async fn limit_database(&self) {
        self.store.limit_growth(64).await.expect("limited");
    }

    /// Whether its control ends, because it cannot write.
    pub async fn has_ended(self) -> bool {
        let ended = tokio::time::timeout(PATIENCE, self.control).await;
        // It ends by a panic here, as its error is not expected.
        matches!(ended, Ok(Err(_)))
    }

    /// Stops in peace.
    pub async fn stop(self) {
        let stopping = self.handle.ask(|request| Input::Stopping { request });
        stopping.await.expect("it stops");
        self.end().await;
    }

    /// Stops as if it were killed: nothing is said or written any more.
    pub async fn kill(self) {
        self.end().await;
    }

    async fn end(self) {
        self.stop.cancel();
        self.network.shutdown().await;
        self.control.await.expect("control ended well");
    }
}

/// Where a node on `home` keeps its database.
pub fn database(home: &Path) -> PathBuf {
    home.join("peerage.db")
}

fn root_key() -> SigningKey {
    SigningKey::from_bytes(&[200; 32])
}

/// Nobody here has a tool.
struct NoCalls;

impl CallService for NoCalls {
    fn call(&self, server: ServerName, _: Call) -> BoxFuture<'_, Result<CallReply, CallError>> {
        let name = server.to_string();
        async move { Err(CallError::UnknownTool { name }) }.boxed()
    }
}
