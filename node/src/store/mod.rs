//! What a node keeps: one SQLite database, written by one thread, synced before a promise is made.

mod copy;
mod inspection;
mod log;
mod log_audit;
#[cfg(test)]
mod log_tests;
mod messages;
mod records;
mod schema;
mod tokens;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc as blocking;

use peerage_protocol::log::chain_id::{ChainId, Lane};
use peerage_protocol::log::entry::Entry;
use peerage_protocol::log::retention::{Sweep, Swept};
use peerage_protocol::node_state::{Record, Write};
use peerage_protocol::wire::log::{EntriesAsked, EntriesTold};
use rusqlite::Connection;
use tokio::sync::oneshot;

pub use copy::copy;
pub use inspection::{Inspection, inspect};
pub use log::{LanePage, StoredEntry};
pub use log_audit::{AuditedChain, LogAudit, LogFault, audit_log, read_log};
use messages::Sent;
pub use messages::{
    Acknowledged, Addressee, MESSAGES_FOUND_MAX, MessageQuery, OpenedMessage, SentCopy,
    StoredMessage, StoredMessageKey, StoredSealed,
};
pub use tokens::StoredToken;

/// Writes waiting for the disk; a writer beyond it waits in turn.
const WAITING_MAX: usize = 256;

/// A piece of work for the thread that owns the connection.
type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    jobs: blocking::SyncSender<Job>,
    sent: Sent,
}

impl Store {
    /// Opens the database at `path`, creating or migrating it, and starts its thread, which ends with the last handle.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = schema::open(path)?;
        let (jobs, waiting) = blocking::sync_channel::<Job>(WAITING_MAX);
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                for job in waiting {
                    job(&mut connection);
                }
            })
            .map_err(StoreError::Thread)?;
        let sent = Sent::default();
        Ok(Self { jobs, sent })
    }

    /// Every record that was written and not deleted.
    pub async fn records(&self) -> Result<Vec<Record>, StoreError> {
        self.run(records::load).await
    }

    /// Writes in one transaction; on disk once this returns.
    pub async fn write(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let sent = self.sent.clone();
        self.run(move |connection| records::write(connection, &sent, &writes))
            .await
    }

    /// What is kept of the asked ranges, as much as one answer holds.
    pub async fn entries(&self, asked: Arc<EntriesAsked>) -> Result<EntriesTold, StoreError> {
        self.run(move |connection| log::entries(connection, &asked))
            .await
    }

    /// What may be dropped of these chains; those of which nothing may be are left out.
    pub async fn swept(&self, sweeps: Vec<Sweep>) -> Result<Vec<Swept>, StoreError> {
        self.run(move |connection| log::swept(connection, &sweeps))
            .await
    }

    /// The entry at one place of the log.
    pub async fn entry_at(
        &self,
        chain: ChainId,
        sequence: u64,
    ) -> Result<Option<Entry>, StoreError> {
        self.run(move |connection| log::entry_at(connection, chain, sequence))
            .await
    }

    /// Entries of the log after a place, in the order of chains and sequences, at most `count`, each with the number
    /// that this database gives its chain.
    pub async fn log_page(
        &self,
        after: Option<(i64, u64)>,
        count: usize,
    ) -> Result<Vec<(i64, StoredEntry)>, StoreError> {
        self.run(move |connection| log::page(connection, after, count))
            .await
    }

    /// Entries of a lane after a place, in the order of chains and sequences; at most `count` are looked at.
    pub async fn lane_page(
        &self,
        lane: Lane,
        after: Option<(i64, u64)>,
        count: usize,
    ) -> Result<LanePage, StoreError> {
        self.run(move |connection| log::lane_page(connection, lane, after, count))
            .await
    }

    /// How many entries the log has here, and their bytes.
    pub async fn log_size(&self) -> Result<(usize, u64), StoreError> {
        self.run(|connection| log::size(connection)).await
    }

    /// Lets the database grow by at most so many pages from here on: as on a disk that is nearly full.
    pub async fn limit_growth(&self, pages: u32) -> Result<(), StoreError> {
        self.run(move |connection| schema::limit_growth(connection, pages))
            .await
    }

    /// Every agent token.
    pub async fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        self.run(tokens::load).await
    }

    /// Keeps a token's hash, in place of an earlier token of the same agent.
    pub async fn put_token(&self, token: StoredToken) -> Result<(), StoreError> {
        self.run(move |connection| tokens::put(connection, &token))
            .await
    }

    /// Forgets an agent's token; says whether there was one.
    pub async fn delete_token(&self, agent: String) -> Result<bool, StoreError> {
        self.run(move |connection| tokens::delete(connection, &agent))
            .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // The asker may be gone; the work is done all the same.
            let _ = answer.send(work(connection));
        });
        let jobs = self.jobs.clone();
        tokio::task::spawn_blocking(move || jobs.send(job))
            .await
            .map_err(|_| StoreError::Gone)?
            .map_err(|_| StoreError::Gone)?;
        answered.await.map_err(|_| StoreError::Gone)?
    }
}

/// Why the database could not serve.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite's own word: a full disk, a damaged file, a lock.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A database from a later version of Peerage.
    #[error(
        "the database has schema version {found}, this program knows up to {known}: run the newer peerage that wrote it"
    )]
    FromTheFuture {
        /// Its schema version.
        found: usize,
        /// The latest this program knows.
        known: usize,
    },
    /// A record that cannot be read back.
    #[error("a record in the database cannot be read: {why}")]
    Damaged {
        /// What is wrong.
        why: String,
    },
    /// The file cannot be made or closed to others.
    #[error("the database file cannot be made: {0}")]
    File(std::io::Error),
    /// The thread could not be started.
    #[error("the database thread could not be started: {0}")]
    Thread(std::io::Error),
    /// The thread has ended.
    #[error("the database is closed")]
    Gone,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use peerage_protocol::address_book::{KnownAddress, Source};
    use peerage_protocol::id::NodeId;
    use peerage_protocol::node_state::RecordKey;
    use peerage_protocol::time::Timestamp;

    use super::*;

    fn seen(byte: u8) -> Record {
        Record::Addresses {
            node: NodeId::from_public_key([byte; 32]),
            addresses: vec![KnownAddress::told(
                "/ip4/127.0.0.1/tcp/1".to_owned(),
                Source::Ticket,
                Timestamp(5),
            )],
        }
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_reopening_and_what_was_deleted_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        let store = Store::open(&path).unwrap();
        let puts = vec![Write::Put(seen(1)), Write::Put(seen(2))];
        store.write(puts).await.unwrap();
        let gone = RecordKey::Addresses(NodeId::from_public_key([1; 32]));
        store.write(vec![Write::Delete(gone)]).await.unwrap();
        drop(store);
        let store = Store::open(&path).unwrap();
        assert_eq!(store.records().await.unwrap(), [seen(2)]);
    }

    #[tokio::test]
    async fn the_database_and_its_side_files_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite")).unwrap();
        store.write(vec![Write::Put(seen(1))]).await.unwrap();
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert!(files.len() >= 2, "the write-ahead log is there: {files:?}");
        for file in files {
            let mode = file.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_database_of_a_later_version_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        drop(Store::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let refused = Store::open(&path).err().unwrap();
        assert!(matches!(
            refused,
            StoreError::FromTheFuture { found: 99, .. }
        ));
    }
}
