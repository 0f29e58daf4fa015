//! Follows the log: opens what is sealed to this node, and tells of what has come.

use std::sync::Arc;
use std::time::Duration;

use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::log::Lane;
use peerage_protocol::log::entry::Entry;
use peerage_protocol::messaging::DirectItem;
use peerage_protocol::messaging::sealing::Binding;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::holding::Holding;
use super::keyring::Keyring;
use super::news::News;
use crate::control::{ControlHandle, Snapshots};
use crate::store::{OpenedMessage, Store, StoreError, StoredSealed};

/// How often it is looked whether those that are held may go on, where nobody reads.
const HELD_LOOK_EVERY: Duration = Duration::from_secs(10);
/// Sealed messages that are opened in one transaction.
const OPENED_AT_ONCE: usize = 64;

/// What opens messages.
pub struct Opener {
    /// This node.
    pub me: NodeId,
    /// Where they wait, and where they go.
    pub store: Store,
    /// What opens them.
    pub keyring: Arc<Keyring>,
    /// Says which mesh this is.
    pub snapshots: Arc<Snapshots>,
    /// Whom to tell.
    pub news: News,
    /// Who is told whose messages are too many.
    pub control: ControlHandle,
}

impl Opener {
    /// Opens what has waited since the last run, and then whatever comes, until `stop`.
    pub async fn run(self, applied: broadcast::Receiver<Arc<Entry>>, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.follow(applied) => {}
        }
    }

    async fn follow(&self, mut applied: broadcast::Receiver<Arc<Entry>>) {
        let mut holding = Holding::new(self.store.clone(), self.control.clone());
        let mut news = self.news.follow();
        loop {
            if let Err(error) = self.open_all(&mut holding).await {
                tracing::error!(%error, "messages cannot be opened");
            }
            let mut look = false;
            while !look {
                look = tokio::select! {
                    entry = applied.recv() => match self.heard(entry) {
                        Some(look) => look,
                        None => return,
                    },
                    // Whoever is held goes on once its messages are read, or have expired.
                    _ = news.changed(), if holding.any() => true,
                    () = sleep(HELD_LOOK_EVERY), if holding.any() => true,
                };
            }
            while let Ok(entry) = applied.try_recv() {
                self.heard(Ok(entry));
            }
        }
    }

    /// Whether an entry may hold something to open; nothing once no more will come.
    fn heard(&self, entry: Result<Arc<Entry>, RecvError>) -> Option<bool> {
        match entry.map(|entry| entry.chain().lane) {
            Ok(lane) if lane == Lane::Direct(self.me) => Some(true),
            Ok(Lane::MESSAGES) => {
                self.news.arrived();
                Some(false)
            }
            Ok(_) => Some(false),
            Err(RecvError::Lagged(_)) => {
                self.news.arrived();
                Some(true)
            }
            Err(RecvError::Closed) => None,
        }
    }

    async fn open_all(&self, holding: &mut Holding) -> Result<(), StoreError> {
        let Some(mesh) = self.snapshots.roster().map(|roster| roster.mesh) else {
            return Ok(());
        };
        loop {
            // Before, as what waits to be opened counts: a flood may come faster than it is opened.
            holding.refresh().await?;
            let waiting = self.store.sealed_messages(OPENED_AT_ONCE).await?;
            let count = waiting.len();
            if count > 0 {
                let opened = waiting.iter().map(|one| self.open(mesh, one)).collect();
                self.store.take_opened_messages(self.me, opened).await?;
                self.news.arrived();
            }
            if count < OPENED_AT_ONCE {
                return Ok(());
            }
        }
    }

    fn open(&self, mesh: MeshId, waiting: &StoredSealed) -> OpenedMessage {
        let sealed = match DirectItem::decode(&waiting.item) {
            Ok(DirectItem::Sealed(sealed)) => Some(sealed),
            Ok(DirectItem::Receipt(_)) | Err(_) => None,
        };
        let message = sealed.and_then(|sealed| {
            let binding = Binding {
                mesh,
                sender: waiting.author,
                recipient: self.me,
                number: sealed.number,
            };
            let opened = self.keyring.open(&binding, &sealed);
            opened
                .inspect_err(|error| {
                    tracing::warn!(from = %waiting.author, %error, "a message cannot be opened and is lost");
                })
                .ok()
        });
        OpenedMessage {
            place: waiting.place,
            author: waiting.author,
            message,
        }
    }
}
