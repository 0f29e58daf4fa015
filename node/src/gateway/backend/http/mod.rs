//! Upstreams that are HTTP servers: MCP's streamable HTTP in both eras, over pooled connections.

mod answer;
pub mod body;
mod endpoint;
mod forward;
mod greet;
mod link;
mod name_header;
mod param_headers;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::time::timeout_at;

use super::Backend;
use super::desk::Desk;
use crate::gateway::call::{Call, CallError, Reply};
pub(crate) use endpoint::GATEWAY;
pub(crate) use link::HttpLink;
use session::{Failure, Session};

/// Passes calls on to an HTTP server.
#[derive(Debug)]
pub(crate) struct HttpUpstream {
    desk: Arc<Desk<Session>>,
    gateway: Arc<AtomicBool>,
}

impl HttpUpstream {
    /// `gateway` is set by the link once it has met a Peerage node.
    pub(crate) fn new(desk: Arc<Desk<Session>>, gateway: Arc<AtomicBool>) -> Self {
        Self { desk, gateway }
    }

    pub(crate) fn desk(&self) -> &Desk<Session> {
        &self.desk
    }

    /// A session that the server has forgotten is opened once more: the request certainly did not run.
    async fn answer(&self, mut call: Call) -> Result<Reply, CallError> {
        let _entered = self.desk.enter()?;
        let token = call.params.progress_token().map(Bytes::copy_from_slice);
        let session = self.desk.session().await?;
        match session.forward(&mut call, token.as_ref()).await {
            Ok(reply) => return Ok(reply),
            Err(Failure::Call(error)) => return Err(error),
            Err(Failure::Forgotten) => self.desk.expire(&session),
        }
        let session = self.desk.session().await?;
        match session.forward(&mut call, token.as_ref()).await {
            Ok(reply) => Ok(reply),
            Err(Failure::Call(error)) => Err(error),
            Err(Failure::Forgotten) => Err(self.desk.down("it forgets every session at once")),
        }
    }
}

impl Backend for HttpUpstream {
    fn is_gateway(&self) -> bool {
        self.gateway.load(Ordering::Relaxed)
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, CallError>> {
        let deadline = call.deadline;
        Box::pin(async move {
            let answered = timeout_at(deadline, self.answer(call)).await;
            answered.unwrap_or_else(|_| {
                Err(CallError::DeadlineExceeded {
                    target: self.desk.server().to_string(),
                })
            })
        })
    }
}
