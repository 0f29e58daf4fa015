//! POST in the modern era: each request stands alone, and ends with its response.

use std::sync::Arc;

use axum::response::Response;

use super::answering::Answering;
use super::refusal::HttpRefusal;
use super::request::Exchange;
use super::{Frontend, respond, subscription};
use crate::gateway::call::Era;
use crate::gateway::mcp::envelope::Incoming;
use crate::gateway::mcp::session::{Output, Session, Transport};

/// Serves one message. Dropping the response, or the future, cancels the call.
pub(super) async fn post(
    frontend: &Arc<Frontend>,
    exchange: &Exchange<'_>,
    incoming: Incoming,
) -> Result<Response, HttpRefusal> {
    let mut session = Session::new(Transport::Http);
    match session.message(incoming, Some(&exchange.routing)) {
        Output::Answer(answer) => Ok(respond::answer(Era::Modern, exchange.accept, answer)),
        Output::Dispatch {
            era,
            client,
            request,
        } => Ok(
            match Answering::begin(frontend, exchange, era, client, request) {
                Ok(answering) => respond::events(era, exchange.accept, answering.events()).await,
                Err(answer) => respond::answer(era, exchange.accept, answer),
            },
        ),
        Output::Listen(request) => subscription::listen(frontend, exchange, &request),
        // Over HTTP a client cancels by closing the response; notifications have nothing to act on.
        Output::Cancel(_) | Output::Nothing => Ok(respond::accepted()),
    }
}
