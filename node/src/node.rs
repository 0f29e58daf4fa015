//! A whole node: starts its parts in order and stops them in the opposite one.

mod addresses;
mod discovery_parts;
mod foundation;
mod gateway_parts;
mod http_listeners;
mod mesh_parts;
mod message_parts;
mod own_key;
mod parts;
mod registry;
mod start_error;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use start_error::StartError;

use crate::config::settings::Settings;
use crate::control::{ControlError, Membership};
use crate::gateway::backend::supervisor::Upstreams;
use crate::home::HomeLock;
use crate::net::Network;

/// How long calls under way may take to end once the node stops.
const DRAIN_WITHIN: Duration = Duration::from_millis(1_500);

/// Events of the network, and of the upstreams, that wait for control.
const EVENTS_WAITING_MAX: usize = 1_024;

/// A running node.
pub struct Node {
    ready: Ready,
    stop: CancellationToken,
    frontends: Vec<JoinHandle<()>>,
    registry: Option<JoinHandle<()>>,
    control: JoinHandle<Result<(), ControlError>>,
    membership: Membership,
    upstreams: Upstreams,
    network: Network,
    restart: Arc<Notify>,
    _lock: HomeLock,
}

/// What `up --json` prints as its first line once the node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "ready")]
pub struct Ready {
    /// The URL of the MCP endpoint.
    pub http: String,
    /// The node's id.
    pub node: String,
    /// Its name.
    pub name: String,
    /// The mesh it belongs to.
    pub mesh: Option<String>,
    /// The multiaddresses at which its swarm listens.
    pub listen: Vec<String>,
}

impl Node {
    /// Takes the home, then starts everything; when it returns, the endpoint answers.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        parts::start(settings).await
    }

    /// Where it answers.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Ends when the node can no longer keep its promises, and says why; never while all is well.
    pub async fn failure(&mut self) -> String {
        match (&mut self.control).await {
            Ok(Ok(())) => "the control task has ended".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => format!("the control task broke: {error}"),
        }
    }

    /// Ends when the node is to be stopped and started again with the same settings, because its key is another.
    pub fn wants_restart(&self) -> impl Future<Output = ()> + 'static {
        let restart = self.restart.clone();
        async move { restart.notified().await }
    }

    /// Takes no new calls, lets those under way end for a moment, then stops every part; within five seconds.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for frontend in self.frontends.drain(..) {
            if tokio::time::timeout(DRAIN_WITHIN, frontend).await.is_err() {
                tracing::warn!("a frontend did not drain in time");
            }
        }
        if let Some(registry) = self.registry.take() {
            // It bounds its own last exchange; what it leaves there expires.
            let _ = tokio::time::timeout(DRAIN_WITHIN, registry).await;
        }
        // Said last, for it ends the links.
        self.membership.stopping().await;
        tokio::join!(self.upstreams.stop(), self.network.shutdown());
        self.control.abort();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_ready_line_reads_as_the_contract_says() {
        let ready = Ready {
            http: "http://127.0.0.1:8080/mcp".to_owned(),
            node: "12D3KooX".to_owned(),
            name: "desk".to_owned(),
            mesh: None,
            listen: vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
        };
        assert_eq!(
            serde_json::to_string(&ready).unwrap(),
            r#"{"event":"ready","http":"http://127.0.0.1:8080/mcp","node":"12D3KooX","name":"desk","mesh":null,"listen":["/ip4/127.0.0.1/tcp/1"]}"#
        );
    }
}
