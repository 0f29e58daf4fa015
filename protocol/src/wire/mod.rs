//! The bytes between nodes: frames, the gate handshake, calls.
