//! What the HTTP frontend asks of the rest of the node.

use std::sync::Arc;

use futures::future::BoxFuture;
use peerage_protocol::id::NodeId;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::control::ListVersions;
use crate::gateway::call::{Call, CallError, Caller, Replying};
use crate::gateway::directory::AgentStatus;
use crate::identity::TokenId;

/// The rest of the node, as a frontend sees it.
pub trait Service: Send + Sync + 'static {
    /// Answers a request of a client.
    fn call(self: Arc<Self>, call: Call) -> Replying;

    /// The raw definition of the tool that goes by `name` here.
    fn tool_definition(&self, name: &str) -> Option<Arc<str>>;

    /// Changes whenever one of the lists does.
    fn lists_changed(&self) -> watch::Receiver<ListVersions>;

    /// Follows a resource for `caller`: `updated` hears of each time it may have changed, as long as the future that comes back is
    /// driven.
    fn follow(
        &self,
        caller: Caller,
        uri: String,
        updated: mpsc::Sender<()>,
    ) -> BoxFuture<'static, Result<BoxFuture<'static, ()>, CallError>>;

    /// Who presents this bearer token; without one, a guest.
    fn authenticate(&self, bearer: Option<&str>) -> Result<Credential, Unauthorized>;

    /// Waits until the credential counts no more; for ever, where it has no token. Held for as long as its stream is
    /// open: its agent is present until it is dropped.
    fn until_revoked(&self, credential: &Credential) -> BoxFuture<'static, ()>;

    /// This node, for the loop guard.
    fn node_id(&self) -> NodeId;

    /// The agents that are present in the mesh.
    fn agents(&self) -> Vec<AgentStatus>;

    /// How the node fares.
    fn health(&self) -> Health;
}

/// Who asks, and by which token. What belongs to one credential is no other's, not even the same agent's next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Who asks.
    pub caller: Caller,
    /// The token that proves it; none for a guest.
    pub token: Option<TokenId>,
}

/// The token is unknown or revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bearer token is not one of this node's; make one with `peerage token create NAME`, or send none"
)]
pub struct Unauthorized;

/// How the node fares: the body of `GET /mcp/health`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// `"ok"` while the node serves.
    pub status: &'static str,
    /// The node's version.
    pub version: &'static str,
    /// Seconds since the node started.
    pub uptime: u64,
    /// Members connected to.
    pub connections: usize,
    /// Tools that a guest could call, local and remote.
    pub tools: usize,
    /// Resident memory in MiB.
    pub memory_mb: f64,
    /// Share of one core, in percent.
    pub cpu_percent: f32,
}
