//! `call`, `mcp`, `connect`, `import`, `token`: how agents and their clients come to the tools.

use std::time::Duration;

use clap::{Args, Subcommand};
use peerage_protocol::id::AgentName;

use super::duration;
use super::pair::{ArgumentsObject, Pair};
use crate::clients::KnownClient;

/// Call a tool.
#[derive(Debug, Args)]
pub struct Call {
    /// The tool
    pub name: String,
    /// Arguments; a value that is JSON is taken as JSON, any other as text
    #[arg(value_name = "K=V", conflicts_with = "args")]
    pub pairs: Vec<Pair>,
    /// All arguments as one JSON object
    #[arg(long, value_name = "JSON")]
    pub args: Option<ArgumentsObject>,
    /// How long to wait
    #[arg(long, default_value = "60s", value_parser = duration::timeout)]
    pub timeout: Duration,
}

/// Speak MCP over standard input and output.
#[derive(Debug, Args)]
pub struct Mcp {
    /// The agent that calls: 1 to 20 of a-z, 0-9 and - [default: what the client calls itself]
    #[arg(long = "as", value_name = "NAME")]
    pub agent: Option<AgentName>,
    /// Do not start the node when none runs
    #[arg(long)]
    pub no_start: bool,
}

/// Change a client's configuration.
#[derive(Debug, Args)]
pub struct Connect {
    /// The client; without one, all that are known are listed
    #[arg(value_enum)]
    pub client: Option<KnownClient>,
    /// Write the change instead of showing it; the file as it was is kept beside it
    #[arg(long, requires = "client")]
    pub write: bool,
    /// In the configuration of the project in the current folder, not the user's
    #[arg(long)]
    pub project: bool,
    /// The agent that calls: 1 to 20 of a-z, 0-9 and - [default: the client's name]
    #[arg(long = "as", value_name = "NAME")]
    pub agent: Option<AgentName>,
}

impl Connect {
    /// `connect CLIENT --write`.
    pub fn written(client: KnownClient) -> Self {
        Self {
            client: Some(client),
            write: true,
            project: false,
            agent: None,
        }
    }
}

/// Take over servers of other clients.
#[derive(Debug, Args)]
pub struct Import {
    /// The client; all that are known, without one
    #[arg(value_enum)]
    pub client: Option<KnownClient>,
    /// Add them to mcp.json instead of showing them
    #[arg(long)]
    pub write: bool,
    /// From the configuration of the project in the current folder, not the user's
    #[arg(long)]
    pub project: bool,
}

/// Manage the tokens of local agents.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token; it is shown once
    Create {
        /// What the agent is called: 1 to 20 of a-z, 0-9 and -
        name: AgentName,
    },
    /// List the agents that have one
    List,
    /// Make a token worthless
    Revoke {
        /// The agent
        name: AgentName,
    },
}
