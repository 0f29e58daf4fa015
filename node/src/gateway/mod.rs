//! The MCP gateway: frontends accept requests, one router sends each to a backend.

pub mod aside;
pub mod backend;
pub mod call;
pub mod client;
pub mod directory;
pub mod failure;
pub mod frontend;
pub mod listing;
pub mod mcp;
pub mod router;
pub mod service;

#[cfg(test)]
mod peer_call_tests;
