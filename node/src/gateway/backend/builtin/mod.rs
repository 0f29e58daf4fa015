//! What the node itself offers to its local clients: tools, one file a category, prompts and resources. Members of the mesh
//! are not offered them: each has its own.

pub mod agents;
pub mod answer;
pub mod catalog;
pub mod consensus;
pub mod failure_kind;
pub mod messages;
mod prompts;
mod resources;
pub mod tasks;

use std::sync::Arc;

use bytes::Bytes;

use crate::deciding::Deciding;
use crate::gateway::call::{Call, CallError, Caller};
use crate::gateway::directory::Directory;
use crate::gateway::frontend::rest::api::NodesResponse;
use crate::gateway::router::subscriptions::Updates;
use crate::messaging::Messaging;
use crate::tasks::TaskService;

pub use resources::{MembersChanged, NodesPage};

/// The builtin tools and resources of one node, beside those that stand for what a list leaves out.
pub struct Builtins {
    directory: Directory,
    messaging: Arc<Messaging>,
    tasks: Arc<TaskService>,
    deciding: Arc<Deciding>,
    changed: MembersChanged,
    nodes: NodesPage,
}

impl Builtins {
    /// Builtins that know the agents by `directory`, write through `messaging`, share work through `tasks`, decide
    /// through `deciding`, and follow what `changed` tells.
    pub fn new(
        directory: Directory,
        messaging: Arc<Messaging>,
        tasks: Arc<TaskService>,
        deciding: Arc<Deciding>,
        changed: MembersChanged,
    ) -> Self {
        Self {
            directory,
            messaging,
            tasks,
            deciding,
            changed,
            nodes: NodesPage::default(),
        }
    }

    /// From here on the members are shown as `nodes` gives them.
    pub fn show_nodes(&self, nodes: impl Fn() -> NodesResponse + Send + Sync + 'static) {
        self.nodes.set(nodes);
    }

    /// The raw definitions of the tools.
    pub fn tools(&self) -> Vec<&'static str> {
        let agents = agents::DEFINITIONS.into_iter();
        let agents = agents.chain(messages::DEFINITIONS);
        let agents = agents.chain(tasks::DEFINITIONS);
        agents.chain(consensus::DEFINITIONS).collect()
    }

    /// The raw definitions of the resources.
    pub fn resources(&self) -> Vec<&'static str> {
        resources::DEFINITIONS.to_vec()
    }

    /// The raw definitions of the templates of resources.
    pub fn templates(&self) -> Vec<&'static str> {
        resources::TEMPLATES.to_vec()
    }

    /// The raw definitions of the prompts.
    pub fn prompts(&self) -> Vec<&'static str> {
        prompts::definitions()
    }

    /// Whether this tool is one of these: a look at its name, on every call's way.
    pub fn has_tool(name: &str) -> bool {
        agents::NAMES.contains(&name)
            || messages::NAMES.contains(&name)
            || tasks::NAMES.contains(&name)
            || consensus::NAMES.contains(&name)
    }

    /// Calls the tool `name`: the raw result; `None` where it is none of these.
    pub async fn call(&self, name: &str, call: &Call) -> Option<Bytes> {
        let directory = &self.directory;
        let answered = match name {
            agents::AGENT_REGISTER => agents::register(directory, call),
            agents::AGENT_STATUS => agents::status(directory, call),
            agents::AGENT_LIST => agents::list(directory, call),
            _ if tasks::NAMES.contains(&name) => return tasks::call(&self.tasks, name, call).await,
            _ if consensus::NAMES.contains(&name) => {
                return consensus::call(&self.deciding, name, call).await;
            }
            _ => return messages::call(&self.messaging, name, call).await,
        };
        Some(answered.unwrap_or_else(|error| error.result()))
    }

    /// Answers for the prompt `name`: the raw result; `None` where it is none of these.
    pub fn prompt(&self, name: &str, call: &Call) -> Option<Result<Bytes, CallError>> {
        prompts::get(&self.deciding, name, call)
    }

    /// Reads the resource `uri`: the raw result; `None` where it is none of these.
    pub async fn read(&self, uri: &str, caller: &Caller) -> Option<Result<Bytes, CallError>> {
        resources::read(self, uri, caller).await
    }

    /// Follows the resource `uri`; `None` where it is none of these.
    pub async fn follow(&self, uri: &str, caller: &Caller) -> Option<Result<Updates, CallError>> {
        resources::follow(self, uri, caller).await
    }
}
