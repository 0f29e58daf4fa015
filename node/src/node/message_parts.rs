//! The parts of a node that carry messages: loaded before the gateway, started once control runs.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::control::{ControlHandle, Snapshots, wall};
use crate::gateway::directory::Directory;
use crate::messaging::{Keyring, Messaging, News, Opener, keep_up};
use crate::store::Store;

/// What carries messages, before it runs.
pub(super) struct MessageParts {
    /// For the gateway.
    pub(super) messaging: Arc<Messaging>,
    opener: Opener,
    keyring: Arc<Keyring>,
    control: ControlHandle,
}

impl MessageParts {
    pub(super) async fn load(
        store: Store,
        control: ControlHandle,
        snapshots: Arc<Snapshots>,
        directory: &Directory,
    ) -> Result<Self, StartError> {
        let news = News::default();
        let keyring = Arc::new(Keyring::load(store.clone(), wall()).await?);
        let messaging = Messaging::load(
            store.clone(),
            control.clone(),
            directory.clone(),
            news.clone(),
        );
        Ok(Self {
            messaging: Arc::new(messaging.await?),
            opener: Opener {
                me: directory.me(),
                store,
                keyring: keyring.clone(),
                snapshots,
                news,
                control: control.clone(),
            },
            keyring,
            control,
        })
    }

    /// Runs until `stop`.
    pub(super) fn start(self, stop: &CancellationToken) {
        let store = self.opener.store.clone();
        let applied = self.opener.snapshots.applied();
        tokio::spawn(self.opener.run(applied, stop.clone()));
        tokio::spawn(keep_up(self.keyring, store, self.control, stop.clone()));
    }
}
