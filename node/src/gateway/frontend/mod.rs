//! Where requests come in: MCP over HTTP, the control API of the command line, and peers.

pub mod rest;
