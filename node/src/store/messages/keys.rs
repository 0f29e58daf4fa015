//! The keys to which messages for this node are sealed.

use zeroize::Zeroizing;

use crate::store::{Store, StoreError};

/// A key pair as it is kept: the random bytes that it is derived from.
#[derive(Clone)]
pub struct StoredMessageKey {
    /// What the pair is derived from.
    pub seed: Zeroizing<[u8; 32]>,
    /// When it was made: milliseconds since the Unix epoch.
    pub created: i64,
}

impl Store {
    /// All keys, the latest first.
    pub async fn message_keys(&self) -> Result<Vec<StoredMessageKey>, StoreError> {
        self.run(|connection| {
            let mut statement = connection
                .prepare("SELECT seed, created FROM message_keys ORDER BY created DESC")?;
            let rows = statement.query_map([], |row| {
                Ok(StoredMessageKey {
                    seed: Zeroizing::new(row.get(0)?),
                    created: row.get(1)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Keeps a new key, and forgets those made before `forget_before`.
    pub async fn put_message_key(
        &self,
        key: StoredMessageKey,
        forget_before: i64,
    ) -> Result<(), StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "DELETE FROM message_keys WHERE created < ?1",
                [forget_before],
            )?;
            transaction.execute(
                "INSERT INTO message_keys (seed, created) VALUES (?1, ?2)",
                (&key.seed[..], key.created),
            )?;
            Ok(transaction.commit()?)
        })
        .await
    }
}
