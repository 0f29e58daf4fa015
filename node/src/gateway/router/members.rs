//! What members may ask of this node's servers: of those that are shared, by the role in the member's certificate.
//! What is private or refused looks like what is not there.

use peerage_protocol::catalog::naming::local_name;
use peerage_protocol::catalog::snapshot::Provider;
use peerage_protocol::id::ServerName;
use serde::Deserialize;

use super::{Router, TOOLS_CALL};
use crate::gateway::backend::upstream::ListKind;
use crate::gateway::call::{Call, CallError, Caller, Reply};
use crate::gateway::mcp::splice::Reference;
use crate::net::substream::OpenSubstream;

/// The method that asks for updates of a resource, between nodes as in the modern era.
const LISTEN: &str = "subscriptions/listen";

impl<O: OpenSubstream> Router<O> {
    /// Answers a member: requests to shared servers, and nothing else.
    pub(super) async fn call_for_member(
        &self,
        server: ServerName,
        call: Call,
    ) -> Result<Reply, CallError> {
        let unknown = match unknown(&call) {
            Some(unknown) if is_for_servers(&call.method) => unknown,
            _ => {
                return Err(CallError::UnknownMethod {
                    method: call.method.into(),
                });
            }
        };
        let shared = self.snapshots.shares().get(&server).copied();
        if shared != Some(true) || !self.may_ask(&server, &call).await? {
            return Err(unknown);
        }
        match &*call.method {
            LISTEN => self.follow_for_member(&server, call, unknown).await,
            _ => self.call_local(&server, call, unknown).await,
        }
    }

    /// Whether the role in its certificate lets a member ask this. A node that may not know yet who was put out
    /// meanwhile serves nobody.
    async fn may_ask(&self, server: &ServerName, call: &Call) -> Result<bool, CallError> {
        let Caller::Peer { node, .. } = &call.caller else {
            return Ok(true);
        };
        if !self.snapshots.caught_up_by(call.deadline).await {
            return Err(CallError::Busy {
                what: "the node, which has not heard from the mesh since it came back,".to_owned(),
            });
        }
        let roster = self.snapshots.roster();
        let may = |read_only| {
            let roster = roster.as_ref();
            roster.is_some_and(|roster| roster.may_call(*node, server, read_only))
        };
        Ok(may(false) || may(true) && self.only_reads(server, call))
    }

    /// Whether a request changes nothing: by its method, or because the tool it calls says so of itself.
    fn only_reads(&self, server: &ServerName, call: &Call) -> bool {
        match &*call.method {
            "prompts/get" | "resources/read" | "completion/complete" | LISTEN => true,
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

/// What a caller is told that asks for something it may not see, or that is not there; `None` where the request says
/// not what it is about.
fn unknown(call: &Call) -> Option<CallError> {
    let params = &call.params;
    let name = || params.name().map(|name| name.into_owned());
    let uri = || params.uri().map(|uri| uri.into_owned());
    match &*call.method {
        "prompts/get" => Some(CallError::UnknownPrompt { name: name()? }),
        "completion/complete" => Some(match params.reference()? {
            Reference::Prompt(name) => CallError::UnknownPrompt { name },
            Reference::Resource(uri) => CallError::UnknownResource { uri },
        }),
        LISTEN => Some(CallError::UnknownResource { uri: String::new() }),
        _ => match uri() {
            Some(uri) => Some(CallError::UnknownResource { uri }),
            None => Some(CallError::UnknownTool { name: name()? }),
        },
    }
}
