//! Who calls: agents of this node, each proved by a token.

mod agents;
mod tokens;

pub use agents::{Agents, Description, OpenStream, PRESENT_FOR};
pub use tokens::{TokenError, TokenId, Tokens};
