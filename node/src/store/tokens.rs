//! Agent tokens as rows: an agent's name and the hash of its token, never the token.

use rusqlite::Connection;

use super::StoreError;

/// An agent's token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    /// The agent's name.
    pub agent: String,
    /// BLAKE3 of the token.
    pub hash: [u8; 32],
    /// When it was made: milliseconds since the Unix epoch.
    pub created: i64,
}

pub(super) fn load(connection: &mut Connection) -> Result<Vec<StoredToken>, StoreError> {
    let mut statement =
        connection.prepare("SELECT agent, hash, created FROM tokens ORDER BY agent")?;
    let rows = statement.query_map([], |row| {
        Ok(StoredToken {
            agent: row.get(0)?,
            hash: row.get(1)?,
            created: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn put(connection: &mut Connection, token: &StoredToken) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO tokens (agent, hash, created) VALUES (?1, ?2, ?3)
         ON CONFLICT (agent) DO UPDATE SET hash = excluded.hash, created = excluded.created",
        (&token.agent, token.hash, token.created),
    )?;
    Ok(())
}

pub(super) fn delete(connection: &mut Connection, agent: &str) -> Result<bool, StoreError> {
    Ok(connection.execute("DELETE FROM tokens WHERE agent = ?1", [agent])? > 0)
}
