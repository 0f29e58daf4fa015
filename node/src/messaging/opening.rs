//! Follows the log: opens what is sealed to this node, and tells of what has come.

use std::sync::Arc;

use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::log::Lane;
use peerage_protocol::log::entry::Entry;
use peerage_protocol::messaging::DirectItem;
use peerage_protocol::messaging::sealing::Binding;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::keyring::Keyring;
use super::news::News;
use crate::control::Snapshots;
use crate::store::{OpenedMessage, Store, StoreError, StoredSealed};

/// Sealed messages that are opened in one transaction.
const OPENED_AT_ONCE: usize = 256;

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
        loop {
            if let Err(error) = self.open_all().await {
                tracing::error!(%error, "messages cannot be opened");
            }
            let mut sealed = false;
            while !sealed {
                match applied.recv().await {
                    Ok(entry) if entry.chain().lane == Lane::Direct(self.me) => sealed = true,
                    Ok(entry) if entry.chain().lane == Lane::MESSAGES => self.news.arrived(),
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => {
                        self.news.arrived();
                        sealed = true;
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        }
    }

    async fn open_all(&self) -> Result<(), StoreError> {
        let Some(mesh) = self.snapshots.roster().map(|roster| roster.mesh) else {
            return Ok(());
        };
        loop {
            let waiting = self.store.sealed_messages(OPENED_AT_ONCE).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let opened = waiting.iter().map(|one| self.open(mesh, one)).collect();
            self.store.take_opened_messages(self.me, opened).await?;
            self.news.arrived();
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
