//! What members may ask of this node's servers: of those that are shared, by the role in the member's certificate.
//! What is private or refused looks like what is not there.

use futures::FutureExt;
use peerage_protocol::catalog::naming::local_name;
use peerage_protocol::catalog::snapshot::Provider;
use peerage_protocol::id::ServerName;
use serde::Deserialize;

use super::tasks::unknown_task;
use super::{Router, TOOLS_CALL, at_once};
use crate::gateway::backend::upstream::ListKind;
use crate::gateway::call::{Call, CallError, Caller, Reply, Replying};
use crate::gateway::mcp::splice::{Reference, task_id_of};
use crate::net::substream::OpenSubstream;

/// The method that asks for updates of a resource, between nodes as in the modern era.
const LISTEN: &str = "subscriptions/listen";

impl<O: OpenSubstream> Router<O> {
    /// Answers a member: requests to shared servers, and nothing else.
    pub(super) fn call_for_member(&self, server: ServerName, call: Call) -> Replying {
        if !is_for_servers(&call.method) || !names_something(&call) {
            let method = call.method.into();
            return at_once(Err(CallError::UnknownMethod { method }));
        }
        if &*call.method != LISTEN && self.snapshots.is_caught_up() {
            return self
                .begin_for_member(&server, call)
                .unwrap_or_else(|error| at_once(Err(error)));
        }
        let router = self.clone();
        async move { router.answer_member(&server, call).await }.boxed()
    }

    /// A node that may not know yet who was put out meanwhile serves no member.
    async fn answer_member(&self, server: &ServerName, call: Call) -> Result<Reply, CallError> {
        let is_member = matches!(call.caller, Caller::Peer { .. });
        if is_member && !self.snapshots.caught_up_by(call.deadline).await {
            return Err(CallError::Busy {
                what: "the node, which has not heard from the mesh since it came back,".to_owned(),
            });
        }
        match &*call.method {
            LISTEN if self.may_ask(server, &call) => self.follow_for_member(server, call).await,
            LISTEN => Err(unknown(&call)),
            _ => self.begin_for_member(server, call)?.await,
        }
    }

    fn begin_for_member(&self, server: &ServerName, call: Call) -> Result<Replying, CallError> {
        let backend = self.locals.backend(server);
        match backend.filter(|_| self.may_ask(server, &call)) {
            Some(backend) => Ok(backend.call(call)),
            None => Err(unknown(&call)),
        }
    }

    /// Whether a server is shared, and the role in its certificate lets a member ask this.
    fn may_ask(&self, server: &ServerName, call: &Call) -> bool {
        if self.snapshots.shares().get(server) != Some(&true) {
            return false;
        }
        let Caller::Peer { node, .. } = &call.caller else {
            return true;
        };
        let roster = self.snapshots.roster();
        let may = |read_only| {
            let roster = roster.as_ref();
            roster.is_some_and(|roster| roster.may_call(*node, server, read_only))
        };
        may(false) || may(true) && self.only_reads(server, call)
    }

    /// Whether a request changes nothing: by its method, or because the tool it calls says so of itself.
    fn only_reads(&self, server: &ServerName, call: &Call) -> bool {
        match &*call.method {
            "prompts/get" | "resources/read" | "completion/complete" | LISTEN => true,
            "tasks/get" | "tasks/result" => true,
            TOOLS_CALL => {
                let name = call.params.name();
                name.is_some_and(|name| self.is_read_only(server, &name))
            }
            _ => false,
        }
    }

    fn is_read_only(&self, server: &ServerName, tool: &str) -> bool {
        #[derive(Deserialize)]
        struct Definition {
            annotations: Option<Annotations>,
        }
        #[derive(Deserialize)]
        struct Annotations {
            #[serde(default, rename = "readOnlyHint")]
            read_only: bool,
        }
        let catalog = self.snapshots.catalog();
        let wanted = |provider: &Provider| matches!(provider, Provider::Local { server: of } if of == server);
        let definition = catalog
            .entry(&local_name(server, tool))
            .filter(|entry| wanted(&entry.provider))
            .and_then(|entry| serde_json::from_str::<Definition>(&entry.definition).ok());
        let annotations = definition.and_then(|definition| definition.annotations);
        annotations.is_some_and(|annotations| annotations.read_only)
    }
}

/// Whether a member may send this method to one of this node's servers: the session's own methods end at each node.
pub(super) fn is_for_servers(method: &str) -> bool {
    let own = matches!(
        method,
        "initialize"
            | "ping"
            | "server/discover"
            | "logging/setLevel"
            | "resources/subscribe"
            | "resources/unsubscribe"
    );
    !own && !method.starts_with("notifications/") && ListKind::of_method(method).is_none()
}

/// Whether a request says what it is about: else it could not be told from one for all that a server has.
fn names_something(call: &Call) -> bool {
    let params = &call.params;
    let is_named = params.name().is_some() || params.uri().is_some();
    let is_listening = &*call.method == LISTEN;
    is_named || params.reference().is_some() || is_listening || names_task(call)
}

fn names_task(call: &Call) -> bool {
    call.method.starts_with("tasks/") && task_id_of(&call.params.raw()).is_some()
}

/// What a caller is told that asks for something it may not see, or that is not there.
fn unknown(call: &Call) -> CallError {
    let params = &call.params;
    let name = || params.name().map(|name| name.into_owned());
    let uri = || params.uri().map(|uri| uri.into_owned());
    let known = match &*call.method {
        "prompts/get" => name().map(|name| CallError::UnknownPrompt { name }),
        "completion/complete" => params.reference().map(|reference| match reference {
            Reference::Prompt(name) => CallError::UnknownPrompt { name },
            Reference::Resource(uri) => CallError::UnknownResource { uri },
        }),
        LISTEN => Some(CallError::UnknownResource { uri: String::new() }),
        _ if names_task(call) => Some(unknown_task()),
        _ => uri()
            .map(|uri| CallError::UnknownResource { uri })
            .or_else(|| name().map(|name| CallError::UnknownTool { name })),
    };
    known.unwrap_or_else(|| CallError::UnknownMethod {
        method: call.method.to_string(),
    })
}
