//! Calling a builtin tool of the node in the name of one of its agents: for messages, tasks and decisions.

use std::time::Duration;

use peerage_node::config::environment::Environment;
use peerage_node::gateway::backend::builtin::failure_kind::{FAILURE_KIND, FailureKind};
use peerage_node::gateway::frontend::rest::agents_api::{AgentOfToken, TokenShown};
use peerage_node::gateway::frontend::rest::api::{CallRequest, CallResponse};
use peerage_node::messaging::OWNER;
use peerage_protocol::id::AgentName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::to_raw_value;

use super::Context;
use crate::arguments::Acting;
use crate::client::TOKEN_VARIABLE;
use crate::failure::Failure;

/// How long the node is waited for: what is said goes to its disk before it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// In whose name: as the flag says, else the agent whose token is in the environment, else the owner.
pub(super) async fn acting(
    context: &Context,
    acting: &Acting,
    environment: &dyn Environment,
) -> Result<AgentName, Failure> {
    if let Some(agent) = &acting.agent {
        return Ok(agent.clone());
    }
    let Some(token) = environment
        .variable(TOKEN_VARIABLE)
        .filter(|token| !token.is_empty())
    else {
        return OWNER
            .parse()
            .map_err(|error| Failure::failed("agent", error));
    };
    let shown = TokenShown { token };
    let known: AgentOfToken = context.client().post("/v1/agent-of-token", &shown).await?;
    known
        .name
        .parse()
        .map_err(|error| Failure::failed("agent", error))
}

/// Calls `tool` and reads what it answers.
///
/// # Errors
///
/// As the tool says, with the exit code for its kind.
pub(super) async fn ask<A: DeserializeOwned>(
    context: &Context,
    agent: &AgentName,
    tool: &str,
    arguments: &Value,
) -> Result<A, Failure> {
    let request = CallRequest {
        name: tool.to_owned(),
        arguments: to_raw_value(arguments).map_err(|error| Failure::failed("json", error))?,
        timeout_ms: u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX),
        agent: Some(agent.clone()),
    };
    let client = context.client().patient_for(PATIENCE);
    let response: CallResponse = client.post("/v1/call", &request).await?;
    let mut result: Value = serde_json::from_str(response.result.get())
        .map_err(|error| Failure::failed("answer", error))?;
    if response.is_error {
        let text = result["content"][0]["text"].as_str().unwrap_or(tool);
        let about = tool.split('_').next().unwrap_or(tool);
        let kind = FailureKind::deserialize(&result["_meta"][FAILURE_KIND]);
        return Err(match kind {
            Ok(FailureKind::Refused) => Failure::refused(about, text),
            Ok(FailureKind::Unreachable) => Failure::unreachable(about, text),
            Ok(FailureKind::Failed) | Err(_) => Failure::failed(about, text),
        });
    }
    serde_json::from_value(result["structuredContent"].take())
        .map_err(|error| Failure::failed("answer", error))
}
