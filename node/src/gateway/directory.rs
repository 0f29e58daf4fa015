//! Every agent of the mesh that is present, as this node knows it: its own first, then those that other nodes tell of.

use std::sync::Arc;

use peerage_protocol::id::{NodeId, NodeName};
use peerage_protocol::membership::present_agent::PresentAgent;
use peerage_protocol::membership::roster::Roster;
use serde::{Deserialize, Serialize};

use crate::control::Snapshots;
use crate::identity::Agents;

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Its address, `name@node`.
    pub agent: String,
    /// The name of its node.
    pub node: String,
    /// Its node's id.
    pub node_id: String,
    /// Whether it is at this node.
    pub local: bool,
    /// What it says it can do.
    pub capabilities: Vec<String>,
    /// What it says it is doing.
    pub status: Option<String>,
}

/// Who is present, anywhere.
#[derive(Clone)]
pub struct Directory {
    me: NodeId,
    /// What this node is called while it belongs to no mesh.
    name: NodeName,
    agents: Agents,
    snapshots: Arc<Snapshots>,
}

impl Directory {
    /// A directory of the agents here and of what the roster in `snapshots` says of others.
    pub fn new(me: NodeId, name: NodeName, agents: Agents, snapshots: Arc<Snapshots>) -> Self {
        Self {
            me,
            name,
            agents,
            snapshots,
        }
    }

    /// This node.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// The members; `None` while this node belongs to no mesh.
    pub fn roster(&self) -> Option<Arc<Roster>> {
        self.snapshots.roster()
    }

    /// The agents of this node.
    pub fn local(&self) -> &Agents {
        &self.agents
    }

    /// What this node is called now.
    pub fn own_name(&self) -> NodeName {
        let roster = self.snapshots.roster();
        roster.map_or_else(
            || self.name.clone(),
            |roster| roster.own.body().name.clone(),
        )
    }

    /// The node that goes by `name`: this one, or a member.
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        if self.own_name().as_str() == name {
            return Some(self.me);
        }
        let name: NodeName = name.parse().ok()?;
        self.roster()?.named(&name)
    }

    /// All, those of this node first, then by node and name.
    pub fn all(&self) -> Vec<AgentStatus> {
        let own_name = self.own_name();
        let here = self.agents.present();
        let here = here.iter().map(|agent| self.local_status(&own_name, agent));
        let mut others = self.elsewhere();
        others.sort_by(|one, other| (&one.node, &one.agent).cmp(&(&other.node, &other.agent)));
        here.chain(others).collect()
    }

    /// How an agent of this node looks.
    pub fn local_status(&self, own_name: &NodeName, agent: &PresentAgent) -> AgentStatus {
        status(self.me, own_name, agent, true)
    }

    fn elsewhere(&self) -> Vec<AgentStatus> {
        let Some(roster) = self.snapshots.roster() else {
            return Vec::new();
        };
        let away = self.snapshots.away();
        let mut found = Vec::new();
        for (node, _) in roster.members() {
            let record = roster.known(node).and_then(|known| known.record());
            let Some(record) = record.filter(|record| !record.leaving) else {
                continue;
            };
            if !away.contains_key(&node)
                && let Some(name) = roster.name_of(node)
            {
                let agents = record.agents.iter();
                found.extend(agents.map(|agent| status(node, &name, agent, false)));
            }
        }
        found
    }
}

fn status(node: NodeId, name: &NodeName, agent: &PresentAgent, local: bool) -> AgentStatus {
    AgentStatus {
        agent: format!("{}@{name}", agent.name),
        node: name.to_string(),
        node_id: node.to_string(),
        local,
        capabilities: agent.capabilities.clone(),
        status: agent.status.clone(),
    }
}
