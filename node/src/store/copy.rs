//! A whole copy of a database, also while a node writes to it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{StoreError, schema};

/// Writes a copy of the database at `from`, as it is at one moment, into a new file for its owner alone.
///
/// # Errors
/// When there is no database at `from`, or the copy cannot be written.
pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let connection = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    schema::create_closed(to)?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::store::{Store, StoredToken};

    #[tokio::test]
    async fn the_copy_of_an_open_database_holds_what_was_written_last() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from.db"), folder.path().join("to.db"));
        let store = Store::open(&from).unwrap();
        let token = StoredToken {
            agent: "coder".to_owned(),
            hash: [1; 32],
            created: 1,
        };
        store.put_token(token.clone()).await.unwrap();
        copy(&from, &to).unwrap();
        let copied = Store::open(&to).unwrap();
        assert_eq!(copied.tokens().await.unwrap(), [token]);
    }
}
