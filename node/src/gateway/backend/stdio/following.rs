//! Follows resources of a child process.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::connection::Connection;
use crate::gateway::backend::followed::{ask_for, listen_params};
use crate::gateway::backend::handshake::Ask;
use crate::gateway::call::{CallError, Era};
use crate::gateway::router::subscriptions::Updates;

impl Connection {
    /// Follows the resource `uri` until the updates are dropped or the connection ends.
    pub(crate) async fn follow(self: Arc<Self>, uri: String) -> Result<Updates, CallError> {
        let lasting: BoxFuture<'static, ()> = match self.era() {
            Era::Legacy => {
                let following = Following::begin(Arc::clone(&self), uri.clone()).await?;
                async move { following.until_lost().await }.boxed()
            }
            Era::Modern => {
                let (connection, params) = (Arc::clone(&self), listen_params(&uri));
                async move {
                    let _ = connection.ask("subscriptions/listen", params).await;
                }
                .boxed()
            }
        };
        Ok(self.followed().updates(uri, lasting))
    }
}

/// One follower of a resource of a legacy child. Dropped as the last one, it takes the subscription back.
struct Following {
    connection: Arc<Connection>,
    uri: String,
}

impl Following {
    async fn begin(connection: Arc<Connection>, uri: String) -> Result<Self, CallError> {
        let first = connection.followed().enter(&uri);
        let following = Self { connection, uri };
        if first {
            let connection = &*following.connection;
            ask_for(connection, "resources/subscribe", &following.uri).await?;
        }
        Ok(following)
    }

    async fn until_lost(&self) {
        self.connection.broken().await;
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if !self.connection.followed().leave(&self.uri) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (connection, uri) = (Arc::clone(&self.connection), self.uri.clone());
            runtime.spawn(async move {
                let _ = ask_for(&*connection, "resources/unsubscribe", &uri).await;
            });
        }
    }
}
