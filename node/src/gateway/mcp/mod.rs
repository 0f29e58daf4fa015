//! MCP as the gateway needs it: borrowed envelopes, the splice, eras and the session engine. No IO.

pub mod answer;
pub mod asked;
pub mod envelope;
pub mod era;
pub mod events;
pub mod header_text;
pub mod session;
pub mod splice;
pub mod sse;
