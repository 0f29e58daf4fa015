//! The error object of an upstream, as far as we name it to the owner.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

/// Characters of an upstream's message that are repeated.
const MESSAGE_CHARS_MAX: usize = 200;

/// JSON-RPC: the upstream does not know the method.
pub(crate) const METHOD_NOT_FOUND: i64 = -32601;

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RpcError {
    /// Its code; 0 where it has none.
    pub(crate) code: i64,
    /// Its message, cut to 200 characters.
    pub(crate) message: String,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(default)]
    code: i64,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

impl RpcError {
    /// Reads a raw `error` object; whatever it is, something is said.
    pub(crate) fn read(raw: &[u8]) -> Self {
        match serde_json::from_slice::<Raw<'_>>(raw) {
            Ok(raw) => Self {
                code: raw.code,
                message: raw.message.chars().take(MESSAGE_CHARS_MAX).collect(),
            },
            Err(_) => Self {
                code: 0,
                message: "an error that is none".to_owned(),
            },
        }
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_named_by_message_and_code() {
        let error = RpcError::read(br#"{"code":-32601,"message":"no such method","data":[1]}"#);
        assert_eq!(error.to_string(), "no such method (-32601)");
        assert_eq!(
            RpcError::read(b"5").to_string(),
            "an error that is none (0)"
        );
        let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(1_000));
        assert_eq!(
            RpcError::read(long.as_bytes()).message.len(),
            MESSAGE_CHARS_MAX
        );
    }
}
