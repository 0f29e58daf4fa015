//! What the HTTP frontend asks of the rest of the node.

use futures::future::BoxFuture;
use peerage_protocol::id::NodeId;
use serde::Serialize;
use tokio::sync::watch;

use crate::gateway::call::{Call, CallError, Caller, Reply};

/// The rest of the node, as a frontend sees it.
pub trait Service: Send + Sync + 'static {
    /// Answers `tools/list` and `tools/call`. Dropping the future cancels the call.
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, CallError>>;

    /// Changes whenever the list of tools does.
    fn tools_changed(&self) -> watch::Receiver<u64>;

    /// Who presents this bearer token; without one, a guest.
    fn authenticate(&self, bearer: Option<&str>) -> Result<Caller, Unauthorized>;

    /// This node, for the loop guard.
    fn node_id(&self) -> NodeId;

    /// How the node fares.
    fn health(&self) -> Health;
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
