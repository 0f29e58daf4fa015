//! Sources that say where a peer may be found. None of them authorizes: the gate does.

pub mod awakening;
pub mod bootstrap;
pub mod bootstrap_file;
pub mod dht;
pub mod firebase;
pub mod lan;
