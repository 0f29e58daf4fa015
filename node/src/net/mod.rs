//! The swarm: the gate that strangers do not pass, links to members, and substreams for calls.
//!
//! One task owns the swarm; everybody else holds a [`Network`] handle. A call does not pass through that task: it
//! reads a snapshot of the links and goes straight to its connection.

pub mod answering;
pub mod asking;
mod attended;
mod bounded_close;
pub mod byte_share;
mod calls;
mod credit;
mod dial_failure;
mod door;
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
mod muxer;
mod network;
mod outbox;
pub mod peer_id;
mod pulse;
mod quic;
pub mod substream;
mod transport;
mod warm_up;

pub use calls::{CallSubstream, InboundSubstreams, Links, OpenError, OpenFailure};
pub use door::{Door, DoorReport, MARK as OFFENCE_MARK, Offence, Offender, OffenderId};
pub use event::{DialFailure, LinkEnd, NetworkEvent};
pub use gossip::{GossipId, GossipTraffic, GossipVerdict, PublishError};
pub use network::{Network, NetworkSettings, StartError};
