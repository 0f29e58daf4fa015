//! Greets a child process, in the era it speaks.
//!
//! A child that knows `server/discover` is modern. One that answers it with an error is legacy. One that stays
//! silent may be slow to start, or may ignore what comes before `initialize`: it is sent `initialize` as well, and
//! the first that succeeds decides.

use std::time::Duration;

use tokio::time::timeout;

use super::connection::Connection;
use super::pending::Outcome;
use crate::gateway::backend::greeting::{
    ServerCapabilities, bare_params, initialize_params, listen_params, settled_version,
    speaks_modern,
};
use crate::gateway::backend::handshake::{Ask, HandshakeError};
use crate::gateway::backend::rpc_error::RpcError;
use crate::gateway::call::{Era, ReplyBody};

/// Greets the child; the era it speaks. `known` is the verdict of an earlier run.
pub(crate) async fn greet(
    connection: &Connection,
    known: Option<Era>,
    probe: Duration,
) -> Result<Era, HandshakeError> {
    let era = match known {
        Some(Era::Legacy) => initialize(connection).await.map(|()| Era::Legacy),
        Some(Era::Modern) | None => discover_or_initialize(connection, probe).await,
    }?;
    connection.settle_era(era);
    match era {
        Era::Legacy => {
            connection.tell("notifications/initialized", bare_params(era))?;
        }
        Era::Modern => {}
    }
    Ok(era)
}

async fn discover_or_initialize(
    connection: &Connection,
    probe: Duration,
) -> Result<Era, HandshakeError> {
    let discover = connection.ask("server/discover", bare_params(Era::Modern));
    tokio::pin!(discover);
    match timeout(probe, &mut discover).await {
        Ok(outcome) if is_modern(connection, &outcome) => return Ok(Era::Modern),
        Ok(_) => return initialize(connection).await.map(|()| Era::Legacy),
        Err(_) => {}
    }
    let initialize = initialize(connection);
    tokio::pin!(initialize);
    tokio::select! {
        outcome = &mut discover => match is_modern(connection, &outcome) {
            true => Ok(Era::Modern),
            false => initialize.await.map(|()| Era::Legacy),
        },
        initialized = &mut initialize => match initialized {
            Ok(()) => Ok(Era::Legacy),
            Err(_) if is_modern(connection, &discover.await) => Ok(Era::Modern),
            Err(error) => Err(error),
        },
    }
}

/// Whether it is the greeting of a modern server; if so, what it can do is kept.
fn is_modern(connection: &Connection, outcome: &Outcome) -> bool {
    let Ok(ReplyBody::Result(result)) = outcome else {
        return false;
    };
    let modern = speaks_modern(result);
    if modern {
        connection.keep_capabilities(ServerCapabilities::of(result));
    }
    modern
}

async fn initialize(connection: &Connection) -> Result<(), HandshakeError> {
    match connection.ask("initialize", initialize_params()).await? {
        ReplyBody::Result(result) => {
            settled_version(&result)?;
            connection.keep_capabilities(ServerCapabilities::of(&result));
            Ok(())
        }
        ReplyBody::Error(error) => Err(HandshakeError::Refused {
            method: "initialize",
            error: RpcError::read(&error),
        }),
    }
}

/// Asks a modern child to announce changes of its lists; one that does not know how is left alone.
pub(crate) async fn listen(connection: &Connection) {
    if connection.era() == Era::Modern {
        let _ = connection
            .ask("subscriptions/listen", listen_params())
            .await;
        tracing::debug!(target: "upstream", "it announces no changes of its lists any more");
    }
    std::future::pending().await
}
