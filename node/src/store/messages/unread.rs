//! How much each sender's node has unread here: counted by triggers, in the transaction of whatever changes it.

use std::collections::BTreeMap;

use peerage_protocol::id::NodeId;
use rusqlite::Transaction;

use super::natural;
use crate::store::{Store, StoreError};

/// Counts anew, as the node that this database belongs to may have changed.
pub(super) fn count_anew(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    transaction.execute_batch(
        "DELETE FROM unread;
         INSERT INTO unread (author, bytes)
             SELECT author, sum(bytes) FROM (
                 SELECT author, length(CAST(text AS BLOB)) + 512 AS bytes FROM messages
                     WHERE acknowledged IS NULL AND recipient_node = (SELECT node FROM message_owner)
                 UNION ALL SELECT author, length(item) + 512 FROM sealed_messages
             ) GROUP BY author;",
    )?;
    Ok(())
}

impl Store {
    /// The bytes of direct messages to this node's agents that are not acknowledged, or not even opened, by the node that
    /// sent them; each
    /// message counts [`MESSAGE_AROUND_BYTES`](peerage_protocol::messaging::shares::MESSAGE_AROUND_BYTES) beside its
    /// text.
    pub async fn unread(&self) -> Result<BTreeMap<NodeId, u64>, StoreError> {
        self.run(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT author, bytes FROM unread WHERE bytes > 0")?;
            let rows = statement.query_map([], |row| {
                Ok((NodeId::from_public_key(row.get(0)?), natural(row.get(1)?)))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
