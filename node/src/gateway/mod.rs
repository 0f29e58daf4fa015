//! The MCP gateway: frontends accept requests, one router sends each to a backend.

pub mod backend;
pub mod call;
pub mod frontend;
pub mod mcp;
