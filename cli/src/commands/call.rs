//! `call`: one tool, once.

use std::time::Duration;

use peerage_node::gateway::frontend::rest::api::{CallRequest, CallResponse};

use super::Context;
use crate::arguments::{ArgumentsObject, Call};
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

/// How long after the caller's patience the node itself is still waited for: it says better what went wrong.
const GRACE: Duration = Duration::from_secs(2);

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
    };
    let client = context.client();
    let answer = client.post("/v1/call", &request);
    let response: CallResponse = tokio::time::timeout(call.timeout + GRACE, answer)
        .await
        .map_err(|_| timed_out(&request.name, call.timeout))??;
    match context.json {
        true => print(&format!("{}\n", response.result.get()))?,
        false => print(&render::call(&response.result, context.view))?,
    }
    match response.is_error {
        true => Err(Failure::tool_error(&request.name)),
        false => Ok(()),
    }
}

fn timed_out(name: &str, timeout: Duration) -> Failure {
    let message = format!("no answer from {name} within {timeout:?}; allow more with --timeout");
    Failure::failed("deadline_exceeded", message)
}
