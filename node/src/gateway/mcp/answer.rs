//! JSON-RPC responses, written straight into one buffer.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::envelope::RequestId;
use super::splice::{CacheHint, SpliceError, result_for};
use crate::gateway::call::{CallError, Era, Reply, ReplyBody};

/// The legacy era's code for a resource that is not there (2025-11-25, "Resources").
const RESOURCE_NOT_FOUND: i64 = -32002;

/// A whole JSON-RPC response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The message.
    pub message: Bytes,
    /// The error code, when it is an error: transports with a status of their own translate it.
    pub error: Option<i64>,
}

/// A JSON-RPC error of the gateway's own making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `error.code`.
    pub code: i64,
    /// `error.message`.
    pub message: String,
    /// `error.data`, as raw JSON.
    pub data: Option<String>,
}

impl Answer {
    /// The raw `result` of the request `id`.
    pub fn result(id: &RequestId, result: &[u8]) -> Self {
        Self {
            message: response(id.as_json(), b"result", result),
            error: None,
        }
    }

    /// The refusal of the request `id`; `None` where the id could not be read.
    pub fn refusal(id: Option<&RequestId>, refusal: &Refusal) -> Self {
        let mut error = Vec::with_capacity(64 + refusal.message.len());
        error.extend_from_slice(b"{\"code\":");
        error.extend_from_slice(refusal.code.to_string().as_bytes());
        error.extend_from_slice(b",\"message\":");
        serde_json::to_writer(&mut error, &refusal.message)
            .expect("a string is always JSON, and memory takes it");
        if let Some(data) = &refusal.data {
            error.extend_from_slice(b",\"data\":");
            error.extend_from_slice(data.as_bytes());
        }
        error.push(b'}');
        Self {
            message: response(id.map_or("null", RequestId::as_json), b"error", &error),
            error: Some(refusal.code),
        }
    }

    /// What a backend answered to the request `id` of a caller of era `caller`.
    pub fn reply(
        id: &RequestId,
        caller: Era,
        reply: &Result<Reply, CallError>,
        hint: Option<CacheHint>,
    ) -> Self {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Self::refusal(Some(id), &Refusal::of(error, caller)),
        };
        let raw = result_for(caller, reply, hint);
        match &reply.body {
            ReplyBody::Result(_) => Self::result(id, &raw),
            ReplyBody::Error(_) => Self {
                message: response(id.as_json(), b"error", &raw),
                error: Some(error_code(&raw)),
            },
        }
    }
}

impl Refusal {
    /// What a caller of era `caller` is told of `error`: the legacy era has a code of its own for missing resources.
    pub fn of(error: &CallError, caller: Era) -> Self {
        let mut refusal = Self::from(error);
        if let CallError::UnknownResource { uri } = error {
            refusal.data = Some(json!({ "kind": error.kind(), "uri": uri }).to_string());
            if caller == Era::Legacy {
                refusal.code = RESOURCE_NOT_FOUND;
            }
        }
        refusal
    }

    /// A refusal without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }
}

impl From<&CallError> for Refusal {
    fn from(error: &CallError) -> Self {
        Self {
            code: error.code().into(),
            message: error.to_string(),
            data: Some(json!({ "kind": error.kind() }).to_string()),
        }
    }
}

impl From<SpliceError> for Refusal {
    fn from(error: SpliceError) -> Self {
        Self::from(&CallError::InvalidParams {
            what: error.to_string(),
        })
    }
}

fn response(id: &str, member: &[u8], raw: &[u8]) -> Bytes {
    const HEAD: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":";
    let mut out = Vec::with_capacity(HEAD.len() + id.len() + member.len() + raw.len() + 5);
    out.extend_from_slice(HEAD);
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b",\"");
    out.extend_from_slice(member);
    out.extend_from_slice(b"\":");
    out.extend_from_slice(raw);
    out.push(b'}');
    out.into()
}

/// The code of an upstream's error; "internal error" where it names none.
fn error_code(raw: &[u8]) -> i64 {
    #[derive(Deserialize)]
    struct Code {
        code: i64,
    }
    serde_json::from_slice::<Code>(raw).map_or(-32603, |error| error.code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::Value;

    fn id() -> RequestId {
        RequestId::from_json("\"r-1\"").unwrap()
    }

    #[test]
    fn a_refusal_carries_code_message_and_kind() {
        let error = CallError::UnknownTool {
            name: "a \"quoted\" name".into(),
        };
        let answer = Answer::refusal(Some(&id()), &(&error).into());
        let seen: Value = serde_json::from_slice(&answer.message).unwrap();
        let expected = json!({
            "jsonrpc": "2.0",
            "id": "r-1",
            "error": {
                "code": -32602,
                "message": "Unknown tool: a \"quoted\" name",
                "data": {"kind": "unknown_tool"},
            },
        });
        assert_eq!(seen, expected);
        assert_eq!(answer.error, Some(-32602));
    }

    #[test]
    fn an_error_of_the_upstream_passes_as_it_is() {
        let raw = Bytes::from_static(br#"{"code":-32021, "message":"m","extra":[1]}"#);
        let reply = Reply {
            era: Era::Legacy,
            body: ReplyBody::Error(raw),
        };
        let answer = Answer::reply(&id(), Era::Modern, &Ok(reply), None);
        let expected =
            r#"{"jsonrpc":"2.0","id":"r-1","error":{"code":-32021, "message":"m","extra":[1]}}"#;
        assert_eq!(answer.message, expected.as_bytes());
        assert_eq!(answer.error, Some(-32021));
    }

    #[test]
    fn what_has_no_readable_id_is_answered_with_null() {
        let answer = Answer::refusal(None, &Refusal::new(-32700, "no"));
        let expected = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}"#;
        assert_eq!(answer.message, expected.as_bytes());
    }
}
