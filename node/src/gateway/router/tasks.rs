//! Calls that become tasks: their ids name their owner here, so that what is asked of a task later finds it.
//!
//! `SERVER:ID` is a task of this node's server, `SERVER.NODE:ID` one of another node's; names hold neither dot nor
//! colon, so whatever the server's own id is, it comes back. Who knows the id may ask, as MCP has it where callers are
//! not told apart; so tasks are not listed.

use futures::FutureExt;
use peerage_protocol::catalog::resource_uri::authority;
use peerage_protocol::catalog::snapshot::{Catalog, Provider};

use super::Router;
use crate::gateway::call::{Call, CallError, Era, Reply, ReplyBody, Replying};
use crate::gateway::mcp::era::CAPABILITIES_KEY;
use crate::gateway::mcp::splice::{Params, is_task, replace_member, task_id_of, with_task_ids};
use crate::net::substream::OpenSubstream;

/// The extension by which a modern client says that it knows tasks.
const EXTENSION: &[u8] = b"io.modelcontextprotocol/tasks";

impl<O: OpenSubstream> Router<O> {
    /// `tasks/get` and whatever else is asked of one task.
    pub(super) async fn ask_of_task(&self, mut call: Call) -> Result<Reply, CallError> {
        let raw = call.params.to_bytes();
        let id = task_id_of(&raw).ok_or_else(|| CallError::InvalidParams {
            what: "params.taskId must be a string: the id of a task".to_owned(),
        })?;
        let catalog = self.snapshots.catalog();
        let (owner, own) = id.split_once(':').ok_or_else(unknown_task)?;
        let (provider, reachable) = owner_of(&catalog, owner).ok_or_else(unknown_task)?;
        let params = replace_member(&raw, "taskId", own).ok_or_else(unknown_task)?;
        call.params = Params::scan(params).map_err(|error| CallError::InvalidParams {
            what: error.to_string(),
        })?;
        let reply = self
            .send(provider, reachable, call, unknown_task())?
            .await?;
        Ok(with_qualified_ids(reply, provider))
    }
}

/// Whether a call of a tool may become a task, by what its caller says.
pub(super) fn may_become_task(call: &Call) -> bool {
    match call.era {
        Era::Legacy => call.params.asks_for_task(),
        Era::Modern => {
            let capabilities = call.params.meta_raw(CAPABILITIES_KEY);
            capabilities.is_some_and(|raw| memchr::memmem::find(raw, EXTENSION).is_some())
        }
    }
}

/// The reply on its way, with the id of the task that it may be naming `provider`.
pub(super) fn naming_owner(replying: Replying, provider: Provider) -> Replying {
    async move {
        let reply = replying.await?;
        Ok(match &reply.body {
            ReplyBody::Result(raw) if is_task(raw) => with_qualified_ids(reply, &provider),
            _ => reply,
        })
    }
    .boxed()
}

/// What a caller is told that asks for a task that is not there, or that it may not see.
pub(super) fn unknown_task() -> CallError {
    CallError::InvalidParams {
        what: "Failed to retrieve task: Task not found".to_owned(),
    }
}

fn owner_of<'a>(catalog: &'a Catalog, owner: &str) -> Option<(&'a Provider, bool)> {
    let (server, node) = match owner.split_once('.') {
        Some((server, node)) => (server, Some(node)),
        None => (owner, None),
    };
    let is_owner = |provider: &Provider| match provider {
        Provider::Local { server: own } => node.is_none() && own.as_str() == server,
        Provider::Peer {
            node_name,
            server: own,
            ..
        } => node == Some(node_name.as_str()) && own.as_str() == server,
    };
    let mut entries = catalog.entries();
    let entry = entries.find(|entry| is_owner(&entry.provider))?;
    Some((&entry.provider, entry.reachable))
}

fn with_qualified_ids(reply: Reply, provider: &Provider) -> Reply {
    let Reply { era, body } = reply;
    let owner = authority(provider);
    let body = match body {
        ReplyBody::Result(raw) => {
            let named = with_task_ids(&raw, |own| format!("{owner}:{own}"));
            ReplyBody::Result(named.unwrap_or(raw))
        }
        error => error,
    };
    Reply { era, body }
}
