//! What builtin tools answer: results for models and programs alike, and errors that a model can act on.

use bytes::Bytes;
use peerage_protocol::id::AgentName;
use peerage_protocol::membership::present_agent::AgentError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::failure_kind::{FAILURE_KIND, FailureKind};
use crate::deciding::DecidingError;
use crate::gateway::call::Caller;
use crate::gateway::mcp::splice::Params;
use crate::messaging::MessagingError;
use crate::store::StoreError;
use crate::tasks::TaskServiceError;

/// Why a builtin tool did not do it. The text is for the model that called it.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The caller has no token.
    #[error(
        "this works for agents with a name only, and you call as a guest, without a token. Get one on the machine of \
         this node: `peerage connect CLIENT --write` sets up a known client, `peerage token create NAME` prints a token \
         to send as `Authorization: Bearer TOKEN`, and `peerage mcp --as NAME` needs none"
    )]
    Guest,
    /// The arguments do not fit the input schema.
    #[error("the arguments do not fit the tool's input schema: {why}")]
    Arguments {
        /// What is wrong.
        why: String,
    },
    /// What an agent says of itself is over a bound.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The message was not sent.
    #[error(transparent)]
    Messaging(#[from] MessagingError),
    /// Only the machine's owner may.
    #[error(
        "only the owner of the machine may do this, by the command line: `peerage task reassign`"
    )]
    OwnerOnly,
    /// Nothing came of it.
    #[error(transparent)]
    Task(#[from] TaskServiceError),
    /// No task goes by that id.
    #[error("no task {task} is known here; task_list shows those that are")]
    UnknownTask {
        /// As the caller named it.
        task: String,
    },
    /// Nothing was proposed, voted or found.
    #[error(transparent)]
    Deciding(#[from] DecidingError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No agent goes by that address.
    #[error("no agent {agent} is present; agent_list shows those who are")]
    UnknownAgent {
        /// As the caller named it.
        agent: String,
    },
}

impl ToolError {
    /// The raw result, marked as an error, with its kind for programs.
    pub fn result(&self) -> Bytes {
        let text = self.to_string();
        let kind = FailureKind::of(self);
        let result = json!({
            "content": [{"type": "text", "text": text}],
            "isError": true,
            "_meta": {FAILURE_KIND: kind},
        });
        result.to_string().into()
    }
}

/// The named agent behind a call.
pub(super) fn agent(caller: &Caller) -> Result<&AgentName, ToolError> {
    match caller {
        Caller::Agent(name) => Ok(name),
        Caller::Guest | Caller::Owner | Caller::Peer { .. } => Err(ToolError::Guest),
    }
}

/// The arguments of a call, read.
pub(super) fn arguments<'a, T: Deserialize<'a>>(params: &'a Params) -> Result<T, ToolError> {
    let raw = params.arguments().unwrap_or(b"{}");
    serde_json::from_slice(raw).map_err(|error| ToolError::Arguments {
        why: error.to_string(),
    })
}

/// A result that says `json` as its structure and as its text, for clients of either kind.
pub(super) fn said_twice(json: &str) -> Bytes {
    let text = Value::from(json).to_string();
    [
        r#"{"content":[{"type":"text","text":"#,
        &text,
        r#"}],"structuredContent":"#,
        json,
        "}",
    ]
    .concat()
    .into()
}
