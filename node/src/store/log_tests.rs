//! The log on disk: cut off at every point of a write, and altered in every way.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use peerage_protocol::id::{Hash, MeshId, NodeId};
use peerage_protocol::log::chain::Chain;
use peerage_protocol::log::chain_id::{ChainId, EpochId, Lane};
use peerage_protocol::log::entry::{Draft, Entry};
use peerage_protocol::membership::certificate::{CERTIFICATE_VERSION, CertificateBody, Role};
use peerage_protocol::node_state::{Record, Write};
use peerage_protocol::signature::Signer;
use peerage_protocol::time::Timestamp;
use peerage_protocol::wire::log::{EntriesAsked, Range};
use rusqlite::Connection;

use super::{LanePage, LogFault, Store, audit_log};

const CUT_EVERY: usize = 256;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

fn mesh() -> MeshId {
    MeshId::from_public_key(SigningKey::from_bytes(&[1; 32]).public_key())
}

fn chain_id() -> ChainId {
    ChainId {
        author: NodeId::from_public_key(key().public_key()),
        epoch: EpochId([3; 16]),
        lane: Lane::MESSAGES,
    }
}

fn home() -> Write {
    let body = CertificateBody {
        version: CERTIFICATE_VERSION,
        mesh: mesh(),
        serial: 1,
        subject: chain_id().author,
        name: "desk".parse().unwrap(),
        role: Role::Member,
        not_before: Timestamp(0),
        expires: Timestamp(1),
        only: Vec::new(),
        replaces: None,
    };
    let chain = Arc::new(body.sign(&SigningKey::from_bytes(&[1; 32]), Vec::new()));
    Write::Put(Record::Home {
        mesh: mesh(),
        chain,
    })
}

/// The writes that append one more entry to a chain.
fn append(chain: &mut Chain) -> Vec<Write> {
    let draft = Draft {
        chain: chain.id,
        sequence: chain.head + 1,
        previous: chain.head_hash,
        predecessor: None,
        time: Timestamp(1_000 + chain.head),
        live_from: 1,
    };
    let item = Bytes::from(format!("item {}", chain.head + 1));
    let entry = Entry::seal(draft, &[item], mesh(), &key());
    chain.append(&entry);
    vec![
        Write::Append(Arc::new(entry)),
        Write::Put(Record::Chain(chain.clone())),
    ]
}

async fn store_of(path: &Path, entries: u64) -> Store {
    let store = Store::open(path).unwrap();
    store.write(vec![home()]).await.unwrap();
    let mut chain = Chain::new(chain_id());
    for _ in 0..entries {
        store.write(append(&mut chain)).await.unwrap();
    }
    store
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", path.display()))
}

/// As a machine finds it that lost power when the write-ahead log had `bytes` bytes.
fn cut(from: &Path, to: &Path, bytes: usize) {
    std::fs::copy(from, to).unwrap();
    let wal = std::fs::read(beside(from, "-wal")).unwrap();
    std::fs::write(beside(to, "-wal"), &wal[..bytes.min(wal.len())]).unwrap();
    let _ = std::fs::remove_file(beside(to, "-shm"));
}

#[tokio::test]
async fn wherever_a_write_is_cut_off_the_log_verifies_and_what_was_synced_before_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.db");
    let store = store_of(&path, 0).await;
    let mut chain = Chain::new(chain_id());
    let wal = || std::fs::metadata(beside(&path, "-wal")).unwrap().len();
    // How long the write-ahead log was when each entry was acknowledged.
    let mut acknowledged = vec![wal()];
    for _ in 0..12 {
        store.write(append(&mut chain)).await.unwrap();
        acknowledged.push(wal());
    }
    let (first, last) = (
        acknowledged[0] as usize,
        *acknowledged.last().unwrap() as usize,
    );
    let mut seen = std::collections::BTreeSet::new();
    for bytes in (first..=last).step_by(CUT_EVERY).chain([last]) {
        // Each in a place of its own: a database closes a little after its last handle is gone.
        let torn = folder.path().join(format!("cut-{bytes}.db"));
        cut(&path, &torn, bytes);
        let reopened = Store::open(&torn).unwrap();
        let (kept, _) = reopened.log_size().await.unwrap();
        let promised = acknowledged
            .iter()
            .filter(|at| **at as usize <= bytes)
            .count()
            - 1;
        assert!(kept >= promised, "cut at {bytes}: {kept} of {promised}");
        let audit = audit_log(&torn).unwrap();
        assert_eq!(audit.faults, [], "cut at {bytes}");
        seen.insert(kept);
    }
    assert_eq!(seen.len(), 13, "every number of entries was seen: {seen:?}");
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = store_of(&path, 3).await;
    store.limit_growth(8).await.unwrap();
    let mut chain = Chain::new(chain_id());
    (0..3).for_each(|_| _ = append(&mut chain));
    let mut kept = 3;
    while store.write(append(&mut chain)).await.is_ok() {
        kept += 1;
        assert!(kept < 10_000, "it never fills");
    }
    drop(store);
    let audit = audit_log(&path).unwrap();
    assert_eq!(audit.faults, []);
    assert_eq!(audit.chains[&chain_id()].entries, kept);
}

/// What `audit_log` finds after `change` was made to a log of five entries.
async fn altered(change: impl FnOnce(&Connection)) -> Vec<LogFault> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(store_of(&path, 5).await);
    let connection = Connection::open(&path).unwrap();
    change(&connection);
    drop(connection);
    audit_log(&path).unwrap().faults
}

#[tokio::test]
async fn every_altered_byte_is_named_with_its_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(store_of(&path, 3).await);
    let connection = Connection::open(&path).unwrap();
    for column in ["header", "signature", "body", "hash"] {
        let read = format!("SELECT {column} FROM log_entries WHERE sequence = 2");
        let write = format!("UPDATE log_entries SET {column} = ?1 WHERE sequence = 2");
        let whole: Vec<u8> = connection.query_row(&read, [], |row| row.get(0)).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            connection.execute(&write, [&bytes]).unwrap();
            let faults = audit_log(&path).unwrap().faults;
            let names = |fault: &LogFault| match fault {
                LogFault::Altered { sequence, .. } | LogFault::OtherHash { sequence, .. } => {
                    *sequence == 2
                }
                _ => false,
            };
            assert!(faults.iter().any(names), "{column}, byte {at}: {faults:?}");
        }
        connection.execute(&write, [&whole]).unwrap();
    }
    assert_eq!(audit_log(&path).unwrap().faults, []);
}

#[tokio::test]
async fn what_is_missing_or_reordered_is_named() {
    let chain = chain_id();
    let delete = |sequence: u64| {
        altered(move |connection| {
            let deleted = connection.execute(
                "DELETE FROM log_entries WHERE sequence = ?1",
                [i64::try_from(sequence).unwrap()],
            );
            assert_eq!(deleted.unwrap(), 1);
        })
    };
    let missing = |from, to| LogFault::Missing { chain, from, to };
    assert_eq!(delete(1).await, [missing(1, 1)]);
    assert_eq!(delete(3).await, [missing(3, 3)]);
    let (found, said) = (4, 5);
    assert_eq!(delete(5).await, [LogFault::OtherEnd { chain, found, said }]);
    let swapped = altered(|connection| {
        let swap = "UPDATE log_entries SET sequence = 99 WHERE sequence = 2;
                    UPDATE log_entries SET sequence = 2 WHERE sequence = 3;
                    UPDATE log_entries SET sequence = 3 WHERE sequence = 99;";
        connection.execute_batch(swap).unwrap();
    });
    let swapped = swapped.await;
    let misplaced = |at: u64, is: u64| LogFault::Misplaced {
        chain,
        sequence: at,
        of: chain,
        found: is,
    };
    assert!(
        swapped.contains(&misplaced(2, 3)) && swapped.contains(&misplaced(3, 2)),
        "{swapped:?}"
    );
}

#[tokio::test]
async fn what_was_pruned_is_no_fault_and_its_last_header_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = store_of(&path, 5).await;
    let mut chain = Chain::new(chain_id());
    (0..5).for_each(|_| _ = append(&mut chain));
    chain.first = 4;
    let prune = Write::Prune {
        chain: chain.id,
        first: 4,
    };
    let writes = vec![prune, Write::Put(Record::Chain(chain.clone()))];
    store.write(writes).await.unwrap();
    assert_eq!(audit_log(&path).unwrap().faults, []);
    let range = Range {
        chain: chain.id,
        from: 1,
        to: 5,
    };
    let asked = Arc::new(EntriesAsked {
        ranges: vec![range],
    });
    let told = store.entries(asked).await.unwrap();
    assert_eq!((told.pruned.len(), told.entries.len()), (1, 2));
    let anchor = told.pruned[0].clone().open_unsigned().unwrap();
    assert_eq!(anchor.sequence(), 3);
    let first = told.entries[0].clone().open_unsigned().unwrap();
    assert_eq!(first.header().previous, anchor.hash());
    assert_ne!(anchor.hash(), Hash::from([0; 32]));
}

#[tokio::test]
async fn a_lane_is_read_back_in_order_page_by_page_but_for_what_was_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_of(&folder.path().join("store.db"), 5).await;
    let prune = Write::Prune {
        chain: chain_id(),
        first: 3,
    };
    store.write(vec![prune]).await.unwrap();
    let (mut after, mut read) = (None, Vec::new());
    loop {
        let page = store.lane_page(Lane::MESSAGES, after, 2).await.unwrap();
        if page.last == after {
            break;
        }
        after = page.last;
        read.extend(page.entries.iter().map(|entry| entry.sequence()));
    }
    assert_eq!(read, [3, 4, 5]);
    let other = store.lane_page(Lane::TASKS, None, 2).await.unwrap();
    assert_eq!(other, LanePage::default());
}
