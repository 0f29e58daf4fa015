//! Inboxes: what an agent has not acknowledged yet, of what is for it.

use peerage_protocol::id::{AgentName, NodeId};
use peerage_protocol::messaging::message::{MessageId, Topic};
use rusqlite::{Connection, OptionalExtension};

use super::{COLUMNS, NOW, StoredMessage, damaged, read};
use crate::store::{Store, StoreError};

/// Messages after which it is noted how far an agent has done with them, where it does not say so by itself.
const NOTED_EVERY: i64 = 256;

/// What came of an acknowledgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// These are delivered no more.
    pub done: Vec<MessageId>,
    /// These were no messages for this agent, or are forgotten.
    pub unknown: Vec<MessageId>,
}

/// Whether a public message `m` is for the agent `?1`, and not its own at the node `?2`.
const PUBLIC_FOR: &str = "m.recipient IS NULL AND NOT (m.author = ?2 AND m.sender = ?1) AND (
    (m.topic IS NULL AND m.received >= (SELECT since FROM readers WHERE agent = ?1))
    OR EXISTS (SELECT 1 FROM topic_readers t WHERE t.agent = ?1 AND t.topic = m.topic AND m.received >= t.since))";

/// The last place up to which the agent `?1` has done with all public messages that were for it.
const DONE: &str = "(SELECT ifnull(max(done), 0) FROM readers WHERE agent = ?1)";

/// Whether a direct message `m` is for the agent `?1` of the node `?2`.
const DIRECT_FOR: &str = "m.recipient = ?1 AND m.recipient_node = ?2";

/// An agent has an inbox from now on: public messages are for it from here.
fn open(connection: &Connection, agent: &AgentName) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "INSERT OR IGNORE INTO readers (agent, since) VALUES (?1, {NOW})"
    ))?;
    statement.execute([agent.as_str()])?;
    Ok(())
}

/// Whether a public message `m` waits for the agent `?1` of the node `?2`.
fn public_waiting() -> String {
    format!(
        "m.place > {DONE} AND {PUBLIC_FOR}
         AND NOT EXISTS (SELECT 1 FROM acknowledged a WHERE a.agent = ?1 AND a.place = m.place)"
    )
}

/// Notes how far an agent has done with what is public, so that an inbox costs what waits in it and not what there was.
fn note_done(connection: &Connection, agent: &AgentName, me: NodeId) -> Result<(), StoreError> {
    let public = public_waiting();
    let mut statement = connection.prepare_cached(&format!(
        "UPDATE readers SET done = ifnull(
             (SELECT min(m.place) - 1 FROM messages m WHERE {public} AND m.sent + m.lifetime * 1000 > {NOW}),
             (SELECT ifnull(max(place), 0) FROM messages))
         WHERE agent = ?1"
    ))?;
    statement.execute((agent.as_str(), me.public_key()))?;
    Ok(())
}

/// Whether so much has come since that was last noted that it is worth a write.
fn is_worth_noting(connection: &Connection, agent: &AgentName) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT (SELECT ifnull(max(place), 0) FROM messages) - {DONE}"
    ))?;
    let new: i64 = statement.query_row([agent.as_str()], |row| row.get(0))?;
    Ok(new >= NOTED_EVERY)
}

/// The most urgent first, those of one sender in the order in which they were sent.
fn waiting(
    connection: &Connection,
    agent: &AgentName,
    me: NodeId,
    count: usize,
) -> Result<Vec<StoredMessage>, StoreError> {
    let public = public_waiting();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM messages m
         WHERE m.place IN (
             SELECT m.place FROM messages m WHERE {DIRECT_FOR} AND m.acknowledged IS NULL
             UNION ALL
             SELECT m.place FROM messages m WHERE {public}
         ) AND m.sent + m.lifetime * 1000 > {NOW}
         ORDER BY m.priority DESC, m.number, m.place LIMIT ?3"
    ))?;
    let mut rows = statement.query((agent.as_str(), me.public_key(), count as i64))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn acknowledge(
    connection: &mut Connection,
    agent: &AgentName,
    me: NodeId,
    ids: &[MessageId],
) -> Result<Acknowledged, StoreError> {
    let transaction = connection.transaction()?;
    let mut direct = transaction.prepare_cached(&format!(
        "UPDATE messages AS m SET acknowledged = ifnull(acknowledged, {NOW}) WHERE {DIRECT_FOR} AND m.id = ?3"
    ))?;
    let mut public = transaction.prepare_cached(&format!(
        "SELECT m.place FROM messages m WHERE m.id = ?3 AND {PUBLIC_FOR}"
    ))?;
    let mut of_public = transaction
        .prepare_cached("INSERT OR IGNORE INTO acknowledged (agent, place) VALUES (?1, ?2)")?;
    let mut outcome = Acknowledged::default();
    for id in ids {
        let named = (agent.as_str(), me.public_key(), id.0);
        let direct = direct.execute(named)?;
        let public = public
            .query_row(named, |row| row.get::<_, i64>(0))
            .optional()?;
        if let Some(place) = public {
            of_public.execute((agent.as_str(), place))?;
        }
        match direct > 0 || public.is_some() {
            true => outcome.done.push(*id),
            false => outcome.unknown.push(*id),
        }
    }
    drop((direct, public, of_public));
    note_done(&transaction, agent, me)?;
    transaction.commit()?;
    Ok(outcome)
}

fn topics(connection: &Connection, agent: &AgentName) -> Result<Vec<Topic>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT topic FROM topic_readers WHERE agent = ?1 ORDER BY topic")?;
    let rows = statement.query_map([agent.as_str()], |row| row.get::<_, String>(0))?;
    rows.map(|topic| topic?.parse().map_err(damaged)).collect()
}

impl Store {
    /// What waits for an agent of the node `me`, at most `count`; from the first call on it has an inbox.
    pub async fn inbox(
        &self,
        agent: AgentName,
        me: NodeId,
        count: usize,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        self.run(move |connection| {
            open(connection, &agent)?;
            let found = waiting(connection, &agent, me, count)?;
            if found.is_empty() && is_worth_noting(connection, &agent)? {
                note_done(connection, &agent, me)?;
            }
            Ok(found)
        })
        .await
    }

    /// Public messages are for this agent from now on, where they were not before.
    pub async fn open_inbox(&self, agent: AgentName) -> Result<(), StoreError> {
        self.run(move |connection| open(connection, &agent)).await
    }

    /// The agent has done with these; on disk once this returns.
    pub async fn acknowledge_messages(
        &self,
        agent: AgentName,
        me: NodeId,
        ids: Vec<MessageId>,
    ) -> Result<Acknowledged, StoreError> {
        self.run(move |connection| acknowledge(connection, &agent, me, &ids))
            .await
    }

    /// The agent follows a topic from now on, or no more; gives all that it follows then. Beyond `limit` it is not
    /// taken, which the answer shows.
    pub async fn follow_topic(
        &self,
        agent: AgentName,
        topic: Topic,
        follow: bool,
        limit: usize,
    ) -> Result<Vec<Topic>, StoreError> {
        self.run(move |connection| {
            let (agent_name, name) = (agent.as_str(), topic.as_str());
            if follow && topics(connection, &agent)?.len() < limit {
                connection.execute(
                    &format!("INSERT OR IGNORE INTO topic_readers (agent, topic, since) VALUES (?1, ?2, {NOW})"),
                    (agent_name, name),
                )?;
            } else if !follow {
                connection.execute(
                    "DELETE FROM topic_readers WHERE agent = ?1 AND topic = ?2",
                    (agent_name, name),
                )?;
            }
            topics(connection, &agent)
        })
        .await
    }

    /// The topics that an agent follows.
    pub async fn followed_topics(&self, agent: AgentName) -> Result<Vec<Topic>, StoreError> {
        self.run(move |connection| topics(connection, &agent)).await
    }
}
