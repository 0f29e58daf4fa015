//! Substreams between members: one per call, all of one protocol, so that opening one costs no extra round trip; after a
//! call it rests for the next.
//!
//! A caller's request goes straight to the connection that will carry it; the swarm's own loop is not involved.

mod behaviour;
mod handler;
mod links;
mod open_count;
mod spares;
mod substream;

use libp2p::StreamProtocol;
use peerage_protocol::id::NodeId;

pub(crate) use behaviour::Behaviour;
pub use links::{Links, OpenError, OpenFailure};
pub use substream::CallSubstream;

/// The one protocol of every substream that carries a call.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/peerage/1");

/// Who takes the substreams that other members open.
pub trait InboundSubstreams: Send + Sync + 'static {
    /// Takes one; must not block: a task of its own is the place for what follows.
    fn accept(&self, from: NodeId, substream: CallSubstream);
}
