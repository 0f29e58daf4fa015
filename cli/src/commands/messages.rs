//! `send`, `inbox`, `messages`, `ack`: the owner writes and reads in the name of an agent of this node.

use std::time::Duration;

use peerage_node::config::environment::Environment;
use peerage_node::gateway::frontend::rest::agents_api::{AgentOfToken, TokenShown};
use peerage_node::gateway::frontend::rest::api::{CallRequest, CallResponse};
use peerage_node::messaging::{OWNER, ShownMessage};
use peerage_protocol::id::AgentName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::{Context, watch};
use crate::arguments::{Ack, Acting, Inbox, MessagePriority, Messages, Send};
use crate::client::TOKEN_VARIABLE;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

/// How long the node is waited for: a message goes to its disk before it answers.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn send(
    context: &Context,
    send: Send,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let Some((to, text)) = send.split() else {
        return Err(Failure::failed("message", "there is no text to send"));
    };
    let agent = acting(context, &send.acting, environment).await?;
    let priority = match send.priority {
        MessagePriority::Low => "low",
        MessagePriority::Normal => "normal",
        MessagePriority::High => "high",
    };
    let mut arguments =
        json!({"text": text, "priority": priority, "ttl_seconds": send.ttl.as_secs()});
    if let Some(id) = send.reply_to {
        arguments["reply_to"] = id.to_string().into();
    }
    let tool = match (to, &send.topic) {
        (Some(to), _) => {
            arguments["to"] = to.into();
            "message_send"
        }
        (None, topic) => {
            if let Some(topic) = topic {
                arguments["topic"] = topic.as_str().into();
            }
            "message_broadcast"
        }
    };
    let sent: ShownMessage = ask(context, &agent, tool, &arguments).await?;
    match context.json {
        true => print(&render::json(&sent)?),
        false => print(&render::sent(&sent)),
    }
}

pub(super) async fn inbox(
    context: &Context,
    inbox: Inbox,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let agent = acting(context, &inbox.acting, environment).await?;
    watch::show(context, inbox.watch, async || {
        let arguments = json!({"timeout_seconds": 0});
        let Listed { messages } = ask(context, &agent, "message_wait", &arguments).await?;
        match context.json {
            true => render::json(&messages),
            false => Ok(render::inbox(&messages, &agent, super::now(), context.view)),
        }
    })
    .await
}

pub(super) async fn messages(
    context: &Context,
    messages: Messages,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let agent = acting(context, &messages.acting, environment).await?;
    let mut arguments = json!({"limit": messages.limit});
    if !messages.query.is_empty() {
        arguments["text"] = messages.query.join(" ").into();
    }
    if let Some(from) = &messages.from {
        arguments["from"] = from.as_str().into();
    }
    if let Some(topic) = &messages.topic {
        arguments["topic"] = topic.as_str().into();
    }
    let Listed { messages } = ask(context, &agent, "message_query", &arguments).await?;
    match context.json {
        true => print(&render::json(&messages)?),
        false => print(&render::messages(&messages, super::now(), context.view)),
    }
}

pub(super) async fn ack(
    context: &Context,
    ack: Ack,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let agent = acting(context, &ack.acting, environment).await?;
    let ids: Vec<String> = ack.ids.iter().map(ToString::to_string).collect();
    let arguments = json!({"ids": ids});
    let outcome: Acknowledged = ask(context, &agent, "message_acknowledge", &arguments).await?;
    match context.json {
        true => print(&render::json(&outcome)?)?,
        false => print(&render::acknowledged(outcome.acknowledged.len()))?,
    }
    match &outcome.unknown[..] {
        [] => Ok(()),
        unknown => Err(Failure::failed(
            "unknown_message",
            format!("not in the inbox of {agent}: {}", unknown.join(", ")),
        )),
    }
}

#[derive(Deserialize)]
struct Listed {
    messages: Vec<ShownMessage>,
}

#[derive(Deserialize, serde::Serialize)]
struct Acknowledged {
    acknowledged: Vec<String>,
    unknown: Vec<String>,
}

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
        return Err(Failure::failed(about, text));
    }
    serde_json::from_value(result["structuredContent"].take())
        .map_err(|error| Failure::failed("answer", error))
}
