//! MCP as the gateway needs it: borrowed envelopes, the splice, eras and the session engine. No IO.

pub mod splice;
