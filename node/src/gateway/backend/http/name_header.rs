//! The header that names what a modern request is about: `Mcp-Name` (SEP-2243).

use std::borrow::Cow;

use http::HeaderValue;
use serde::Deserialize;

use crate::gateway::call::Call;
use crate::gateway::mcp::header_text::encode;

#[derive(Deserialize)]
struct OfTask<'a> {
    #[serde(borrow, rename = "taskId")]
    task: Cow<'a, str>,
}

/// The value of `Mcp-Name` for `call`; `None` where its method has none, or its params do not say.
pub(crate) fn of_call(call: &Call) -> Option<HeaderValue> {
    match &*call.method {
        "tools/call" | "prompts/get" => encode(&call.params.name()?),
        "resources/read" => encode(&call.params.uri()?),
        "tasks/get" | "tasks/update" | "tasks/cancel" => {
            let params = call.params.to_bytes();
            let params: OfTask<'_> = serde_json::from_slice(&params).ok()?;
            encode(&params.task)
        }
        _ => None,
    }
}
