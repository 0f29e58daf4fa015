//! Follows resources of an HTTP server: by a subscription of the session, or by a stream of its own in the modern era.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use http::StatusCode;
use tokio::time::timeout;

use super::body::{ContentKind, EventStream};
use super::session::{Failure, Session};
use crate::gateway::backend::followed::{ask_for, listen_params};
use crate::gateway::backend::handshake::Ask;
use crate::gateway::backend::incoming::Incoming;
use crate::gateway::backend::outgoing::Outgoing;
use crate::gateway::call::{CallError, Era};
use crate::gateway::router::subscriptions::Updates;

impl Session {
    /// Follows the resource `uri` until the updates are dropped or the session ends.
    pub(super) async fn follow(self: Arc<Self>, uri: String) -> Result<Updates, CallError> {
        match self.era() {
            Era::Legacy => {
                let following = Following::begin(Arc::clone(&self), uri.clone()).await?;
                let lasting: BoxFuture<'static, ()> = async move {
                    following.session.until_over().await;
                }
                .boxed();
                Ok(self.followed.updates(uri, lasting))
            }
            Era::Modern => self.listen_for(uri).await,
        }
    }

    /// A server that opens no stream announces nothing.
    async fn listen_for(self: Arc<Self>, uri: String) -> Result<Updates, CallError> {
        let rpc = "subscriptions/listen";
        let message = Outgoing::request(self.next_id(), rpc, listen_params(&uri));
        let response = match timeout(self.reach(), self.post(message, rpc)).await {
            Ok(Ok(response)) => response,
            Ok(Err(Failure::Call(error))) => return Err(error),
            Ok(Err(Failure::Forgotten)) | Err(_) => return Ok(stream::pending().boxed()),
        };
        let offered = response.status() == StatusCode::OK
            && ContentKind::of(response.headers()) == ContentKind::Events;
        if !offered {
            return Ok(stream::pending().boxed());
        }
        let events = EventStream::new(response);
        Ok(stream::unfold(events, |mut events| async move {
            while let Ok(Some(message)) = events.next().await {
                if let Ok(Incoming::Notification { method, .. }) = Incoming::read(&message)
                    && method == "notifications/resources/updated"
                {
                    return Some(((), events));
                }
            }
            None
        })
        .boxed())
    }
}

/// One follower of a resource of a legacy session. Dropped as the last one, it takes the subscription back.
struct Following {
    session: Arc<Session>,
    uri: String,
}

impl Following {
    async fn begin(session: Arc<Session>, uri: String) -> Result<Self, CallError> {
        let first = session.followed.enter(&uri);
        let following = Self { session, uri };
        if first {
            let session = &*following.session;
            ask_for(session, "resources/subscribe", &following.uri).await?;
        }
        Ok(following)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if !self.session.followed.leave(&self.uri) || self.session.over().is_some() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (session, uri) = (Arc::clone(&self.session), self.uri.clone());
            runtime.spawn(async move {
                let _ = ask_for(&*session, "resources/unsubscribe", &uri).await;
            });
        }
    }
}
