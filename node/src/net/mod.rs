//! The swarm: the gate that strangers do not pass, links to members, and substreams for calls.
//!
//! One task owns the swarm; everybody else holds a [`Network`] handle. A call does not pass through that task: it
//! reads a snapshot of the links and goes straight to its connection.

pub mod answering;
mod arrivals;
pub mod asking;
mod bounded_close;
mod calls;
mod dial_failure;
mod driver;
pub mod event;
pub mod framed;
pub mod fused;
mod gate;
pub mod gatekeeper;
mod gossip;
pub mod in_process;
mod listen;
mod membership_check;
mod network;
mod outbox;
pub mod peer_id;
mod pulse;
pub mod substream;
mod transport;
mod warm_up;

pub use calls::{CallSubstream, InboundSubstreams, Links, OpenError, OpenFailure};
pub use event::{DialFailure, LinkEnd, NetworkEvent};
pub use gossip::{GossipId, GossipTraffic, GossipVerdict, PublishError};
pub use network::{Network, NetworkSettings, StartError};
