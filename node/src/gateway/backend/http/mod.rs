//! Upstreams that are HTTP servers: MCP's streamable HTTP in both eras, over pooled connections.

mod answer;
pub mod body;
mod caller_sessions;
mod endpoint;
mod following;
mod forward;
mod greet;
mod link;
mod name_header;
pub(crate) mod param_headers;
mod requests;
mod resumption;
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
use super::handshake::Ask;
use super::translate::parking::Parking;
use super::translate::retries::with_retries;
use crate::gateway::call::{Call, CallError, Era, Reply, Replying};
use crate::gateway::router::subscriptions::Updates;
pub(crate) use endpoint::GATEWAY;
pub(crate) use link::HttpLink;
use session::{Failure, Session};

/// Passes calls on to an HTTP server, in the caller's era where it speaks that.
#[derive(Clone, Debug)]
pub(crate) struct HttpUpstream {
    desk: Arc<Desk<Session>>,
    gateway: Arc<AtomicBool>,
    parking: Arc<Parking>,
}

impl HttpUpstream {
    /// `gateway` is set by the link once it has met a Peerage node.
    pub(crate) fn new(
        desk: Arc<Desk<Session>>,
        gateway: Arc<AtomicBool>,
        parking: Arc<Parking>,
    ) -> Self {
        Self {
            desk,
            gateway,
            parking,
        }
    }

    pub(crate) fn desk(&self) -> &Desk<Session> {
        &self.desk
    }

    /// The session for `call`, where nothing has to be waited for or translated: nearly always so.
    fn session_at_once(&self, call: &Call) -> Option<Arc<Session>> {
        let session = self.desk.current()?;
        let is_for_all = session.era() == Era::Modern || !session.has_id();
        (session.era() == call.era && is_for_all).then_some(session)
    }

    async fn answer(&self, call: Call) -> Result<Reply, CallError> {
        let _entered = self.desk.enter()?;
        let primary = self.desk.session().await?;
        let session = Arc::clone(&primary).for_caller(&call).await;
        match (call.era, session.era()) {
            (Era::Legacy, Era::Modern) => {
                let server = self.desk.server().as_str();
                with_retries(call, server, |call| self.pass_on(&primary, call)).await
            }
            (Era::Modern, Era::Legacy) => {
                let upstream = self.clone();
                let start = |call| -> BoxFuture<'static, _> {
                    Box::pin(async move {
                        let _entered = upstream.desk.enter()?;
                        upstream.pass_on(&primary, call).await
                    })
                };
                self.parking.answer(call, self.desk.server(), start).await
            }
            _ => self.pass_on(&primary, call).await,
        }
    }

    async fn pass_on(&self, primary: &Arc<Session>, call: Call) -> Result<Reply, CallError> {
        let session = Arc::clone(primary).for_caller(&call).await;
        self.pass_on_in(session, call).await
    }

    /// A session that the server has forgotten is opened once more: the request certainly did not run.
    async fn pass_on_in(&self, session: Arc<Session>, mut call: Call) -> Result<Reply, CallError> {
        let token = call.params.progress_token().map(Bytes::copy_from_slice);
        match session.forward(&mut call, token.as_ref()).await {
            Ok(reply) => Ok(reply),
            Err(Failure::Call(error)) => Err(error),
            Err(Failure::Forgotten) => {
                self.desk.expire(&session);
                Box::pin(self.pass_on_once_more(call, token)).await
            }
        }
    }

    async fn pass_on_once_more(
        &self,
        mut call: Call,
        token: Option<Bytes>,
    ) -> Result<Reply, CallError> {
        let session = self.desk.session().await?.for_caller(&call).await;
        match session.forward(&mut call, token.as_ref()).await {
            Ok(reply) => Ok(reply),
            Err(Failure::Call(error)) => Err(error),
            Err(Failure::Forgotten) => Err(self.desk.down("it forgets every session at once")),
        }
    }
}

impl Backend for HttpUpstream {
    fn follow(&self, uri: String) -> BoxFuture<'_, Result<Updates, CallError>> {
        Box::pin(async move { self.desk.session().await?.follow(uri).await })
    }

    fn is_gateway(&self) -> bool {
        self.gateway.load(Ordering::Relaxed)
    }

    fn call(self: Arc<Self>, call: Call) -> Replying {
        let deadline = call.deadline;
        if let Some(session) = self.session_at_once(&call)
            && let Ok(entered) = self.desk.enter()
        {
            return Box::pin(async move {
                let _entered = entered;
                let answered = timeout_at(deadline, self.pass_on_in(session, call)).await;
                answered.unwrap_or_else(|_| Err(self.late()))
            });
        }
        Box::pin(async move {
            let answered = timeout_at(deadline, self.answer(call)).await;
            answered.unwrap_or_else(|_| Err(self.late()))
        })
    }
}

impl HttpUpstream {
    fn late(&self) -> CallError {
        CallError::DeadlineExceeded {
            target: self.desk.server().to_string(),
        }
    }
}
