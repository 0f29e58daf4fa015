//! The tools by which agents write to each other.

use std::time::Duration;

use bytes::Bytes;
use peerage_protocol::messaging::message::{MessageId, Priority, Topic};
use peerage_protocol::time::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::answer::{ToolError, agent, arguments, said_twice};
use crate::gateway::call::Call;
use crate::messaging::{Draft, Messaging, ShownMessage};
use crate::store::{MESSAGES_FOUND_MAX, MessageQuery};

mod definitions;

pub use definitions::DEFINITIONS;

/// Sends to one agent.
pub const MESSAGE_SEND: &str = "message_send";
/// Sends to all, or to a topic.
pub const MESSAGE_BROADCAST: &str = "message_broadcast";
/// Follows a topic.
pub const MESSAGE_SUBSCRIBE: &str = "message_subscribe";
/// Searches.
pub const MESSAGE_QUERY: &str = "message_query";
/// Takes messages out of the inbox.
pub const MESSAGE_ACKNOWLEDGE: &str = "message_acknowledge";
/// Shows the inbox, once there is something in it.
pub const MESSAGE_WAIT: &str = "message_wait";

/// The names of them all.
pub const NAMES: [&str; 6] = [
    MESSAGE_SEND,
    MESSAGE_BROADCAST,
    MESSAGE_SUBSCRIBE,
    MESSAGE_QUERY,
    MESSAGE_ACKNOWLEDGE,
    MESSAGE_WAIT,
];

/// How long `message_wait` waits unless it is told.
const WAIT_BY_DEFAULT: Duration = Duration::from_secs(25);
/// Kept of the caller's own patience for the way back.
const WAIT_LESS: Duration = Duration::from_millis(500);
/// Messages that one call acknowledges.
const ACKNOWLEDGED_MAX: usize = 256;
/// Messages that a search gives unless it is told.
const FOUND_BY_DEFAULT: usize = 20;

/// Answers the tool `name`; `None` where it is none of these.
pub(super) async fn call(messaging: &Messaging, name: &str, call: &Call) -> Option<Bytes> {
    let answered = match name {
        MESSAGE_SEND => send(messaging, call).await,
        MESSAGE_BROADCAST => broadcast(messaging, call).await,
        MESSAGE_SUBSCRIBE => subscribe(messaging, call).await,
        MESSAGE_QUERY => query(messaging, call).await,
        MESSAGE_ACKNOWLEDGE => acknowledge(messaging, call).await,
        MESSAGE_WAIT => wait(messaging, call).await,
        _ => return None,
    };
    Some(answered.unwrap_or_else(|error| error.result()))
}

/// What every message may say beside its text.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    to: Option<String>,
    topic: Option<String>,
    text: String,
    #[serde(default)]
    priority: Priority,
    reply_to: Option<String>,
    ttl_seconds: Option<u64>,
}

impl Written {
    fn draft(self) -> Result<Draft, ToolError> {
        let reply_to = self.reply_to.map(|id| id.parse::<MessageId>()).transpose();
        Ok(Draft {
            text: self.text,
            priority: self.priority,
            reply_to: reply_to.map_err(|error| not_good(&error))?,
            lifetime: self.ttl_seconds.map(Duration::from_secs),
        })
    }
}

async fn send(messaging: &Messaging, call: &Call) -> Result<Bytes, ToolError> {
    let from = agent(&call.caller)?;
    let mut written: Written = arguments(&call.params)?;
    let (Some(to), None) = (written.to.take(), &written.topic) else {
        let why = "`to` is needed: name@node; for a topic use message_broadcast".to_owned();
        return Err(ToolError::Arguments { why });
    };
    let sent = messaging.send(from, &to, written.draft()?).await?;
    Ok(shown(&sent))
}

async fn broadcast(messaging: &Messaging, call: &Call) -> Result<Bytes, ToolError> {
    let from = agent(&call.caller)?;
    let mut written: Written = arguments(&call.params)?;
    if written.to.is_some() {
        let why = "`to` is for message_send; this goes to all, or to a `topic`".to_owned();
        return Err(ToolError::Arguments { why });
    }
    let topic = written.topic.take().map(|topic| topic.parse::<Topic>());
    let topic = topic.transpose().map_err(|error| not_good(&error))?;
    let sent = messaging.broadcast(from, topic, written.draft()?).await?;
    Ok(shown(&sent))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscribe {
    topic: Option<String>,
    #[serde(default)]
    unsubscribe: bool,
}

async fn subscribe(messaging: &Messaging, call: &Call) -> Result<Bytes, ToolError> {
    let reader = agent(&call.caller)?;
    let Subscribe { topic, unsubscribe } = arguments(&call.params)?;
    let topics = match topic {
        None => messaging.topics(reader).await?,
        Some(topic) => {
            let topic = topic.parse().map_err(|error| not_good(&error))?;
            messaging.follow_topic(reader, topic, !unsubscribe).await?
        }
    };
    let topics: Vec<&str> = topics.iter().map(Topic::as_str).collect();
    Ok(said_twice(&json!({"topics": topics}).to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    text: Option<String>,
    from: Option<String>,
    topic: Option<String>,
    since: Option<u64>,
    until: Option<u64>,
    limit: Option<usize>,
}

async fn query(messaging: &Messaging, call: &Call) -> Result<Bytes, ToolError> {
    let reader = agent(&call.caller)?;
    let asked: Query = arguments(&call.params)?;
    let from = asked.from.as_deref().map(|from| messaging.sender(from));
    let (sender, author) = match from.transpose()? {
        Some((sender, author)) => (Some(sender), author),
        None => (None, None),
    };
    let topic = asked.topic.map(|topic| topic.parse::<Topic>()).transpose();
    let query = MessageQuery {
        text: asked.text,
        id: None,
        sender,
        author,
        topic: topic.map_err(|error| not_good(&error))?,
        since: asked.since.map(Timestamp),
        until: asked.until.map(Timestamp),
        limit: asked
            .limit
            .unwrap_or(FOUND_BY_DEFAULT)
            .clamp(1, MESSAGES_FOUND_MAX),
    };
    Ok(list(&messaging.find(reader, query).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledge {
    ids: Vec<String>,
}

async fn acknowledge(messaging: &Messaging, call: &Call) -> Result<Bytes, ToolError> {
    let reader = agent(&call.caller)?;
    let Acknowledge { ids } = arguments(&call.params)?;
    if ids.len() > ACKNOWLEDGED_MAX {
        let why = format!("{} ids; at most {ACKNOWLEDGED_MAX} at once", ids.len());
        return Err(ToolError::Arguments { why });
    }
    let ids: Result<Vec<MessageId>, _> = ids.iter().map(|id| id.parse()).collect();
    let ids = ids.map_err(|error| not_good(&error))?;
    let outcome = messaging.acknowledge(reader, ids).await?;
    let texts = |ids: &[MessageId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let answer = json!({"acknowledged": texts(&outcome.done), "unknown": texts(&outcome.unknown)});
    Ok(said_twice(&answer.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    timeout_seconds: Option<u64>,
}

async fn wait(messaging: &Messaging, call: &Call) -> Result<Bytes, ToolError> {
    let reader = agent(&call.caller)?;
    let Wait { timeout_seconds } = arguments(&call.params)?;
    let patience = timeout_seconds.map_or(WAIT_BY_DEFAULT, Duration::from_secs);
    let patience = patience.min(call.time_left().saturating_sub(WAIT_LESS));
    Ok(list(&messaging.wait(reader, patience).await?))
}

fn shown(message: &ShownMessage) -> Bytes {
    said_twice(&json!(message).to_string())
}

fn list(messages: &[ShownMessage]) -> Bytes {
    said_twice(&json!({"messages": messages}).to_string())
}

fn not_good(error: &dyn std::error::Error) -> ToolError {
    ToolError::Arguments {
        why: error.to_string(),
    }
}
