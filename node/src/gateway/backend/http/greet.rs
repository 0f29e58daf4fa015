//! Greets an HTTP server: `server/discover` first, and `initialize` where that is not understood.

use std::sync::Arc;

use bytes::Bytes;
use peerage_protocol::id::ServerName;

use super::endpoint::Endpoint;
use super::session::{Failure, Over, SESSION, Session};
use crate::gateway::backend::desk::Outage;
use crate::gateway::backend::greeting::{
    ServerCapabilities, bare_params, initialize_params, offers_modern, settled_version,
    speaks_modern,
};
use crate::gateway::backend::handshake::{HandshakeError, cause};
use crate::gateway::backend::rpc_error::RpcError;
use crate::gateway::backend::timing::Timing;
use crate::gateway::call::{Era, ReplyBody};

/// Opens a session in the era the server speaks. `known` is the verdict of an earlier time.
pub(super) async fn greet(
    server: &ServerName,
    endpoint: &Arc<Endpoint>,
    known: Option<Era>,
    timing: &Timing,
) -> Result<Session, Outage> {
    if known != Some(Era::Legacy) {
        let session = Session::modern(server.clone(), Arc::clone(endpoint), timing.reach);
        let discover = || session.ask_with_headers("server/discover", bare_params(Era::Modern));
        let mut asked = discover().await;
        if let Ok((_, ReplyBody::Error(error))) = &asked
            && offers_modern(error)
        {
            asked = discover().await;
        }
        if let Ok((_, ReplyBody::Result(result))) = &asked
            && speaks_modern(result)
        {
            return Ok(session.with_capabilities(ServerCapabilities::of(result)));
        }
        if let Some(Over::Failed(outage)) = session.over() {
            return Err(outage);
        }
    }
    let greeting = Session::greeting(server.clone(), Arc::clone(endpoint), timing.reach);
    initialize(greeting, initialize_params()).await
}

/// Opens a legacy session with these params of `initialize`.
pub(super) async fn initialize(greeting: Session, params: Bytes) -> Result<Session, Outage> {
    let asked = greeting.ask_with_headers("initialize", params).await;
    let (headers, body) = asked.map_err(outage)?;
    let greeted = match body {
        ReplyBody::Result(result) => settled_version(&result)
            .map(|version| (version, ServerCapabilities::of(&result)))
            .map_err(HandshakeError::from),
        ReplyBody::Error(error) => Err(HandshakeError::Refused {
            method: "initialize",
            error: RpcError::read(&error),
        }),
    };
    let (version, capabilities) = greeted.map_err(|error| Outage::new(error.to_string()))?;
    let session = Session::legacy(greeting, version, headers.get(SESSION).cloned())
        .with_capabilities(capabilities);
    let told = session
        .tell("notifications/initialized", bare_params(Era::Legacy))
        .await;
    told.map_err(outage)?;
    Ok(session)
}

fn outage(failure: Failure) -> Outage {
    match failure {
        Failure::Forgotten => Outage::new("it forgot the session during the handshake"),
        Failure::Call(error) => Outage::new(cause(&error)),
    }
}
