//! The resources of one upstream that somebody follows: who is first and last to, and what is heard of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::greeting::own_params;
use super::handshake::Ask;
use super::rpc_error::{METHOD_NOT_FOUND, RpcError};
use crate::gateway::call::{CallError, Era, ReplyBody};
use crate::gateway::router::subscriptions::Updates;

/// Updates that a follower may be behind; one that is further behind is told that something may have changed.
const UPDATES_KEPT: usize = 256;
/// The notification of an update.
const UPDATED: &str = "notifications/resources/updated";

/// Followed resources by URI, and their updates.
#[derive(Debug)]
pub(crate) struct Followed {
    updated: broadcast::Sender<Arc<str>>,
    followers: Mutex<HashMap<String, usize>>,
}

impl Default for Followed {
    fn default() -> Self {
        Self {
            updated: broadcast::Sender::new(UPDATES_KEPT),
            followers: Mutex::default(),
        }
    }
}

impl Followed {
    /// Takes in a notification; whether it was of an update at all.
    pub(crate) fn take_in(&self, method: &str, message: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Params {
            uri: String,
        }
        #[derive(Deserialize)]
        struct Message {
            params: Params,
        }
        if method != UPDATED {
            return false;
        }
        if let Ok(message) = serde_json::from_slice::<Message>(message) {
            // Nobody may be following.
            let _ = self.updated.send(message.params.uri.into());
        }
        true
    }

    /// The updates of `uri` from here on, while `lasting` lasts.
    pub(crate) fn updates(&self, uri: String, lasting: BoxFuture<'static, ()>) -> Updates {
        let heard = self.updated.subscribe();
        let next = |(mut heard, mut lasting, uri): (
            broadcast::Receiver<Arc<str>>,
            BoxFuture<'static, ()>,
            String,
        )| async move {
            loop {
                let update = tokio::select! {
                    biased;
                    update = heard.recv() => update,
                    () = &mut lasting => return None,
                };
                match update {
                    Ok(updated) if *updated != *uri => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return Some(((), (heard, lasting, uri))),
                    Err(RecvError::Closed) => return None,
                }
            }
        };
        stream::unfold((heard, lasting, uri), next).boxed()
    }

    /// One more follows `uri`; whether it is the first.
    pub(crate) fn enter(&self, uri: &str) -> bool {
        let mut followers = self.lock();
        let count = followers.entry(uri.to_owned()).or_default();
        *count += 1;
        *count == 1
    }

    /// One less follows `uri`; whether it was the last.
    pub(crate) fn leave(&self, uri: &str) -> bool {
        let mut followers = self.lock();
        match followers.get_mut(uri) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            _ => followers.remove(uri).is_some(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The params of `subscriptions/listen` for one resource.
pub(crate) fn listen_params(uri: &str) -> Bytes {
    let wanted = json!({"resourceSubscriptions": [uri]});
    own_params(Era::Modern, &format!(r#""notifications":{wanted}"#))
}

/// Asks a legacy upstream to announce updates of `uri`, or not to any more. One that does not know how announces none.
pub(crate) async fn ask_for(
    upstream: &impl Ask,
    method: &'static str,
    uri: &str,
) -> Result<(), CallError> {
    let params = json!({ "uri": uri }).to_string();
    match upstream.ask(method, params.into()).await? {
        ReplyBody::Result(_) => Ok(()),
        ReplyBody::Error(raw) => match RpcError::read(&raw) {
            error if error.code == METHOD_NOT_FOUND => Ok(()),
            error => Err(CallError::InvalidParams {
                what: error.message,
            }),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_follower_hears_of_its_own_resource_until_the_session_ends() {
        let followed = Followed::default();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let lasting = ended.map(|_| ()).boxed();
        let mut updates = followed.updates("a:1".to_owned(), lasting);
        for uri in ["a:2", "a:1"] {
            let message = json!({"params": {"uri": uri}}).to_string();
            assert!(followed.take_in(UPDATED, message.as_bytes()));
        }
        assert_eq!(updates.next().await, Some(()));
        assert!(updates.next().now_or_never().is_none(), "one update only");
        drop(end);
        assert_eq!(updates.next().await, None);
    }

    #[test]
    fn the_first_and_the_last_follower_are_told_apart() {
        let followed = Followed::default();
        assert!(followed.enter("a"));
        assert!(!followed.enter("a"));
        assert!(!followed.leave("a"));
        assert!(followed.leave("a"));
        assert!(!followed.leave("a"));
    }
}
