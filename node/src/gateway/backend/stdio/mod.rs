//! Upstreams that are child processes: MCP over standard input and output, one JSON message a line.

mod child;
mod connection;
mod following;
mod handshake;
mod instances;
mod lines;
mod link;
mod outbox;
mod pending;
mod requests;
mod stderr;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::time::timeout_at;

use super::Backend;
use super::desk::{Desk, Entered};
use super::handshake::Ask;
use super::translate::parking::Parking;
use super::translate::retries::with_retries;
use crate::gateway::call::{Call, CallError, Era, Reply, Replying};
use crate::gateway::router::subscriptions::Updates;
use connection::Connection;
pub(crate) use instances::{Instances, Program};
pub(crate) use link::StdioLink;

/// Passes calls on to a child process. One that speaks both eras is started once for each era that callers use.
#[derive(Clone, Debug)]
pub(crate) struct StdioUpstream {
    desk: Arc<Desk<Connection>>,
    /// The same program, spoken with in the legacy era; started by the first call that needs it.
    legacy: Arc<Desk<Connection>>,
    parking: Arc<Parking>,
}

impl StdioUpstream {
    pub(crate) fn new(
        desk: Arc<Desk<Connection>>,
        legacy: Arc<Desk<Connection>>,
        parking: Arc<Parking>,
    ) -> Self {
        Self {
            desk,
            legacy,
            parking,
        }
    }

    pub(crate) fn desk(&self) -> &Desk<Connection> {
        &self.desk
    }

    /// Requests of the running processes that were refused because they could have meant several callers.
    pub(crate) fn ambiguous(&self) -> u64 {
        let running = [self.desk.current(), self.legacy.current()];
        running
            .iter()
            .flatten()
            .map(|process| process.ambiguous())
            .sum()
    }

    /// A process that need not be waited for and speaks the caller's era: nearly always there, and then little has to be
    /// kept while it answers.
    fn enter_at_once(&self, era: Era) -> Option<(Entered<Connection>, Arc<Connection>)> {
        let entered = self.desk.enter().ok()?;
        let connection = self.desk.current()?;
        (connection.era() == era).then_some((entered, connection))
    }

    async fn answer(&self, call: Call) -> Result<Reply, CallError> {
        let _entered = self.desk.enter()?;
        let connection = self.desk.session().await?;
        match (call.era, connection.era()) {
            (Era::Legacy, Era::Modern) => self.answer_legacy(call, connection).await,
            (Era::Modern, Era::Legacy) => {
                let server = self.desk.server();
                self.parking
                    .answer(call, server, |call| self.run(call, connection))
                    .await
            }
            _ => connection.call(call).await,
        }
    }

    /// In its own era where the program speaks it, else by translation.
    async fn answer_legacy(&self, call: Call, modern: Arc<Connection>) -> Result<Reply, CallError> {
        let entered = self.legacy.enter()?;
        if let Ok(connection) = self.legacy.session().await {
            return connection.call(call).await;
        }
        drop(entered);
        let server = self.desk.server().as_str();
        with_retries(call, server, |call| Arc::clone(&modern).call(call)).await
    }

    /// A call that may be parked: it keeps what it needs.
    fn run(&self, call: Call, connection: Arc<Connection>) -> Replying {
        let desk = Arc::clone(&self.desk);
        Box::pin(async move {
            let _entered = desk.enter()?;
            connection.call(call).await
        })
    }
}

impl Backend for StdioUpstream {
    fn follow(&self, uri: String) -> BoxFuture<'_, Result<Updates, CallError>> {
        Box::pin(async move { self.desk.session().await?.follow(uri).await })
    }

    fn call(self: Arc<Self>, call: Call) -> Replying {
        let deadline = call.deadline;
        if let Some((entered, connection)) = self.enter_at_once(call.era) {
            let answered = timeout_at(deadline, connection.call(call));
            return Box::pin(async move {
                let _entered = entered;
                answered.await.unwrap_or_else(|_| Err(self.late()))
            });
        }
        Box::pin(async move {
            let answered = timeout_at(deadline, self.answer(call)).await;
            answered.unwrap_or_else(|_| Err(self.late()))
        })
    }
}

impl StdioUpstream {
    fn late(&self) -> CallError {
        CallError::DeadlineExceeded {
            target: self.desk.server().to_string(),
        }
    }
}
