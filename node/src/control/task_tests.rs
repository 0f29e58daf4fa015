//! What the control task does with a network that answers when the test lets it.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures::FutureExt;
use futures::future::BoxFuture;
use peerage_protocol::catalog::manifest::ToolEntry;
use peerage_protocol::catalog::snapshot::LocalServer;
use peerage_protocol::id::{Hash, NodeId};
use peerage_protocol::membership::admission::{Claim, Verdict};
use peerage_protocol::membership::certificate::Role;
use peerage_protocol::membership::ticket::Transcript;
use peerage_protocol::node_state::{Input, Keys, Reply};
use peerage_protocol::signature::Ed25519;
use peerage_protocol::wire::announcement::Announcement;
use tempfile::TempDir;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::exchanges::ANNOUNCE;
use super::*;
use crate::store::Store;

/// Records announcements; each is answered once the test adds a permit.
struct SlowNetwork {
    told: mpsc::UnboundedSender<Hash>,
    answers: Arc<Semaphore>,
}

impl PeerNetwork for SlowNetwork {
    fn dial(&self, _: NodeId, _: Vec<String>) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    fn disconnect(&self, _: NodeId) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    fn exchange(
        &self,
        _: NodeId,
        kind: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        assert_eq!(kind, ANNOUNCE);
        let manifest = Announcement::decode(&body).unwrap().manifest;
        self.told.send(manifest).unwrap();
        let answers = self.answers.clone();
        async move {
            answers.acquire().await.unwrap().forget();
            Ok(Bytes::new())
        }
        .boxed()
    }
}

struct Running {
    handle: ControlHandle,
    told: Mutex<mpsc::UnboundedReceiver<Hash>>,
    answers: Arc<Semaphore>,
    snapshots: Arc<Snapshots>,
    membership: Membership,
    me: NodeId,
    _home: TempDir,
}

impl Running {
    async fn start() -> Self {
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
        let (told, hears) = mpsc::unbounded_channel();
        let answers = Arc::new(Semaphore::new(0));
        let network: Arc<dyn PeerNetwork> = Arc::new(SlowNetwork {
            told,
            answers: answers.clone(),
        });
        let running = Self {
            handle: control.handle(),
            told: Mutex::new(hears),
            answers,
            snapshots: control.snapshots(),
            membership: control.membership(network.clone()),
            me,
            _home: home,
        };
        tokio::spawn(control.run(network, CancellationToken::new()));
        running
    }

    /// Founds a mesh, lets one member in and says that it is linked.
    async fn link_a_member(&self) {
        let root = Arc::new(SigningKey::from_bytes(&[2; 32]));
        let name = "founder".parse().unwrap();
        self.membership.found(root, name).await.unwrap();
        let lifetime = std::time::Duration::from_secs(60);
        let ticket = self.membership.invite(lifetime, 1, Role::Member, vec![]);
        let ticket = ticket.await.unwrap();
        let node = NodeId::from_public_key([3; 32]);
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
        });
        let reply = judged.await.unwrap();
        assert!(matches!(reply, Reply::Verdict(Verdict::Issue { .. })));
        let address = None;
        self.handle.tell(Input::LinkUp { node, address }).await;
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
        }];
        self.handle.tell(Input::LocalServers { servers }).await;
    }

    async fn next_told(&self) -> Hash {
        self.told.lock().await.recv().await.unwrap()
    }
}

#[tokio::test]
async fn what_changes_while_a_member_is_being_told_is_told_next() {
    let node = Running::start().await;
    node.link_a_member().await;
    let first = node.next_told().await;
    let mut changes = node.snapshots.catalog_changes();
    for server in ["one", "two", "three"] {
        changes.borrow_and_update();
        node.share(server).await;
        changes.changed().await.unwrap();
    }
    node.answers.add_permits(1);
    let second = node.next_told().await;
    assert_ne!(second, first);
    let latest = node.snapshots.manifest().unwrap().hash;
    assert_eq!(second, latest, "only the latest is worth telling");
    node.answers.add_permits(1);
    node.share("four").await;
    assert_ne!(node.next_told().await, second);
}
