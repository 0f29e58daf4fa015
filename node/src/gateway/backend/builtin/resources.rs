//! The node's own resources: who is here. A page is followed by looking at it again whenever something has changed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use super::Builtins;
use crate::control::{Links, Snapshots};
use crate::gateway::call::{CallError, Caller};
use crate::gateway::frontend::rest::api::NodesResponse;
use crate::gateway::router::subscriptions::Updates;
use crate::identity::Agents;

/// The agents that are present.
const AGENTS: &str = "peerage://agents";
/// The members of the mesh.
const NODES: &str = "peerage://nodes";

/// The definitions, as they are listed.
pub(super) const DEFINITIONS: [&str; 2] = [
    r#"{"uri":"peerage://agents","name":"agents","title":"Agents of the mesh","description":"The agents that are present on all machines of the mesh, with what they can do and what they are doing. Subscribe to be told when one comes, goes or changes.","mimeType":"application/json"}"#,
    r#"{"uri":"peerage://nodes","name":"nodes","title":"Machines of the mesh","description":"The machines of the mesh as this one knows them: state, role, path and round trip. Subscribe to be told when one comes or goes.","mimeType":"application/json"}"#,
];

/// A page that is followed is looked at no more often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Tells that somebody has come or gone: members, links or agents.
#[derive(Clone)]
pub struct MembersChanged {
    members: watch::Receiver<u64>,
    links: watch::Receiver<Arc<Links>>,
    agents: watch::Receiver<u64>,
}

impl MembersChanged {
    /// Of what control publishes, and of the agents of this node.
    pub fn new(snapshots: &Snapshots, agents: &Agents) -> Self {
        Self {
            members: snapshots.member_changes(),
            links: snapshots.links(),
            agents: agents.changes(),
        }
    }

    /// Waits for the next change; false when there will be none. Cancel-safe.
    async fn next(&mut self) -> bool {
        let changed = tokio::select! {
            changed = self.members.changed() => changed,
            changed = self.links.changed() => changed,
            changed = self.agents.changed() => changed,
        };
        changed.is_ok()
    }
}

/// Renders the members, once the network stands.
#[derive(Default)]
pub struct NodesPage(OnceLock<Arc<dyn Fn() -> NodesResponse + Send + Sync>>);

impl NodesPage {
    pub(super) fn set(&self, nodes: impl Fn() -> NodesResponse + Send + Sync + 'static) {
        // Told once, when the node starts.
        let _ = self.0.set(Arc::new(nodes));
    }

    fn render(&self) -> NodesResponse {
        self.0.get().map(|nodes| nodes()).unwrap_or_default()
    }
}

/// Reads a resource; `None` where it is no builtin.
pub(super) fn read(
    builtins: &Builtins,
    uri: &str,
    _caller: &Caller,
) -> Option<Result<Bytes, CallError>> {
    let text = match uri {
        AGENTS => json!({"agents": builtins.directory.all()}).to_string(),
        NODES => json!(builtins.nodes.render()).to_string(),
        _ => return None,
    };
    Some(Ok(contents(uri, &text)))
}

/// The raw result of a read.
fn contents(uri: &str, text: &str) -> Bytes {
    let content = json!({"uri": uri, "mimeType": "application/json", "text": text});
    json!({"contents": [content]}).to_string().into()
}

/// Follows a resource; `None` where it is no builtin.
pub(super) fn follow(
    builtins: &Builtins,
    uri: &str,
    _caller: &Caller,
) -> Option<Result<Updates, CallError>> {
    let changed = builtins.changed.clone();
    let updates = match uri {
        AGENTS => {
            let directory = builtins.directory.clone();
            pages(changed, move || directory.all())
        }
        NODES => {
            let nodes = builtins.nodes.0.get().cloned();
            let known = move || {
                let nodes = nodes
                    .as_ref()
                    .map(|nodes| nodes().nodes)
                    .unwrap_or_default();
                // Round trips and clocks change all the time.
                nodes
                    .into_iter()
                    .map(|node| (node.node, node.name, node.state, node.role, node.path))
                    .collect::<Vec<_>>()
            };
            pages(changed, known)
        }
        _ => return None,
    };
    Some(Ok(updates))
}

/// One item each time the page has changed.
fn pages<P>(mut changed: MembersChanged, page: impl Fn() -> P + Send + 'static) -> Updates
where
    P: PartialEq + Send + 'static,
{
    changed.members.mark_unchanged();
    changed.links.mark_unchanged();
    changed.agents.mark_unchanged();
    let shown = page();
    stream::unfold(
        (changed, page, shown),
        |(mut changed, page, shown)| async move {
            loop {
                if !changed.next().await {
                    return None;
                }
                sleep(LOOK_EVERY).await;
                let now = page();
                if now != shown {
                    return Some(((), (changed, page, now)));
                }
            }
        },
    )
    .boxed()
}
