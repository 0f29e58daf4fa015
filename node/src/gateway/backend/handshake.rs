//! What is asked of every upstream, whatever carries it: its lists; and why a handshake fails.

use bytes::Bytes;
use peerage_protocol::id::ServerName;

use super::greeting::{GreetingError, ServerCapabilities, list_params};
use super::offer_list::{OfferList, OfferListError};
use super::rpc_error::{METHOD_NOT_FOUND, RpcError};
use super::upstream::{Definition, ListKind, Offer};
use crate::gateway::call::{CallError, Era, ReplyBody};

/// An upstream that answers requests of our own.
pub(crate) trait Ask: Sync {
    /// The name it goes by here.
    fn server(&self) -> &ServerName;

    /// The era in which it is asked.
    fn era(&self) -> Era;

    /// What it said in its greeting that it can do.
    fn capabilities(&self) -> ServerCapabilities;

    /// Asks, and waits for the answer.
    fn ask(
        &self,
        method: &str,
        params: Bytes,
    ) -> impl Future<Output = Result<ReplyBody, CallError>> + Send;
}

/// Lists all that a greeted upstream offers. A broken list of prompts or resources must not hide the tools.
pub(crate) async fn list_offer(upstream: &impl Ask) -> Result<Offer, HandshakeError> {
    let can = upstream.capabilities();
    let mut offer = Offer {
        tools: list(upstream, ListKind::Tools).await?,
        ..Offer::default()
    };
    if can.prompts {
        offer.prompts = list_or_none(upstream, ListKind::Prompts).await?;
    }
    if can.resources {
        offer.resources = list_or_none(upstream, ListKind::Resources).await?;
        offer.templates = list_or_none(upstream, ListKind::Templates).await?;
    }
    Ok(offer)
}

async fn list_or_none(
    upstream: &impl Ask,
    kind: ListKind,
) -> Result<Vec<Definition>, HandshakeError> {
    match list(upstream, kind).await {
        Err(HandshakeError::Unanswered(error)) => Err(HandshakeError::Unanswered(error)),
        Err(error) => {
            let server = upstream.server();
            tracing::warn!(target: "upstream", %server, "not listed: {error}");
            Ok(Vec::new())
        }
        listed => listed,
    }
}

/// Follows all pages of one list; an upstream that does not know the method has none.
async fn list(upstream: &impl Ask, kind: ListKind) -> Result<Vec<Definition>, HandshakeError> {
    let mut list = OfferList::new(kind);
    let mut cursor = None;
    loop {
        let params = list_params(upstream.era(), cursor.as_deref());
        match upstream.ask(kind.method(), params).await? {
            ReplyBody::Result(result) => match list.add_page(&result)? {
                Some(next) => cursor = Some(next),
                None => {
                    warn_of_nameless(upstream.server(), kind, list.nameless());
                    return Ok(list.into_items());
                }
            },
            ReplyBody::Error(error) => return none_listed(kind, RpcError::read(&error)),
        }
    }
}

/// One broken definition must not hide the others; but whoever wrote the server should hear of it.
fn warn_of_nameless(server: &ServerName, kind: ListKind, count: usize) {
    if count > 0 {
        tracing::warn!(target: "upstream", %server, ?kind, count, "left out what has no usable name");
    }
}

fn none_listed(kind: ListKind, error: RpcError) -> Result<Vec<Definition>, HandshakeError> {
    match error.code {
        METHOD_NOT_FOUND => Ok(Vec::new()),
        _ => Err(HandshakeError::Refused {
            method: kind.method(),
            error,
        }),
    }
}

/// Why an upstream is not greeted, or what it offers not listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// It answered with an error.
    #[error("it refused {method}: {error}")]
    Refused {
        /// What we asked.
        method: &'static str,
        /// Its answer.
        error: RpcError,
    },
    /// It was understood, but not agreed with.
    #[error(transparent)]
    Greeting(#[from] GreetingError),
    /// One of its lists is not usable.
    #[error(transparent)]
    List(#[from] OfferListError),
    /// No answer came.
    #[error("{}", cause(.0))]
    Unanswered(#[from] CallError),
}

/// The cause alone, where the error names the upstream as well.
pub(crate) fn cause(error: &CallError) -> String {
    match error {
        CallError::UpstreamDown { why, .. } => why.clone(),
        other => other.to_string(),
    }
}
