//! One MCP request on its way through the gateway: who asks, for what, until when, and what comes back.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use peerage_protocol::id::{AgentName, NodeId, NodeName};
use peerage_protocol::wire::call as wire;
use tokio::time::Instant;

use super::aside::AsideSender;
use super::client::Client;
use super::mcp::splice::Params;

/// Who asks. The node that owns a tool decides by this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A local client without a token.
    Guest,
    /// A local agent, proved by its token.
    Agent(AgentName),
    /// The owner of this node, through its command line.
    Owner,
    /// A member, on behalf of one of its own callers.
    Peer {
        /// The calling node, as the secure channel proved it.
        node: NodeId,
        /// Its name, from its certificate.
        name: NodeName,
        /// The agent there, as that node says; `None` for its guests.
        agent: Option<AgentName>,
    },
}

/// Which half of MCP's history a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2024-11-05 to 2025-11-25: sessions, opened by `initialize`.
    Legacy,
    /// 2026-07-28 and later: every request stands alone.
    Modern,
}

/// A request that is being answered.
#[derive(Debug)]
pub struct Call {
    /// Who asks.
    pub caller: Caller,
    /// How the caller speaks.
    pub era: Era,
    /// The MCP method, as sent.
    pub method: Box<str>,
    /// The request's `params`, with the edits made so far.
    pub params: Params,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// Nodes this request has passed, oldest first.
    pub via: Vec<NodeId>,
    /// W3C trace context, as the caller sent it.
    pub trace: Option<Box<str>>,
    /// What there is to know of the caller's client.
    pub client: Client,
    /// Where notifications and requests of the upstream go, before the reply.
    pub asides: AsideSender,
}

impl Call {
    /// How long the caller will still wait.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The same call with other params.
    pub fn with_params(&self, params: Params) -> Self {
        Self {
            caller: self.caller.clone(),
            era: self.era,
            method: self.method.clone(),
            params,
            deadline: self.deadline,
            via: self.via.clone(),
            trace: self.trace.clone(),
            client: self.client.clone(),
            asides: self.asides.clone(),
        }
    }
}

/// A notification that belongs to one request: a whole JSON-RPC message, its progress token already the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification(pub Bytes);

/// Notifications and requests of an upstream that one call may have waiting; a caller that reads slower has its request refused.
pub const ASIDES_WAITING_MAX: usize = 256;

/// What a backend answered, as raw JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// How the backend speaks; decides what the frontend adds or strips.
    pub era: Era,
    /// Its `result` or `error` member.
    pub body: ReplyBody,
}

/// A reply on its way. Dropping it cancels the request, also at the far end.
pub type Replying = BoxFuture<'static, Result<Reply, CallError>>;

/// The member of a JSON-RPC response that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// The raw `result`.
    Result(Bytes),
    /// The raw `error` object of the upstream, passed on as it is.
    Error(Bytes),
}

/// Why the gateway itself could not get an answer. The message is fit for the caller's eyes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No such tool, or none that this caller may see.
    #[error("Unknown tool: {name}")]
    UnknownTool {
        /// As the caller named it.
        name: String,
    },
    /// No such prompt, or none that this caller may see.
    #[error("Unknown prompt: {name}")]
    UnknownPrompt {
        /// As the caller named it.
        name: String,
    },
    /// No such resource, or none that this caller may see.
    #[error("Resource not found: {uri}")]
    UnknownResource {
        /// As the caller named it.
        uri: String,
    },
    /// A plain name or URI that several others could mean.
    #[error("nothing goes by the name {name} here; did you mean {}", candidates.join(" or "))]
    AmbiguousTool {
        /// As the caller named it.
        name: String,
        /// The qualified names.
        candidates: Vec<String>,
    },
    /// A method that nothing here answers.
    #[error("Method not found: {method}")]
    UnknownMethod {
        /// As the caller named it.
        method: String,
    },
    /// The request is not well formed.
    #[error("{what}")]
    InvalidParams {
        /// What is wrong, and where.
        what: String,
    },
    /// A local upstream is not running.
    #[error("the server {server} is not available: {why}")]
    UpstreamDown {
        /// The upstream.
        server: String,
        /// The cause, without secrets.
        why: String,
    },
    /// The node that owns the tool cannot be reached, or was lost during the call.
    #[error("the node {node} is not reachable: {why}")]
    PeerUnreachable {
        /// The node, by name.
        node: String,
        /// The cause.
        why: String,
    },
    /// Something is full; trying later may help.
    #[error("busy: {what}")]
    Busy {
        /// What is full, and its bound.
        what: String,
    },
    /// The caller's time ran out.
    #[error("no answer from {target} within the time given")]
    DeadlineExceeded {
        /// Who did not answer.
        target: String,
    },
    /// The request has been at this node before.
    #[error("the request has already passed this node: its upstreams lead in a circle")]
    Loop,
    /// A message over its bound.
    #[error("{what} has more than {limit} bytes")]
    TooLarge {
        /// Which message.
        what: String,
        /// The bound.
        limit: usize,
    },
}

impl CallError {
    /// The JSON-RPC error code: the standard ones where they fit, else the range left to implementations.
    pub fn code(&self) -> i32 {
        match self {
            CallError::UnknownMethod { .. } => -32601,
            CallError::UnknownTool { .. }
            | CallError::UnknownPrompt { .. }
            | CallError::UnknownResource { .. }
            | CallError::AmbiguousTool { .. }
            | CallError::InvalidParams { .. }
            | CallError::TooLarge { .. } => -32602,
            CallError::UpstreamDown { .. } => -32010,
            CallError::PeerUnreachable { .. } => -32011,
            CallError::Busy { .. } => -32012,
            CallError::DeadlineExceeded { .. } => -32013,
            CallError::Loop => -32014,
        }
    }

    /// The stable name of the kind of error, for programs: `error.data.kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            CallError::UnknownTool { .. } => "unknown_tool",
            CallError::UnknownPrompt { .. } => "unknown_prompt",
            CallError::UnknownResource { .. } => "unknown_resource",
            CallError::AmbiguousTool { .. } => "ambiguous_tool",
            CallError::UnknownMethod { .. } => "unknown_method",
            CallError::InvalidParams { .. } => "invalid_params",
            CallError::UpstreamDown { .. } => "upstream_down",
            CallError::PeerUnreachable { .. } => "peer_unreachable",
            CallError::Busy { .. } => "busy",
            CallError::DeadlineExceeded { .. } => "deadline_exceeded",
            CallError::Loop => "loop",
            CallError::TooLarge { .. } => "too_large",
        }
    }
}

impl From<wire::Era> for Era {
    fn from(era: wire::Era) -> Self {
        match era {
            wire::Era::Legacy => Self::Legacy,
            wire::Era::Modern => Self::Modern,
        }
    }
}

impl From<Era> for wire::Era {
    fn from(era: Era) -> Self {
        match era {
            Era::Legacy => Self::Legacy,
            Era::Modern => Self::Modern,
        }
    }
}
