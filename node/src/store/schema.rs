//! The tables, and how an older database becomes a newer one: forward only, after a backup.

use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// One step from each schema version to the next; never edited once released.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE records (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE tokens (
        agent TEXT PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE log_chains (
        id INTEGER PRIMARY KEY,
        author BLOB NOT NULL,
        epoch BLOB NOT NULL,
        lane BLOB NOT NULL,
        UNIQUE (author, epoch, lane)
    ) STRICT;
    CREATE TABLE log_entries (
        chain INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        hash BLOB NOT NULL,
        time INTEGER NOT NULL,
        header BLOB NOT NULL,
        signature BLOB NOT NULL,
        body BLOB,
        PRIMARY KEY (chain, sequence)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE messages (
        place INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        number INTEGER NOT NULL,
        author BLOB NOT NULL,
        sender TEXT NOT NULL,
        recipient_node BLOB,
        recipient TEXT,
        topic TEXT,
        sent INTEGER NOT NULL,
        lifetime INTEGER NOT NULL,
        received INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        reply_to BLOB,
        text TEXT NOT NULL,
        acknowledged INTEGER
    ) STRICT;
    CREATE INDEX messages_waiting ON messages (recipient, recipient_node) WHERE acknowledged IS NULL;
    CREATE INDEX messages_public ON messages (topic, number) WHERE recipient IS NULL;
    CREATE INDEX messages_by_author ON messages (author, number);
    CREATE VIRTUAL TABLE message_texts USING fts5 (text, content = 'messages', content_rowid = 'place');
    CREATE TABLE acknowledged (
        agent TEXT NOT NULL,
        place INTEGER NOT NULL,
        PRIMARY KEY (agent, place)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER message_added AFTER INSERT ON messages BEGIN
        INSERT INTO message_texts (rowid, text) VALUES (new.place, new.text);
    END;
    CREATE TRIGGER message_gone AFTER DELETE ON messages BEGIN
        INSERT INTO message_texts (message_texts, rowid, text) VALUES ('delete', old.place, old.text);
        DELETE FROM acknowledged WHERE place = old.place;
    END;
    CREATE TABLE readers (agent TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE topic_readers (
        agent TEXT NOT NULL,
        topic TEXT NOT NULL,
        since INTEGER NOT NULL,
        PRIMARY KEY (agent, topic)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sealed_messages (
        place INTEGER PRIMARY KEY,
        author BLOB NOT NULL,
        item BLOB NOT NULL,
        received INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE message_owner (node BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE message_keys (seed BLOB PRIMARY KEY, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE unread (author BLOB PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TRIGGER unread_added AFTER INSERT ON messages
    WHEN new.acknowledged IS NULL AND new.recipient_node = (SELECT node FROM message_owner) BEGIN
        INSERT OR IGNORE INTO unread (author, bytes) VALUES (new.author, 0);
        UPDATE unread SET bytes = bytes + length(CAST(new.text AS BLOB)) + 512 WHERE author = new.author;
    END;
    CREATE TRIGGER unread_acknowledged AFTER UPDATE OF acknowledged ON messages
    WHEN old.acknowledged IS NULL AND new.acknowledged IS NOT NULL
         AND new.recipient_node = (SELECT node FROM message_owner) BEGIN
        UPDATE unread SET bytes = bytes - length(CAST(new.text AS BLOB)) - 512 WHERE author = new.author;
        DELETE FROM unread WHERE author = new.author AND bytes <= 0;
    END;
    CREATE TRIGGER unread_gone AFTER DELETE ON messages
    WHEN old.acknowledged IS NULL AND old.recipient_node = (SELECT node FROM message_owner) BEGIN
        UPDATE unread SET bytes = bytes - length(CAST(old.text AS BLOB)) - 512 WHERE author = old.author;
        DELETE FROM unread WHERE author = old.author AND bytes <= 0;
    END;
    CREATE TRIGGER sealed_added AFTER INSERT ON sealed_messages BEGIN
        INSERT OR IGNORE INTO unread (author, bytes) VALUES (new.author, 0);
        UPDATE unread SET bytes = bytes + length(new.item) + 512 WHERE author = new.author;
    END;
    CREATE TRIGGER sealed_gone AFTER DELETE ON sealed_messages BEGIN
        UPDATE unread SET bytes = bytes - length(old.item) - 512 WHERE author = old.author;
        DELETE FROM unread WHERE author = old.author AND bytes <= 0;
    END;
    ALTER TABLE readers ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
    CREATE TRIGGER last_message_gone AFTER DELETE ON messages
    WHEN old.place > (SELECT ifnull(max(place), 0) FROM messages) BEGIN
        UPDATE readers SET done = min(done, (SELECT ifnull(max(place), 0) FROM messages));
    END;
",
];

/// The schema version that brought the log.
const LOG_SINCE: usize = 2;

/// More than there are in use at a time, so that none is prepared again and again.
const STATEMENTS_KEPT: usize = 64;

/// Opens a database and brings it to the latest schema.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    create_closed(path)?;
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    let found = version(&connection)?;
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

/// The version of a database's schema; one that this program does not know yet is refused.
pub(super) fn version(connection: &Connection) -> Result<usize, StoreError> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let (found, known) = (found as usize, MIGRATIONS.len());
    match found > known {
        true => Err(StoreError::FromTheFuture { found, known }),
        false => Ok(found),
    }
}

/// Lets a database grow by at most so many pages, for as long as it is open.
pub(super) fn limit_growth(connection: &Connection, pages: u32) -> Result<(), StoreError> {
    let found: u32 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let limit = found.saturating_add(pages);
    connection.pragma_update_and_check(None, "max_page_count", limit, |_| Ok(()))?;
    Ok(())
}

/// Whether a database is of a version that keeps a log.
pub(super) fn has_log(connection: &Connection) -> Result<bool, StoreError> {
    Ok(version(connection)? >= LOG_SINCE)
}

/// SQLite gives its side files the mode of the database: so the database is made for its owner alone.
pub(super) fn create_closed(path: &Path) -> Result<(), StoreError> {
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create(true).truncate(false).mode(0o600);
    let file = file.open(path).map_err(StoreError::File)?;
    let closed = std::fs::Permissions::from_mode(0o600);
    file.set_permissions(closed).map_err(StoreError::File)
}

fn back_up(connection: &Connection, path: &Path, version: usize) -> Result<(), StoreError> {
    let copy = path.with_extension(format!("v{version}.backup"));
    // SQLite writes into an empty file that exists: so the copy, too, is its owner's alone from its first byte.
    create_closed(&copy)?;
    connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_backup_is_whole_and_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peerage.db");
        let connection = open(&path).unwrap();
        let insert = "INSERT INTO records VALUES (x'01', x'02')";
        connection.execute(insert, []).unwrap();
        back_up(&connection, &path, 1).unwrap();
        let copy = folder.path().join("peerage.v1.backup");
        let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let copied = Connection::open(&copy).unwrap();
        let count: u32 = copied
            .query_row("SELECT count(*) FROM records", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 1);
    }
}
