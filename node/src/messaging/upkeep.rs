//! What messages need from time to time: a new key to be told, and what has expired to be forgotten.

use std::sync::Arc;
use std::time::Duration;

use peerage_protocol::node_state::Input;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::keyring::Keyring;
use crate::control::{ControlHandle, wall};
use crate::store::Store;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// Messages that are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: u32 = 10_000;
/// Messages that a node keeps in the clear; beyond that the oldest go.
const KEPT_MAX: u32 = 200_000;

/// Keeps the key that `control` tells of fresh, and `store` free of what has expired, until `stop`.
pub async fn keep_up(
    keyring: Arc<Keyring>,
    store: Store,
    control: ControlHandle,
    stop: CancellationToken,
) {
    let work = async {
        loop {
            if let Err(error) = keyring.renew(wall()).await {
                tracing::error!(%error, "there is no new key for messages; the old one is kept");
            }
            if let Some((key, _)) = keyring.current() {
                control.tell(Input::MessageKey { key }).await;
            }
            if let Err(error) = store.forget_messages(FORGOTTEN_AT_ONCE, KEPT_MAX).await {
                tracing::error!(%error, "expired messages are not forgotten");
            }
            sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
