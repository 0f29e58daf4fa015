//! What is asked of every upstream, whatever carries it: its list of tools; and why a handshake fails.

use bytes::Bytes;
use peerage_protocol::id::ServerName;

use super::greeting::{GreetingError, list_params};
use super::rpc_error::{METHOD_NOT_FOUND, RpcError};
use super::tool_list::{ToolList, ToolListError};
use super::upstream::ToolDefinition;
use crate::gateway::call::{CallError, Era, ReplyBody};

/// The notification that an upstream's tools have changed.
pub(crate) const LIST_CHANGED: &str = "notifications/tools/list_changed";

/// An upstream that answers requests of our own.
pub(crate) trait Ask: Sync {
    /// The name it goes by here.
    fn server(&self) -> &ServerName;

    /// The era in which it is asked.
    fn era(&self) -> Era;

    /// Asks, and waits for the answer.
    fn ask(
        &self,
        method: &str,
        params: Bytes,
    ) -> impl Future<Output = Result<ReplyBody, CallError>> + Send;
}

/// Lists all tools of a greeted upstream; one that knows no `tools/list` has none.
pub(crate) async fn list_tools(upstream: &impl Ask) -> Result<Vec<ToolDefinition>, HandshakeError> {
    let mut list = ToolList::default();
    let mut cursor = None;
    loop {
        let params = list_params(upstream.era(), cursor.as_deref());
        match upstream.ask("tools/list", params).await? {
            ReplyBody::Result(result) => match list.add_page(&result)? {
                Some(next) => cursor = Some(next),
                None => {
                    warn_of_nameless(upstream.server(), list.nameless());
                    return Ok(list.into_tools());
                }
            },
            ReplyBody::Error(error) => return no_tools(RpcError::read(&error)),
        }
    }
}

/// One broken tool must not hide the others; but whoever wrote the server should hear of it.
fn warn_of_nameless(server: &ServerName, count: usize) {
    if count > 0 {
        tracing::warn!(target: "upstream", %server, count, "left out tools without a usable name");
    }
}

fn no_tools(error: RpcError) -> Result<Vec<ToolDefinition>, HandshakeError> {
    match error.code {
        METHOD_NOT_FOUND => Ok(Vec::new()),
        _ => Err(HandshakeError::Refused {
            method: "tools/list",
            error,
        }),
    }
}

/// Why an upstream is not greeted, or its tools not listed.
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
    /// Its tools are not usable.
    #[error(transparent)]
    Tools(#[from] ToolListError),
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
