//! Configuration: raw files and flags become validated settings once, before anything starts.

pub mod environment;
pub mod upstream;
