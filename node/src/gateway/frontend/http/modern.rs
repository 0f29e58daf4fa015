//! POST in the modern era: each request stands alone, and ends with its response.

use std::sync::Arc;

use axum::response::Response;
use http::request::Parts;

use super::answering::Answering;
use super::refusal::HttpRefusal;
use super::request::Exchange;
use super::{Frontend, respond, subscription};
use crate::gateway::backend::http::param_headers::mismatch;
use crate::gateway::call::Era;
use crate::gateway::mcp::answer::{Answer, Refusal};
use crate::gateway::mcp::envelope::{Incoming, Request};
use crate::gateway::mcp::session::{Output, Session, Transport};

/// Begins to serve one message: the response, or the call that is to give one. Dropping either cancels the call.
pub(super) fn begin(
    frontend: &Arc<Frontend>,
    exchange: &Exchange<'_>,
    head: &Parts,
    incoming: Incoming,
) -> Result<Begun, HttpRefusal> {
    let mut session = Session::new(Transport::Http);
    let begun = match session.message(incoming, Some(&exchange.routing)) {
        Output::Answer(answer) => Err(answer),
        Output::Dispatch {
            era,
            client,
            request,
        } => check_arguments(frontend, head, &request)
            .and_then(|()| Answering::begin(frontend, exchange, era, client, request)),
        Output::Listen(request) => {
            return subscription::listen(frontend, exchange, &request).map(Begun::Response);
        }
        // Over HTTP a client cancels by closing the response; notifications have nothing to act on.
        Output::Cancel(_) | Output::Nothing => return Ok(Begun::Response(respond::accepted())),
    };
    Ok(begun.map_or_else(
        |answer| Begun::Response(respond::answer(Era::Modern, exchange.accept, answer)),
        Begun::Call,
    ))
}

/// What came of one message.
pub(super) enum Begun {
    /// The whole response.
    Response(Response),
    /// A call whose events make the response.
    Call(Answering),
}

/// Refuses a call whose `Mcp-Param-*` headers do not say what its arguments say (2026-07-28, "Standard request
/// headers").
fn check_arguments(frontend: &Frontend, head: &Parts, request: &Request) -> Result<(), Answer> {
    if &*request.method != "tools/call" {
        return Ok(());
    }
    let name = request.params.name();
    let definition = name.and_then(|name| frontend.service.tool_definition(&name));
    let Some(definition) = definition else {
        return Ok(());
    };
    let arguments = request.params.arguments();
    match mismatch(definition.as_bytes(), arguments, &head.headers) {
        None => Ok(()),
        Some(header) => {
            let message = format!("the header {header} is missing, or differs from the argument");
            let refusal = Refusal::new(-32020, message);
            Err(Answer::refusal(Some(&request.id), &refusal))
        }
    }
}
