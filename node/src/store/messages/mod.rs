//! Messages as rows: indexed from the log in the transaction of their entry, opened, read, searched, acknowledged.
//!
//! A sealed one waits in a table of its own until it is opened, so that a crash between the two loses nothing.

mod inbox;
mod keys;
mod query;
mod sealed;
mod sent;
mod unread;

use peerage_protocol::id::{AgentName, NodeId};
use peerage_protocol::log::chain_id::Lane;
use peerage_protocol::log::entry::Entry;
use peerage_protocol::messaging::DirectItem;
use peerage_protocol::messaging::message::{
    Audience, Content, DirectMessage, MessageId, Priority, PublicMessage, Topic,
};
use peerage_protocol::time::Timestamp;
use rusqlite::{Connection, Row, Transaction};

use super::{Store, StoreError};

pub use inbox::Acknowledged;
pub use keys::StoredMessageKey;
pub use query::{MESSAGES_FOUND_MAX, MessageQuery};
pub use sealed::{OpenedMessage, StoredSealed};
pub(super) use sent::Sent;
pub use sent::SentCopy;

/// The columns that [`read`] reads, in its order.
const COLUMNS: &str = "m.id, m.number, m.author, m.sender, m.recipient_node, m.recipient, m.topic, m.sent, m.lifetime, \
                       m.received, m.priority, m.reply_to, m.text";

/// The milliseconds since the Unix epoch, by this machine's clock.
const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// An agent of a node.
    Agent {
        /// The node.
        node: NodeId,
        /// Its name there.
        agent: AgentName,
    },
    /// Every agent of the mesh.
    Everyone,
    /// Those who follow a topic.
    Topic(Topic),
}

/// A message that is here in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// The node of its sender.
    pub author: NodeId,
    /// Whom it is for.
    pub to: Addressee,
    /// What it says.
    pub content: Content,
    /// When it came here, by this node's clock.
    pub received: Timestamp,
}

/// Indexes the items of an entry in its own transaction. Items that are not understood are passed over: they may be of
/// a later version.
pub(super) fn appended(
    transaction: &Transaction<'_>,
    sent: &Sent,
    entry: &Entry,
) -> Result<(), StoreError> {
    let chain = entry.chain();
    match chain.lane {
        Lane::MESSAGES => {
            for item in entry.items() {
                match PublicMessage::decode(&item) {
                    Ok(message) => insert_public(transaction, chain.author, &message)?,
                    Err(error) => tracing::debug!(%chain, %error, "a message is not understood"),
                }
            }
            Ok(())
        }
        Lane::Public(_) => Ok(()),
        Lane::Direct(recipient) => {
            for item in entry.items() {
                if let Ok(DirectItem::Sealed(message)) = DirectItem::decode(&item) {
                    sent.keep(transaction, chain.author, message.number)?;
                    sealed::insert(transaction, chain.author, recipient, &item)?;
                }
            }
            Ok(())
        }
    }
}

fn insert_public(
    connection: &Connection,
    author: NodeId,
    message: &PublicMessage,
) -> Result<(), StoreError> {
    let to = match &message.audience {
        Audience::Everyone => Addressee::Everyone,
        Audience::Topic(topic) => Addressee::Topic(topic.clone()),
    };
    insert(connection, author, &to, &message.content)
}

/// Keeps a message unless one of this id is here.
fn insert(
    connection: &Connection,
    author: NodeId,
    to: &Addressee,
    content: &Content,
) -> Result<(), StoreError> {
    let (node, recipient, topic) = match to {
        Addressee::Agent { node, agent } => (Some(node.public_key()), Some(agent.as_str()), None),
        Addressee::Everyone => (None, None, None),
        Addressee::Topic(topic) => (None, None, Some(topic.as_str())),
    };
    let mut statement = connection.prepare_cached(&format!(
        "INSERT OR IGNORE INTO messages (id, number, author, sender, recipient_node, recipient, topic, sent, lifetime,
             received, priority, reply_to, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, {NOW}, ?10, ?11, ?12)"
    ))?;
    statement.execute((
        content.id.0,
        integer(content.number),
        author.public_key(),
        content.from.as_str(),
        node,
        recipient,
        topic,
        integer(content.sent.0),
        content.lifetime,
        content.priority as u8,
        content.reply_to.map(|id| id.0),
        &content.text,
    ))?;
    Ok(())
}

/// Forgets everything but the keys.
pub(super) fn clear(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    transaction.execute_batch(
        "DELETE FROM messages; DELETE FROM sealed_messages; DELETE FROM topic_readers;",
    )?;
    Ok(())
}

/// Reads [`COLUMNS`].
fn read(row: &Row<'_>) -> Result<StoredMessage, StoreError> {
    let node: Option<[u8; 32]> = row.get(4)?;
    let agent: Option<String> = row.get(5)?;
    let topic: Option<String> = row.get(6)?;
    let to = match (node, agent, topic) {
        (Some(node), Some(agent), _) => Addressee::Agent {
            node: NodeId::from_public_key(node),
            agent: agent.parse().map_err(damaged)?,
        },
        (_, _, Some(topic)) => Addressee::Topic(topic.parse().map_err(damaged)?),
        _ => Addressee::Everyone,
    };
    let sender: String = row.get(3)?;
    let priority: u8 = row.get(10)?;
    let content = Content {
        id: MessageId(row.get(0)?),
        from: sender.parse().map_err(damaged)?,
        number: natural(row.get(1)?),
        sent: Timestamp(natural(row.get(7)?)),
        lifetime: row.get(8)?,
        priority: match priority {
            0 => Priority::Low,
            1 => Priority::Normal,
            _ => Priority::High,
        },
        reply_to: row.get::<_, Option<[u8; 16]>>(11)?.map(MessageId),
        text: row.get(12)?,
    };
    Ok(StoredMessage {
        author: NodeId::from_public_key(row.get(2)?),
        to,
        content,
        received: Timestamp(natural(row.get(9)?)),
    })
}

fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged {
        why: error.to_string(),
    }
}

/// SQLite's integers are signed; no number or time comes near their end.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

impl Store {
    /// Keeps a message that stays at this node.
    pub async fn keep_message(
        &self,
        author: NodeId,
        message: DirectMessage,
        node: NodeId,
    ) -> Result<(), StoreError> {
        let to = Addressee::Agent {
            node,
            agent: message.to,
        };
        self.run(move |connection| insert(connection, author, &to, &message.content))
            .await
    }

    /// Keeps a public message where there is no mesh to tell.
    pub async fn keep_public_message(
        &self,
        author: NodeId,
        message: PublicMessage,
    ) -> Result<(), StoreError> {
        self.run(move |connection| insert_public(connection, author, &message))
            .await
    }

    /// The highest number of a message of `author` that is here; 0 where there is none.
    pub async fn last_message_number(&self, author: NodeId) -> Result<u64, StoreError> {
        self.run(move |connection| {
            let last = connection.query_row(
                "SELECT ifnull(max(number), 0) FROM messages WHERE author = ?1",
                [author.public_key()],
                |row| row.get(0),
            )?;
            Ok(natural(last))
        })
        .await
    }

    /// Forgets messages whose lifetime has ended, at most `count`, and the oldest beyond `kept` but those that wait unread
    /// in an inbox of this node; says how many.
    pub async fn forget_messages(&self, count: u32, kept: u32) -> Result<usize, StoreError> {
        self.run(move |connection| {
            let expired = connection.execute(
                &format!(
                    "DELETE FROM messages WHERE place IN
                         (SELECT place FROM messages WHERE sent + lifetime * 1000 <= {NOW} LIMIT ?1)"
                ),
                [count],
            )?;
            let oldest = connection.execute(
                "DELETE FROM messages WHERE place <= (SELECT max(place) FROM messages) - ?1 AND NOT
                     (acknowledged IS NULL AND recipient IS NOT NULL AND recipient_node = (SELECT node FROM message_owner))",
                [kept],
            )?;
            Ok(expired + oldest)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
