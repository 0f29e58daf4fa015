//! The tables, and how an older database becomes a newer one: forward only, after a backup.

use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// One step from each schema version to the next; never edited once released.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE records (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE tokens (
        agent TEXT PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// Opens a database and brings it to the latest schema.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    create_closed(path)?;
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let found = found as usize;
    if found > MIGRATIONS.len() {
        return Err(StoreError::FromTheFuture {
            found,
            known: MIGRATIONS.len(),
        });
    }
    if found > 0 && found < MIGRATIONS.len() {
        back_up(&connection, path, found)?;
    }
    for (version, step) in (1_u32..).zip(MIGRATIONS).skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(connection)
}

/// SQLite gives its side files the mode of the database: so the database is made for its owner alone.
fn create_closed(path: &Path) -> Result<(), StoreError> {
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create(true).truncate(false).mode(0o600);
    let file = file.open(path).map_err(StoreError::File)?;
    let closed = std::fs::Permissions::from_mode(0o600);
    file.set_permissions(closed).map_err(StoreError::File)
}

fn back_up(connection: &Connection, path: &Path, version: usize) -> Result<(), StoreError> {
    let copy = path.with_extension(format!("v{version}.backup"));
    connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    Ok(())
}
