//! Where requests come from: a peer's substream.

pub mod admission;
pub mod peer;
