//! A client of the MCP endpoint.

pub(crate) mod courier;
pub(crate) mod endpoint;
pub(crate) mod error;
pub(crate) mod identity;
pub(crate) mod message;

pub use endpoint::{ENDPOINT_VARIABLE, Endpoint, Source};
pub use error::ClientError;
pub use identity::TOKEN_VARIABLE;
