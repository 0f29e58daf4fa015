//! The node's own prompts: they teach an agent to use the tools that a mesh adds.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::tasks::prompts as tasks;
use crate::gateway::call::CallError;
use crate::gateway::mcp::splice::Params;

/// The raw definitions, as they are listed.
pub(super) fn definitions() -> Vec<&'static str> {
    tasks::DEFINITIONS.to_vec()
}

/// The raw result for the prompt `name`; `None` where it is none of these.
pub(super) fn get(name: &str, params: &Params) -> Option<Result<Bytes, CallError>> {
    tasks::get(name, params)
}

/// The raw result of a prompt that is one text of the user.
pub(super) fn said(description: &str, text: &str) -> Bytes {
    let message = json!({"role": "user", "content": {"type": "text", "text": text}});
    let prompt = json!({"description": description, "messages": [message]});
    prompt.to_string().into()
}

/// The arguments of a prompt, read.
pub(super) fn arguments<'a, T: Deserialize<'a>>(params: &'a Params) -> Result<T, CallError> {
    let raw = params.arguments().unwrap_or(b"{}");
    serde_json::from_slice(raw).map_err(|error| CallError::InvalidParams {
        what: format!("the arguments do not fit the prompt: {error}"),
    })
}
