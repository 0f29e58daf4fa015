//! What the node itself offers to its local clients: tools, one file a category, and resources. Members of the mesh
//! are not offered them: each has its own.

pub mod agents;
pub mod answer;
pub mod catalog;
mod resources;

use bytes::Bytes;
use futures::future::BoxFuture;

use self::answer::ToolError;
use crate::gateway::call::{Call, CallError, Caller};
use crate::gateway::directory::Directory;
use crate::gateway::frontend::rest::api::NodesResponse;
use crate::gateway::router::subscriptions::Updates;

pub use resources::{MembersChanged, NodesPage};

/// The builtin tools and resources of one node, beside those that stand for what a list leaves out.
pub struct Builtins {
    directory: Directory,
    changed: MembersChanged,
    nodes: NodesPage,
}

impl Builtins {
    /// Builtins that know the agents by `directory`, and follow what `changed` tells.
    pub fn new(directory: Directory, changed: MembersChanged) -> Self {
        Self {
            directory,
            changed,
            nodes: NodesPage::default(),
        }
    }

    /// From here on the members are shown as `nodes` gives them.
    pub fn show_nodes(&self, nodes: impl Fn() -> NodesResponse + Send + Sync + 'static) {
        self.nodes.set(nodes);
    }

    /// The agents of the mesh.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The raw definitions of the tools.
    pub fn tools(&self) -> Vec<&'static str> {
        agents::DEFINITIONS.to_vec()
    }

    /// The raw definitions of the resources.
    pub fn resources(&self) -> Vec<&'static str> {
        resources::DEFINITIONS.to_vec()
    }

    /// Calls the tool `name`; `None` where it is none of these.
    pub fn call<'a>(&'a self, name: &str, call: &'a Call) -> Option<BoxFuture<'a, Bytes>> {
        let directory = &self.directory;
        let answered = match name {
            agents::AGENT_REGISTER => agents::register(directory, call),
            agents::AGENT_STATUS => agents::status(directory, call),
            agents::AGENT_LIST => agents::list(directory, call),
            _ => return None,
        };
        let result = answered.unwrap_or_else(|error: ToolError| error.result());
        Some(Box::pin(std::future::ready(result)))
    }

    /// Reads the resource `uri`: the raw result; `None` where it is none of these.
    pub fn read(&self, uri: &str, caller: &Caller) -> Option<Result<Bytes, CallError>> {
        resources::read(self, uri, caller)
    }

    /// Follows the resource `uri`; `None` where it is none of these.
    pub fn follow(&self, uri: &str, caller: &Caller) -> Option<Result<Updates, CallError>> {
        resources::follow(self, uri, caller)
    }
}
