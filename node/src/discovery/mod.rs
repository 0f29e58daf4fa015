//! Sources that say where a peer may be found. None of them authorizes: the gate does.

pub mod bootstrap;
pub(crate) mod mdns;
