//! `call`: one tool, once.

use std::time::Duration;

use peerage_node::gateway::frontend::rest::api::{CallRequest, CallResponse};

use super::Context;
use crate::arguments::{ArgumentsObject, Call};
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

/// How long after the caller's patience the node itself is still waited for: it says better what went wrong.
const GRACE: Duration = Duration::from_secs(5);

pub(super) async fn call(context: &Context, call: Call) -> Result<(), Failure> {
    let arguments = match call.args {
        Some(arguments) => arguments,
        None => ArgumentsObject::from_pairs(&call.pairs)
            .map_err(|error| Failure::failed("json", error))?,
    };
    let request = CallRequest {
        name: call.name,
        arguments: arguments.0,
        timeout_ms: u64::try_from(call.timeout.as_millis()).unwrap_or(u64::MAX),
        agent: None,
    };
    let client = context.client().patient_for(call.timeout + GRACE);
    let response: CallResponse = client.post("/v1/call", &request).await?;
    match context.json {
        true => print(&format!("{}\n", response.result.get()))?,
        false => print(&render::call(&response.result, context.view))?,
    }
    match response.is_error {
        true => Err(Failure::tool_error(&request.name)),
        false => Ok(()),
    }
}
