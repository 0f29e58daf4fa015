//! A whole node: starts its parts in order and stops them in the opposite one.

use serde::{Deserialize, Serialize};

use crate::config::servers_error::ServersFileError;
use crate::config::settings::Settings;
use crate::home::HomeError;

/// A running node.
#[derive(Debug)]
pub struct Node {
    ready: Ready,
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
    pub async fn start(_settings: Settings) -> Result<Self, StartError> {
        Err(StartError::Incomplete)
    }

    /// Where it answers.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Takes no new calls, lets those under way end, then stops every part.
    pub async fn stop(self) {}
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The home cannot be used, or another node holds it.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// `mcp.json` is wrong.
    #[error(transparent)]
    Servers(#[from] ServersFileError),
    /// This version has no running parts yet.
    #[error("this build cannot run a node; use a later one")]
    Incomplete,
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
