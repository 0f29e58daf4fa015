//! Upstreams that are child processes: MCP over standard input and output, one JSON message a line.

mod child;
mod connection;
mod handshake;
mod instances;
mod lines;
mod link;
mod outbox;
mod pending;
mod stderr;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::time::timeout_at;

use super::Backend;
use super::desk::Desk;
use crate::gateway::call::{Call, CallError, Reply};
use connection::Connection;
pub(crate) use instances::{Instances, Program};
pub(crate) use link::StdioLink;

/// Passes calls on to a child process.
#[derive(Debug)]
pub(crate) struct StdioUpstream {
    desk: Arc<Desk<Connection>>,
}

impl StdioUpstream {
    pub(crate) fn new(desk: Arc<Desk<Connection>>) -> Self {
        Self { desk }
    }

    pub(crate) fn desk(&self) -> &Desk<Connection> {
        &self.desk
    }

    async fn answer(&self, call: Call) -> Result<Reply, CallError> {
        let _entered = self.desk.enter()?;
        self.desk.session().await?.call(call).await
    }
}

impl Backend for StdioUpstream {
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
