//! `send`, `inbox`, `messages`, `ack`: the owner writes and reads in the name of an agent of this node.

use peerage_node::config::environment::Environment;
use peerage_node::messaging::ShownMessage;
use serde::Deserialize;
use serde_json::json;

use super::asking::{acting, ask};
use super::{Context, watch};
use crate::arguments::{Ack, Inbox, MessagePriority, Messages, Send};
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

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
