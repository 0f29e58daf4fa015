//! Agents that are present at a node, as the node tells of them in its signed record.

use serde::{Deserialize, Serialize};

use crate::id::AgentName;
use crate::limits::{
    AGENT_CAPABILITIES_MAX, AGENT_CAPABILITY_BYTES_MAX, AGENT_STATUS_BYTES_MAX, AGENTS_BYTES_MAX,
    AGENTS_PER_NODE_MAX,
};
use crate::wire::encode_cbor;

/// An agent that has used its node lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresentAgent {
    /// Its name at its node.
    pub name: AgentName,
    /// What it says it can do, in its own words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// What it says it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// What an agent says of itself is over a bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// More capabilities than [`AGENT_CAPABILITIES_MAX`].
    #[error("{found} capabilities are too many; at most {AGENT_CAPABILITIES_MAX} are told")]
    Capabilities {
        /// How many there are.
        found: usize,
    },
    /// A capability without text, or over [`AGENT_CAPABILITY_BYTES_MAX`].
    #[error("the capability {capability:?} must have 1 to {AGENT_CAPABILITY_BYTES_MAX} bytes")]
    Capability {
        /// Its beginning.
        capability: String,
    },
    /// A status over [`AGENT_STATUS_BYTES_MAX`].
    #[error("the status has {found} bytes; at most {AGENT_STATUS_BYTES_MAX} are told")]
    Status {
        /// Its length.
        found: usize,
    },
    /// More than [`AGENTS_PER_NODE_MAX`] agents, or more than [`AGENTS_BYTES_MAX`] together.
    #[error(
        "the agents of this node say more than it can tell the mesh: at most {AGENTS_PER_NODE_MAX} agents and \
         {AGENTS_BYTES_MAX} bytes together; use shorter texts, or wait until another agent is gone"
    )]
    Full,
}

impl PresentAgent {
    /// Checks the bounds of one agent.
    ///
    /// # Errors
    ///
    /// Names the first bound that it breaks.
    pub fn check(&self) -> Result<(), AgentError> {
        let found = self.capabilities.len();
        if found > AGENT_CAPABILITIES_MAX {
            return Err(AgentError::Capabilities { found });
        }
        let short = 1..=AGENT_CAPABILITY_BYTES_MAX;
        let outside = |capability: &&String| !short.contains(&capability.len());
        if let Some(capability) = self.capabilities.iter().find(outside) {
            let capability = capability
                .chars()
                .take(AGENT_CAPABILITY_BYTES_MAX)
                .collect();
            return Err(AgentError::Capability { capability });
        }
        match self.status.as_ref().map_or(0, String::len) {
            found if found > AGENT_STATUS_BYTES_MAX => Err(AgentError::Status { found }),
            _ => Ok(()),
        }
    }
}

/// Checks what one node tells of all its agents.
///
/// # Errors
///
/// Names the first bound that is broken.
pub fn check_agents(agents: &[PresentAgent]) -> Result<(), AgentError> {
    agents.iter().try_for_each(PresentAgent::check)?;
    let fits = agents.len() <= AGENTS_PER_NODE_MAX
        && (agents.is_empty() || encode_cbor(&agents).len() <= AGENTS_BYTES_MAX);
    match fits {
        true => Ok(()),
        false => Err(AgentError::Full),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn agent(name: &str) -> PresentAgent {
        PresentAgent {
            name: name.parse().unwrap(),
            capabilities: vec!["review".to_owned()],
            status: Some("reading".to_owned()),
        }
    }

    #[test]
    fn the_bytes_of_an_agent_are_fixed() {
        let bytes = encode_cbor(&agent("coder"));
        let expected = "a3646e616d6565636f6465726c6361706162696c697469657381667265766965776673746174757367726561\
                        64696e67";
        assert_eq!(data_encoding::HEXLOWER.encode(&bytes), expected);
    }

    #[test]
    fn every_bound_of_an_agent_is_a_named_refusal() {
        let mut many = agent("coder");
        many.capabilities = vec!["x".to_owned(); AGENT_CAPABILITIES_MAX + 1];
        assert!(matches!(many.check(), Err(AgentError::Capabilities { .. })));
        let mut empty = agent("coder");
        empty.capabilities = vec![String::new()];
        assert!(matches!(empty.check(), Err(AgentError::Capability { .. })));
        let mut long = agent("coder");
        long.status = Some("x".repeat(AGENT_STATUS_BYTES_MAX + 1));
        assert!(matches!(long.check(), Err(AgentError::Status { .. })));
        assert_eq!(agent("coder").check(), Ok(()));
    }

    #[test]
    fn a_node_tells_of_so_many_agents_and_bytes_and_no_more() {
        let name = |number: usize| PresentAgent {
            capabilities: Vec::new(),
            status: None,
            ..agent(&format!("a{number}"))
        };
        let agents: Vec<_> = (0..=AGENTS_PER_NODE_MAX).map(name).collect();
        assert_eq!(check_agents(&agents), Err(AgentError::Full));
        assert_eq!(check_agents(&agents[1..]), Ok(()));
        let mut wordy = agents[1..].to_vec();
        for agent in &mut wordy {
            agent.status = Some("x".repeat(AGENT_STATUS_BYTES_MAX));
        }
        assert_eq!(check_agents(&wordy), Err(AgentError::Full));
    }
}
