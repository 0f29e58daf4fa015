//! The node's own prompts: what an agent is told who is to work with others well.

mod voting;

use bytes::Bytes;
use serde_json::json;

use crate::deciding::Deciding;
use crate::gateway::call::{Call, CallError};

/// The definitions, as they are listed.
pub(super) const DEFINITIONS: [&str; 1] = [voting::DEFINITION];

/// Answers for the prompt `name`: the raw result; `None` where it is none of these.
pub(super) fn get(
    deciding: &Deciding,
    name: &str,
    call: &Call,
) -> Option<Result<Bytes, CallError>> {
    match name {
        voting::NAME => Some(voting::get(deciding, call)),
        _ => None,
    }
}

/// The raw result with one message of the user's.
fn said(description: &str, text: &str) -> Bytes {
    let message = json!({"role": "user", "content": {"type": "text", "text": text}});
    json!({"description": description, "messages": [message]})
        .to_string()
        .into()
}
