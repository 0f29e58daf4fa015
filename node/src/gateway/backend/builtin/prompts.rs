//! The node's own prompts: they teach an agent to use well what a mesh adds.

mod voting;
mod working;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::deciding::Deciding;
use crate::gateway::call::{Call, CallError};
use crate::gateway::mcp::splice::Params;

/// The raw definitions, as they are listed.
pub(super) fn definitions() -> Vec<&'static str> {
    let working = working::DEFINITIONS.into_iter();
    working.chain([voting::DEFINITION]).collect()
}

/// The raw result for the prompt `name`; `None` where it is none of these.
pub(super) fn get(
    deciding: &Deciding,
    name: &str,
    call: &Call,
) -> Option<Result<Bytes, CallError>> {
    match name {
        voting::NAME => Some(voting::get(deciding, &call.params)),
        _ => working::get(name, &call.params),
    }
}

/// The raw result of a prompt that is one text of the user.
fn said(description: &str, text: &str) -> Bytes {
    let message = json!({"role": "user", "content": {"type": "text", "text": text}});
    let prompt = json!({"description": description, "messages": [message]});
    prompt.to_string().into()
}

/// The arguments of a prompt, read.
fn arguments<'a, T: Deserialize<'a>>(params: &'a Params) -> Result<T, CallError> {
    let raw = params.arguments().unwrap_or(b"{}");
    serde_json::from_slice(raw).map_err(|error| CallError::InvalidParams {
        what: format!("the arguments do not fit the prompt: {error}"),
    })
}
