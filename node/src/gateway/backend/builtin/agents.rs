//! The tools by which agents say what they are, and find each other.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::answer::{ToolError, agent, arguments, said_twice};
use crate::gateway::call::{Call, Caller};
use crate::gateway::directory::{AgentStatus, Directory};
use crate::identity::Description;

/// Says what the caller is.
pub const AGENT_REGISTER: &str = "agent_register";
/// Says what the caller is doing, or shows what another agent is doing.
pub const AGENT_STATUS: &str = "agent_status";
/// Lists the agents that are present.
pub const AGENT_LIST: &str = "agent_list";

/// The names of the three.
pub const NAMES: [&str; 3] = [AGENT_REGISTER, AGENT_STATUS, AGENT_LIST];

/// The definitions of the three, as they are listed.
pub const DEFINITIONS: [&str; 3] = [
    r#"{"name":"agent_register","title":"Introduce yourself","description":"Tells the agents on all machines of the mesh what you can do and what you are doing, so that they can find you with agent_list. Call it once at the start; call it again to change it. It lasts for as long as you keep calling. Example: {\"capabilities\":[\"code review\",\"rust\"],\"status\":\"waiting for work\"}","inputSchema":{"type":"object","properties":{"capabilities":{"type":"array","maxItems":8,"items":{"type":"string","minLength":1,"maxLength":32},"description":"A few words for each thing that you can do. Absent leaves them as they are."},"status":{"type":"string","maxLength":160,"description":"What you are doing now. Absent leaves it as it is, empty takes it back."}},"additionalProperties":false},"outputSchema":{"type":"object","properties":{"agent":{"type":"string","description":"Your address, name@node."},"node":{"type":"string"},"node_id":{"type":"string"},"local":{"type":"boolean"},"capabilities":{"type":"array","items":{"type":"string"}},"status":{"type":["string","null"]}},"required":["agent","node","node_id","local","capabilities","status"]},"annotations":{"readOnlyHint":false,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false}}"#,
    r#"{"name":"agent_status","title":"Agent status","description":"With `status`, says what you are doing now. With `agent`, shows what that agent says of itself. Without either, shows yourself. Examples: {\"status\":\"running the tests\"} or {\"agent\":\"coder@laptop\"}","inputSchema":{"type":"object","properties":{"status":{"type":"string","maxLength":160,"description":"What you are doing now; empty takes it back."},"agent":{"type":"string","description":"Whom to look at: name@node, as agent_list gives it."}},"additionalProperties":false},"outputSchema":{"type":"object","properties":{"agent":{"type":"string"},"node":{"type":"string"},"node_id":{"type":"string"},"local":{"type":"boolean"},"capabilities":{"type":"array","items":{"type":"string"}},"status":{"type":["string","null"]}},"required":["agent","node","node_id","local","capabilities","status"]},"annotations":{"readOnlyHint":false,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false}}"#,
    r#"{"name":"agent_list","title":"List agents","description":"Lists the agents that are present on all machines of the mesh, each with its address (name@node), what it can do and what it is doing. Example: {\"capability\":\"review\"}","inputSchema":{"type":"object","properties":{"capability":{"type":"string","description":"Only agents with this word in one of their capabilities."},"node":{"type":"string","description":"Only agents at the node of this name."}},"additionalProperties":false},"outputSchema":{"type":"object","properties":{"agents":{"type":"array","items":{"type":"object","properties":{"agent":{"type":"string"},"node":{"type":"string"},"node_id":{"type":"string"},"local":{"type":"boolean"},"capabilities":{"type":"array","items":{"type":"string"}},"status":{"type":["string","null"]}},"required":["agent","node","node_id","local","capabilities","status"]}}},"required":["agents"]},"annotations":{"readOnlyHint":true,"openWorldHint":false}}"#,
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register {
    capabilities: Option<Vec<String>>,
    status: Option<String>,
}

/// Answers `agent_register`.
pub(super) fn register(directory: &Directory, call: &Call) -> Result<Bytes, ToolError> {
    let Register {
        capabilities,
        status,
    } = arguments(&call.params)?;
    let description = Description {
        capabilities,
        status,
    };
    describe(directory, &call.caller, description)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    status: Option<String>,
    agent: Option<String>,
}

/// Answers `agent_status`.
pub(super) fn status(directory: &Directory, call: &Call) -> Result<Bytes, ToolError> {
    let Status { status, agent } = arguments(&call.params)?;
    match agent {
        Some(_) if status.is_some() => Err(ToolError::Arguments {
            why: "give status (your own) or agent (another's), not both".to_owned(),
        }),
        Some(named) => {
            let found = directory.all().into_iter().find(|one| one.agent == named);
            let found = found.ok_or(ToolError::UnknownAgent { agent: named })?;
            Ok(said_twice(&json!(found).to_string()))
        }
        None => {
            let description = Description {
                capabilities: None,
                status,
            };
            describe(directory, &call.caller, description)
        }
    }
}

fn describe(
    directory: &Directory,
    caller: &Caller,
    description: Description,
) -> Result<Bytes, ToolError> {
    let name = agent(caller)?;
    directory.local().describe(name, description)?;
    let described = directory.local().description(name);
    let described = described.ok_or_else(|| ToolError::UnknownAgent {
        agent: name.to_string(),
    })?;
    let status = directory.local_status(&directory.own_name(), &described);
    Ok(said_twice(&json!(status).to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    capability: Option<String>,
    node: Option<String>,
}

/// Answers `agent_list`.
pub(super) fn list(directory: &Directory, call: &Call) -> Result<Bytes, ToolError> {
    let List { capability, node } = arguments(&call.params)?;
    let word = capability.map(|word| word.to_lowercase());
    let wanted = |one: &AgentStatus| {
        let can = |word: &String| {
            let mut capabilities = one.capabilities.iter();
            capabilities.any(|capability| capability.to_lowercase().contains(word))
        };
        word.as_ref().is_none_or(can) && node.as_ref().is_none_or(|node| *node == one.node)
    };
    let agents: Vec<AgentStatus> = directory.all().into_iter().filter(wanted).collect();
    Ok(said_twice(&json!({"agents": agents}).to_string()))
}
