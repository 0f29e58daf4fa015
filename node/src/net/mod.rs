//! The swarm: the gate that strangers do not pass, links to members, and substreams for calls.

pub mod answering;
pub mod asking;
pub mod framed;
pub mod gatekeeper;
pub mod substream;
