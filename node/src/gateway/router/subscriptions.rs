//! Updates of resources: followed at whoever has them, told to whoever wants them, and taken up again after a loss.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use peerage_protocol::id::ServerName;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::library::{locate, uri_of};
use super::{Router, own_reply};
use crate::gateway::aside::Aside;
use crate::gateway::call::{Call, CallError, Caller, Reply};
use crate::gateway::client::{Client, SUBSCRIPTIONS_PER_SESSION_MAX};
use crate::net::substream::OpenSubstream;

/// Pause before a resource is followed again whose server or node was lost.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// One item for each update of a resource; it ends when the server or the node is lost.
pub type Updates = BoxStream<'static, ()>;

impl<O: OpenSubstream> Router<O> {
    /// `resources/subscribe`: the session is told of updates until it unsubscribes or ends.
    pub(super) async fn subscribe(&self, call: Call) -> Result<Reply, CallError> {
        let uri = uri_of(&call)?;
        let Client::Session(session) = &call.client else {
            return Err(CallError::UnknownMethod {
                method: call.method.into(),
            });
        };
        let caller = call.caller.clone();
        let updates = self.follow(&caller, &uri).await?;
        let (router, told) = (self.clone(), Arc::downgrade(session));
        let followed = uri.clone();
        let task = tokio::spawn(async move {
            let (sender, mut updated) = mpsc::channel(1);
            let following = router.keep_following(caller, followed.clone(), updates, sender);
            let telling = async {
                while updated.recv().await.is_some() {
                    let Some(session) = told.upgrade() else {
                        return;
                    };
                    session.tell(Aside::notification(updated_message(&followed)));
                }
            };
            tokio::select! {
                () = following => {}
                () = telling => {}
            }
        });
        if !session.subscribe(&uri, task.abort_handle()) {
            let what = format!("{SUBSCRIPTIONS_PER_SESSION_MAX} subscriptions of this session");
            return Err(CallError::Busy { what });
        }
        Ok(own_reply(Bytes::from_static(b"{}")))
    }

    /// `resources/unsubscribe`.
    pub(super) fn unsubscribe(&self, call: &Call) -> Result<Reply, CallError> {
        let uri = uri_of(call)?;
        if let Client::Session(session) = &call.client {
            session.unsubscribe(&uri);
        }
        Ok(own_reply(Bytes::from_static(b"{}")))
    }

    /// Follows the resource `uri`, wherever it is, for a local caller.
    pub async fn follow(&self, caller: &Caller, uri: &str) -> Result<Updates, CallError> {
        if let Some(builtins) = &self.builtins
            && let Some(updates) = builtins.follow(uri, caller).await
        {
            return updates;
        }
        let catalog = self.snapshots.catalog();
        let resource = locate(&catalog, uri)?;
        let unknown = || CallError::UnknownResource {
            uri: uri.to_owned(),
        };
        let backend = self.backend_of(resource.provider).ok_or_else(unknown)?;
        backend.follow(resource.uri).await
    }

    /// Says for ever when the resource `uri` may have changed: with each update, and after each loss.
    pub async fn keep_following(
        &self,
        caller: Caller,
        uri: String,
        first: Updates,
        updated: mpsc::Sender<()>,
    ) {
        let mut updates = first;
        loop {
            while updates.next().await.is_some() {
                // One that waits stands for all that follow before it is read.
                let _ = updated.try_send(());
            }
            updates = loop {
                sleep(RETRY_AFTER).await;
                match self.follow(&caller, &uri).await {
                    Ok(updates) => break updates,
                    Err(error) => {
                        tracing::debug!(%error, "a resource cannot be followed yet");
                    }
                }
            };
            let _ = updated.try_send(());
        }
    }

    /// `subscriptions/listen` of another node, for the resources of one server: lasts until that node gives it up.
    pub(super) async fn follow_for_member(
        &self,
        server: &ServerName,
        call: Call,
    ) -> Result<Reply, CallError> {
        let uri = followed_uri(&call)?;
        let unknown = || CallError::UnknownResource { uri: uri.clone() };
        let backend = self.locals.backend(server).ok_or_else(unknown)?;
        let mut updates = backend.follow(uri.clone()).await?;
        let acknowledged =
            br#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged"}"#;
        let mut message = Bytes::from_static(acknowledged);
        loop {
            if call
                .asides
                .send(Aside::notification(message))
                .await
                .is_err()
            {
                break;
            }
            if updates.next().await.is_none() {
                break;
            }
            message = updated_message(&uri);
        }
        Ok(own_reply(Bytes::from_static(b"{}")))
    }
}

/// The one resource that another node wants to follow.
fn followed_uri(call: &Call) -> Result<String, CallError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Notifications {
        resource_subscriptions: [String; 1],
    }
    #[derive(Deserialize)]
    struct Listen {
        notifications: Notifications,
    }
    let listen: Listen = serde_json::from_slice(&call.params.to_bytes()).map_err(|error| {
        CallError::InvalidParams {
            what: format!("params of subscriptions/listen: {error}"),
        }
    })?;
    let [uri] = listen.notifications.resource_subscriptions;
    Ok(uri)
}

/// The whole `notifications/resources/updated` for `uri`.
pub fn updated_message(uri: &str) -> Bytes {
    let uri = serde_json::Value::from(uri);
    let method = "notifications/resources/updated";
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"uri":{uri}}}}}"#).into()
}
