//! What the control task does with a network that does what the test says.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures::FutureExt;
use futures::future::BoxFuture;
use peerage_protocol::catalog::manifest::ToolEntry;
use peerage_protocol::catalog::shelf::Shelf;
use peerage_protocol::catalog::snapshot::LocalServer;
use peerage_protocol::id::{Hash, NodeId};
use peerage_protocol::membership::admission::{Claim, Verdict};
use peerage_protocol::membership::certificate::{CertificateChain, Role};
use peerage_protocol::membership::member::Member;
use peerage_protocol::membership::peer_record::PeerRecord;
use peerage_protocol::membership::ticket::Transcript;
use peerage_protocol::node_state::{Input, Keys, Reply};
use peerage_protocol::signature::Ed25519;
use peerage_protocol::wire::announcement::Announcement;
use peerage_protocol::wire::summary::Summary;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::exchanges::RECONCILE;
use super::gossip::judge_gossip;
use super::*;
use crate::net::{GossipId, GossipVerdict, PublishError};
use crate::store::Store;

/// What control had the network do.
#[derive(Debug)]
enum Deed {
    Published(Announcement),
    Exchanged(NodeId, &'static str, Vec<u8>),
    Judged(GossipId, GossipVerdict),
}

/// Records what it is told; gossip reaches `listeners` or nobody, and every exchange is answered with `answer`.
struct Recorder {
    deeds: mpsc::UnboundedSender<Deed>,
    listeners: bool,
    answer: Bytes,
}

impl PeerNetwork for Recorder {
    fn dial(&self, _: NodeId, _: Vec<String>) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    fn disconnect(&self, _: NodeId) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    fn release(&self, _: NodeId) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    fn publish(&self, data: Vec<u8>) -> BoxFuture<'static, Result<(), PublishError>> {
        let announcement = Announcement::decode(&data).unwrap();
        self.deeds.send(Deed::Published(announcement)).unwrap();
        let told = self.listeners.then_some(());
        async move { told.ok_or(PublishError::NobodySubscribed) }.boxed()
    }

    fn judge(&self, id: GossipId, _: NodeId, verdict: GossipVerdict) -> BoxFuture<'_, ()> {
        self.deeds.send(Deed::Judged(id, verdict)).unwrap();
        async {}.boxed()
    }

    fn exchange(
        &self,
        node: NodeId,
        kind: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        self.deeds.send(Deed::Exchanged(node, kind, body)).unwrap();
        let answer = self.answer.clone();
        async move { Ok(answer) }.boxed()
    }
}

struct Running {
    handle: ControlHandle,
    deeds: mpsc::UnboundedReceiver<Deed>,
    network: Arc<dyn PeerNetwork>,
    snapshots: Arc<Snapshots>,
    membership: Membership,
    me: NodeId,
    _home: TempDir,
}

impl Running {
    async fn start(listeners: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("store.sqlite")).unwrap();
        let key = SigningKey::from_bytes(&[1; 32]);
        let me = NodeId::from_public_key(key.verifying_key().to_bytes());
        let keys = Keys {
            node: Arc::new(key),
            root: None,
            verifier: Arc::new(Ed25519),
        };
        let control = Control::load(Clock::start(), keys, store).await.unwrap();
        let (told, deeds) = mpsc::unbounded_channel();
        let network: Arc<dyn PeerNetwork> = Arc::new(Recorder {
            deeds: told,
            listeners,
            answer: Announcement::default().encode().into(),
        });
        let running = Self {
            handle: control.handle(),
            deeds,
            network: network.clone(),
            snapshots: control.snapshots(),
            membership: control.membership(network.clone()),
            me,
            _home: home,
        };
        tokio::spawn(control.run(network, CancellationToken::new()));
        running
    }

    /// Founds a mesh, lets one member in and says that it is linked.
    async fn link_a_member(&self) -> CertificateChain {
        let root = Arc::new(SigningKey::from_bytes(&[2; 32]));
        let name = "founder".parse().unwrap();
        self.membership.found(root, name).await.unwrap();
        let lifetime = Duration::from_secs(60);
        let ticket = self
            .membership
            .invite(lifetime, 1, Role::Member.into(), None, vec![]);
        let ticket = ticket.await.unwrap();
        let node = member();
        let transcript = Transcript {
            dialer: node,
            listener: self.me,
            dialer_nonce: [0; 32],
            listener_nonce: [0; 32],
        };
        let claim = Claim::Redeem {
            ticket: ticket.id,
            proof: ticket.secret.prove(ticket.id, &transcript),
            name: "member".parse().unwrap(),
        };
        let judged = self.handle.ask(move |request| Input::Judge {
            request,
            transcript,
            claim,
            place: String::new(),
        });
        let Reply::Verdict(Verdict::Issue { issued, .. }) = judged.await.unwrap() else {
            panic!("the member is not let in");
        };
        let address = None;
        self.handle.tell(Input::LinkUp { node, address }).await;
        (*issued).clone()
    }

    async fn share(&self, server: &str) {
        let tool = ToolEntry {
            name: "read".into(),
            definition: r#"{"name":"read"}"#.into(),
        };
        let servers = vec![LocalServer {
            name: server.parse().unwrap(),
            share: true,
            tools: vec![tool],
            shelf: Shelf::default(),
        }];
        self.handle.tell(Input::LocalServers { servers }).await;
    }

    async fn next<T>(&mut self, pick: impl Fn(Deed) -> Option<T>) -> T {
        let next = async {
            loop {
                if let Some(picked) = pick(self.deeds.recv().await.unwrap()) {
                    return picked;
                }
            }
        };
        let next = tokio::time::timeout(Duration::from_secs(20), next);
        next.await.expect("a deed in time")
    }

    /// The manifest of this node's next word about itself.
    async fn next_told(&mut self) -> Hash {
        let me = self.me;
        self.next(|deed| match deed {
            Deed::Published(told) => told
                .members
                .iter()
                .find(|member| member.node() == me)
                .map(|member| member.record().unwrap().manifest),
            _ => None,
        })
        .await
    }

    /// What becomes of a gossip message that the member passes on.
    async fn judge(&mut self, data: Vec<u8>) -> GossipVerdict {
        let id = GossipId([7; 20]);
        let (control, network) = (self.handle.clone(), self.network.clone());
        judge_gossip(control, network, id, member(), data.into()).await;
        self.next(|deed| match deed {
            Deed::Judged(judged, verdict) => (judged == id).then_some(verdict),
            _ => None,
        })
        .await
    }
}

fn member_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn member() -> NodeId {
    NodeId::from_public_key(member_key().verifying_key().to_bytes())
}

/// What the member says of itself, signed by `signer`.
fn record(chain: &CertificateChain, signer: &SigningKey) -> Vec<u8> {
    let addresses = vec!["/ip4/127.0.0.1/tcp/9".to_owned()];
    let record = PeerRecord::sign(signer, chain, 1, addresses, Hash::of(b"manifest"), false);
    let member = Member::new(Arc::new(chain.clone()), Some(record));
    let members = vec![Arc::new(member)];
    let announcement = Announcement {
        members,
        ..Announcement::default()
    };
    announcement.encode()
}

#[tokio::test]
async fn what_this_node_offers_is_gossiped_when_it_changes() {
    let mut node = Running::start(true).await;
    node.link_a_member().await;
    node.share("files").await;
    let first = node.next_told().await;
    node.share("mail").await;
    let second = node.next_told().await;
    assert_ne!(second, first);
    assert_eq!(second, node.snapshots.manifest().unwrap().hash);
}

#[tokio::test]
async fn gossip_that_reached_nobody_is_said_again() {
    let mut node = Running::start(false).await;
    node.share("files").await;
    node.link_a_member().await;
    let first = node.next_told().await;
    assert_eq!(node.next_told().await, first);
}

#[tokio::test]
async fn a_fresh_link_is_asked_what_this_node_does_not_know() {
    let mut node = Running::start(true).await;
    node.link_a_member().await;
    let (asked, summary) = node
        .next(|deed| match deed {
            Deed::Exchanged(node, RECONCILE, body) => Some((node, body)),
            _ => None,
        })
        .await;
    assert_eq!(asked, member());
    assert!(Summary::decode(&summary).is_ok());
}

#[tokio::test]
async fn news_is_passed_on_once_and_forgeries_never() {
    let mut node = Running::start(true).await;
    let chain = node.link_a_member().await;
    let forged = record(&chain, &SigningKey::from_bytes(&[4; 32]));
    assert_eq!(node.judge(forged).await, GossipVerdict::Reject);
    assert_eq!(node.judge(b"noise".to_vec()).await, GossipVerdict::Reject);
    let news = record(&chain, &member_key());
    assert_eq!(node.judge(news.clone()).await, GossipVerdict::Accept);
    assert_eq!(node.judge(news).await, GossipVerdict::Ignore);
}
