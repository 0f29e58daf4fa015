//! Who calls: agents of this node, each proved by a token.

mod tokens;

pub use tokens::{TokenError, TokenId, Tokens};
