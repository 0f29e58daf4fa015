//! Sealed messages for this node that are not opened yet.

use peerage_protocol::id::NodeId;
use peerage_protocol::messaging::message::DirectMessage;
use rusqlite::{Connection, Transaction};

use super::{Addressee, NOW};
use crate::store::{Store, StoreError};

/// A sealed message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSealed {
    /// Its place in the queue.
    pub place: i64,
    /// The node of its sender.
    pub author: NodeId,
    /// The item of the log.
    pub item: Vec<u8>,
}

/// What came of opening one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedMessage {
    /// Its place in the queue, which it leaves.
    pub place: i64,
    /// The node of its sender.
    pub author: NodeId,
    /// What it says; `None` where it cannot be opened by any key of this node.
    pub message: Option<DirectMessage>,
}

/// Queues an item where `recipient` is the node that this database belongs to. Mailboxes keep the entry alone.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    author: NodeId,
    recipient: NodeId,
    item: &[u8],
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(&format!(
        "INSERT INTO sealed_messages (author, item, received) SELECT ?1, ?2, {NOW}
         WHERE EXISTS (SELECT 1 FROM message_owner WHERE node = ?3)"
    ))?;
    statement.execute((author.public_key(), item, recipient.public_key()))?;
    Ok(())
}

fn take_opened(
    connection: &mut Connection,
    me: NodeId,
    opened: &[OpenedMessage],
) -> Result<(), StoreError> {
    // Not synced: after a failure of the power whatever is missing is still sealed, and opened once more.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let taken = write_opened(connection, me, opened);
    connection.pragma_update(None, "synchronous", "FULL")?;
    taken
}

fn write_opened(
    connection: &mut Connection,
    me: NodeId,
    opened: &[OpenedMessage],
) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    for one in opened {
        if let Some(message) = &one.message {
            let to = Addressee::Agent {
                node: me,
                agent: message.to.clone(),
            };
            super::insert(&transaction, one.author, &to, &message.content)?;
        }
        let mut done =
            transaction.prepare_cached("DELETE FROM sealed_messages WHERE place = ?1")?;
        done.execute([one.place])?;
    }
    Ok(transaction.commit()?)
}

impl Store {
    /// This database belongs to `node`: messages sealed to it are queued from here on.
    pub async fn own_messages_of(&self, node: NodeId) -> Result<(), StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute("DELETE FROM message_owner", [])?;
            transaction.execute(
                "INSERT INTO message_owner (node) VALUES (?1)",
                [node.public_key()],
            )?;
            super::unread::count_anew(&transaction)?;
            Ok(transaction.commit()?)
        })
        .await
    }

    /// The first `count` of the queue.
    pub async fn sealed_messages(&self, count: usize) -> Result<Vec<StoredSealed>, StoreError> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT place, author, item FROM sealed_messages ORDER BY place LIMIT ?1",
            )?;
            let rows = statement.query_map([count as i64], |row| {
                Ok(StoredSealed {
                    place: row.get(0)?,
                    author: NodeId::from_public_key(row.get(1)?),
                    item: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Moves what was opened from the queue to the inboxes of the node `me`, in one transaction. It is synced with what
    /// is written next: until then it may be opened again after a failure of the power, under the same id.
    pub async fn take_opened_messages(
        &self,
        me: NodeId,
        opened: Vec<OpenedMessage>,
    ) -> Result<(), StoreError> {
        self.run(move |connection| take_opened(connection, me, &opened))
            .await
    }
}
