//! Search among the messages that an agent may read: sent by it, to it, or public.

use peerage_protocol::id::{AgentName, NodeId};
use peerage_protocol::messaging::message::{MessageId, Topic};
use peerage_protocol::time::Timestamp;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::{COLUMNS, NOW, StoredMessage, integer, read};
use crate::store::{Store, StoreError};

/// Messages that one search gives at most.
pub const MESSAGES_FOUND_MAX: usize = 200;

/// What is looked for; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageQuery {
    /// Words that all occur in the text.
    pub text: Option<String>,
    /// This one.
    pub id: Option<MessageId>,
    /// The sender's name at its node.
    pub sender: Option<AgentName>,
    /// The sender's node.
    pub author: Option<NodeId>,
    /// The topic.
    pub topic: Option<Topic>,
    /// Sent then or later.
    pub since: Option<Timestamp>,
    /// Sent before.
    pub until: Option<Timestamp>,
    /// At most so many, the latest first; [`MESSAGES_FOUND_MAX`] at most.
    pub limit: usize,
}

/// Each word as SQLite's full text search reads it literally.
fn match_expression(text: &str) -> Option<String> {
    let words = text.split_whitespace();
    let words: Vec<String> = words
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn find(
    connection: &Connection,
    agent: &AgentName,
    me: NodeId,
    query: &MessageQuery,
) -> Result<Vec<StoredMessage>, StoreError> {
    let mut sql = format!(
        "SELECT {COLUMNS} FROM messages m
         WHERE (m.recipient IS NULL OR (m.recipient = ?1 AND m.recipient_node = ?2) OR (m.author = ?2 AND m.sender = ?1))
             AND m.sent + m.lifetime * 1000 > {NOW}"
    );
    let mut values: Vec<Value> = vec![
        agent.as_str().to_owned().into(),
        me.public_key().to_vec().into(),
    ];
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        sql.push_str(&format!(" AND {condition} ?{}", values.len()));
        if condition.ends_with('(') {
            sql.push_str("))");
        }
    };
    if let Some(words) = query.text.as_deref().and_then(match_expression) {
        let among = "m.place IN (SELECT rowid FROM message_texts WHERE message_texts MATCH (";
        add(among, words.into());
    }
    if let Some(id) = query.id {
        add("m.id =", id.0.to_vec().into());
    }
    if let Some(sender) = &query.sender {
        add("m.sender =", sender.as_str().to_owned().into());
    }
    if let Some(author) = query.author {
        add("m.author =", author.public_key().to_vec().into());
    }
    if let Some(topic) = &query.topic {
        add("m.topic =", topic.as_str().to_owned().into());
    }
    if let Some(since) = query.since {
        add("m.sent >=", integer(since.0).into());
    }
    if let Some(until) = query.until {
        add("m.sent <", integer(until.0).into());
    }
    let limit = query.limit.clamp(1, MESSAGES_FOUND_MAX);
    sql.push_str(&format!(
        " ORDER BY m.number DESC, m.place DESC LIMIT {limit}"
    ));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

impl Store {
    /// The messages that `agent` of the node `me` may read and that fit `query`, the latest first.
    pub async fn find_messages(
        &self,
        agent: AgentName,
        me: NodeId,
        query: MessageQuery,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        self.run(move |connection| find(connection, &agent, me, &query))
            .await
    }
}
