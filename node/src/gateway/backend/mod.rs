//! Where a request goes: a builtin, a child process, an HTTP server or a peer.

mod announcements;
pub mod backoff;
pub mod builtin;
mod client_news;
mod desk;
mod followed;
mod greeting;
mod handshake;
pub mod http;
mod incoming;
mod offer_list;
mod open_requests;
mod origin;
mod outgoing;
pub mod peer;
mod progress;
mod rpc_error;
mod runner;
mod spoiled;
mod stdio;
pub mod supervisor;
#[cfg(test)]
mod test_upstream;
mod timing;
mod translate;
pub mod upstream;

use std::sync::Arc;

use futures::future::BoxFuture;
use peerage_protocol::id::ServerName;

use crate::gateway::call::{Call, CallError, Replying};
use crate::gateway::router::subscriptions::Updates;

/// Something that answers MCP requests.
pub trait Backend: Send + Sync + 'static {
    /// Answers `call`; its tool name is already the one that this backend knows.
    fn call(self: Arc<Self>, call: Call) -> Replying;

    /// Follows the resource `uri`; a server that announces no updates never says anything.
    fn follow(&self, uri: String) -> BoxFuture<'_, Result<Updates, CallError>>;

    /// Whether it is a Peerage node itself, reached as an upstream: what it offers is not passed on to a third node.
    fn is_gateway(&self) -> bool {
        false
    }
}

/// The servers of this node, by name.
pub trait LocalBackends: Send + Sync + 'static {
    /// The backend of `server`; `None` when it is not configured.
    fn backend(&self, server: &ServerName) -> Option<Arc<dyn Backend>>;
}
