//! What the supervisor of the upstreams tells the rest of the node about them.

use bytes::Bytes;
use peerage_protocol::id::ServerName;

/// One tool of an upstream, as it described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolDefinition {
    /// Its name at the upstream.
    pub name: String,
    /// The raw JSON object from the upstream's list, on one line.
    pub definition: Bytes,
}

/// A change at one upstream.
#[derive(Clone, Debug)]
pub struct UpstreamEvent {
    /// Which upstream.
    pub server: ServerName,
    /// What happened.
    pub change: UpstreamChange,
}

/// What happened at an upstream.
#[derive(Clone, Debug)]
pub enum UpstreamChange {
    /// Its complete list of tools: all pages, in its own order.
    Tools(Vec<ToolDefinition>),
    /// It is no longer configured.
    Removed,
}

/// How an upstream fares, for `status` and `health`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamState {
    /// Not yet answered for the first time.
    Starting,
    /// Answering.
    Ready,
    /// Stopped for want of calls; the next call starts it.
    Idle,
    /// Not answering; tried again with back-off.
    Down {
        /// The cause, with the last lines of its standard error where there are any.
        why: String,
    },
}
