//! Why a client has no answer.

use std::path::PathBuf;
use std::time::Duration;

use peerage_node::home::HomeError;
use peerage_protocol::id::{AgentName, NameError};

use crate::failure::Failure;

/// Why a client has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The node on this home cannot be asked; nothing was sent.
    #[error("{0}")]
    Node(Failure),
    /// The node speaks no HTTP.
    #[error("the node has no HTTP endpoint; see its [http] settings in peerage.toml")]
    NoEndpoint,
    /// The endpoint is not a URL of HTTP.
    #[error("{url:?} is not a URL that begins with http:// or https://")]
    Url {
        /// As it was given.
        url: String,
    },
    /// The token cannot stand in a header.
    #[error("the token holds characters that HTTP does not allow in a header")]
    Token,
    /// The home cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The kept token of an agent cannot be read or written.
    #[error("the token of {agent} in {}: {source}", path.display())]
    TokenFile {
        /// The agent.
        agent: AgentName,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The name of the agent is none.
    #[error(transparent)]
    AgentName(#[from] NameError),
    /// Parameters of a request are an object.
    #[error("the params of a request must be a JSON object")]
    ParamsNotAnObject,
    /// No TLS on this machine.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// Nobody answered for as long as the message could wait; it was never sent.
    #[error(
        "nobody answers at the endpoint: {why}. The message was not sent within {waited:?}; start the node with: \
         peerage up"
    )]
    Away {
        /// How long it waited.
        waited: Duration,
        /// What the last attempt met.
        why: String,
    },
    /// As many messages wait already as may; this one was never sent.
    #[error("too many messages wait for the endpoint already; try again when some are answered")]
    Full,
    /// The connection was lost after the message was sent: it may have been acted on, and is not sent again.
    #[error("the connection to the node was lost after the message was sent; it may have run")]
    Lost,
    /// The endpoint refuses the token.
    #[error(
        "the endpoint refuses the token (401); a token that was revoked or replaced is renewed by removing the file \
         of the agent in the folder agents of the home, or give another with PEERAGE_TOKEN"
    )]
    Unauthorized,
    /// The answer has more bytes than a message may.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// The answer is not of MCP.
    #[error("the endpoint answered {status}, which is no answer of MCP: {detail}")]
    NotMcp {
        /// The status of HTTP.
        status: u16,
        /// What was wrong with it.
        detail: String,
    },
    /// The endpoint answered with an error of JSON-RPC.
    #[error("{message} ({code})")]
    Rpc {
        /// Its code.
        code: i64,
        /// Its message.
        message: String,
    },
}

impl ClientError {
    /// Whether the message certainly was not acted on, so that sending it again does no harm.
    pub fn was_never_sent(&self) -> bool {
        !matches!(
            self,
            Self::Lost | Self::TooLarge { .. } | Self::NotMcp { .. } | Self::Rpc { .. }
        )
    }

    /// Whether nobody answers at the moment, which may pass.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Node(failure) => failure.is_unreachable(),
            _ => false,
        }
    }

    /// A stable name, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Node(_) => "no_node",
            Self::NoEndpoint | Self::Url { .. } => "no_endpoint",
            Self::AgentName(_) | Self::ParamsNotAnObject => "bad_input",
            Self::Token | Self::TokenFile { .. } => "token",
            Self::Home(_) => "home",
            Self::Tls(_) => "tls",
            Self::Away { .. } => "away",
            Self::Full => "full",
            Self::Lost => "connection_lost",
            Self::Unauthorized => "unauthorized",
            Self::TooLarge { .. } => "too_large",
            Self::NotMcp { .. } => "not_mcp",
            Self::Rpc { .. } => "rpc",
        }
    }
}
