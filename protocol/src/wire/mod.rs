//! The bytes between nodes: frames, the gate handshake, calls.

pub mod hello;
