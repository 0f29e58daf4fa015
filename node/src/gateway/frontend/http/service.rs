//! What the HTTP frontend asks of the rest of the node.

use futures::future::BoxFuture;
use peerage_protocol::id::NodeId;
use serde::Serialize;
use tokio::sync::watch;

use crate::gateway::call::{Call, CallError, Caller, Reply};
use crate::identity::TokenId;

/// The rest of the node, as a frontend sees it.
pub trait Service: Send + Sync + 'static {
    /// Answers `tools/list` and `tools/call`. Dropping the future cancels the call.
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, CallError>>;

    /// Changes whenever the list of tools does.
    fn tools_changed(&self) -> watch::Receiver<u64>;

    /// Who presents this bearer token; without one, a guest.
    fn authenticate(&self, bearer: Option<&str>) -> Result<Credential, Unauthorized>;

    /// Waits until the credential counts no more; for ever, where it has no token.
    fn until_revoked(&self, credential: &Credential) -> BoxFuture<'static, ()>;

    /// This node, for the loop guard.
    fn node_id(&self) -> NodeId;

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
