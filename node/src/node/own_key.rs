//! The key in force when a node starts, and the end of a rotation that was begun.

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use peerage_protocol::id::NodeId;
use peerage_protocol::node_state::Record;
use peerage_protocol::signature::Signer;
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::gateway::frontend::rest::service::OwnerService;
use crate::home::Home;
use crate::keys;
use crate::store::Store;

/// The key in force.
pub(super) struct OwnKey {
    pub(super) key: SigningKey,
    /// A rotation was begun, and is to be ended.
    pub(super) rotates: bool,
}

impl OwnKey {
    /// A key whose certificate is kept is in force, whether or not its file had been put in place before a crash.
    pub(super) async fn load(home: &Home, store: &Store) -> Result<Self, StartError> {
        let key = keys::load_or_create(&home.identity_key())?;
        let Some(next) = keys::begun(home)? else {
            let rotates = false;
            return Ok(Self { key, rotates });
        };
        let records = store.records().await?;
        let subject = records.into_iter().find_map(|record| match record {
            Record::Home { chain, .. } => Some(chain.body().subject),
            _ => None,
        });
        if subject == Some(NodeId::from_public_key(next.public_key())) {
            keys::put_in_force(home)?;
            let (key, rotates) = (next, false);
            return Ok(Self { key, rotates });
        }
        if subject.is_none() {
            keys::forget_next(home)?;
        }
        let rotates = subject.is_some();
        Ok(Self { key, rotates })
    }
}

/// A rotation that was begun goes on: an admin may have put the old key out already.
pub(super) async fn end_rotation(owner: Arc<OwnerService>, stop: CancellationToken) {
    const TRY_EVERY: Duration = Duration::from_secs(5);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TRY_EVERY) => {}
        }
        match owner.rotate_key().await {
            Ok(_) => return,
            Err(refused) => {
                tracing::warn!(why = %refused.error.message, "the key's rotation is not ended yet");
            }
        }
    }
}
