//! The messages of the control API about agents; the rest are in [`super::api`], with the rules.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /v1/agents` | [`AgentsResponse`], as `GET /mcp/agents` on the MCP endpoint |
//! | `POST /v1/agent-of-token` [`TokenShown`] | [`AgentOfToken`] |

use serde::{Deserialize, Serialize};

use crate::gateway::directory::AgentStatus;

/// The agents that are present in the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentsResponse {
    /// Those of this node first, then by node and name.
    pub agents: Vec<AgentStatus>,
}

/// The token of some agent of this node. A secret: no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenShown {
    /// What the agent puts after `Authorization: Bearer`.
    pub token: String,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentOfToken {
    /// The agent.
    pub name: String,
}
