//! The log of real nodes: told, missed and pulled, kept through restarts, never used twice.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use peerage_protocol::log::Lane;
use peerage_tests::log_node::{LogNode, PATIENCE, database};
use peerage_tests::wait::wait_until;

fn item(text: &str) -> Vec<Bytes> {
    vec![Bytes::copy_from_slice(text.as_bytes())]
}

async fn two(folder: &Path) -> (LogNode, LogNode) {
    let (desk, laptop) = (folder.join("desk"), folder.join("laptop"));
    std::fs::create_dir(&desk).unwrap();
    std::fs::create_dir(&laptop).unwrap();
    let desk = LogNode::found(&desk, 1).await;
    let laptop = LogNode::start(&laptop, 2).await;
    desk.admit(&laptop, "laptop").await;
    (desk, laptop)
}

async fn same_log(one: &LogNode, other: &LogNode, entries: usize) {
    wait_until("the same log", PATIENCE, async || {
        let places = one.places().await;
        let same = places.len() == entries && places == other.places().await;
        same.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_one_node_is_on_the_disk_of_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let (desk, laptop) = two(folder.path()).await;
    let mut applied = laptop.applied();
    let begun = Instant::now();
    let appended = desk.append(Lane::MESSAGES, item("hello")).await.unwrap();
    let took = begun.elapsed();
    let entry = tokio::time::timeout(PATIENCE, applied.recv()).await;
    let entry = entry.unwrap().unwrap();
    println!("appended after {took:?}, there after {:?}", begun.elapsed());
    assert_eq!(
        (entry.chain(), entry.items()),
        (appended.chain, item("hello"))
    );
    same_log(&desk, &laptop, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_while_the_other_was_off_is_pulled_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (desk, laptop) = two(folder.path()).await;
    laptop.kill().await;
    for number in 0..50 {
        let item = item(&format!("message {number}"));
        desk.append(Lane::MESSAGES, item).await.unwrap();
    }
    let direct = Lane::Direct(peerage_protocol::id::NodeId::from_public_key(
        *second_key().as_bytes(),
    ));
    desk.append(direct, item("for you")).await.unwrap();
    let laptop = LogNode::start(&folder.path().join("laptop"), 2).await;
    laptop.sight(&desk).await;
    same_log(&desk, &laptop, 51).await;
}

fn second_key() -> ed25519_dalek::VerifyingKey {
    ed25519_dalek::SigningKey::from_bytes(&[2; 32]).verifying_key()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_old_backup_the_epoch_is_new_and_no_place_is_used_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (desk, laptop) = two(folder.path()).await;
    let home = folder.path().join("laptop");
    laptop.append(Lane::TASKS, item("one")).await.unwrap();
    same_log(&desk, &laptop, 1).await;
    laptop.stop().await;
    let backup = folder.path().join("backup.db");
    peerage_node::store::copy(&database(&home), &backup).unwrap();
    let laptop = LogNode::start(&home, 2).await;
    laptop.sight(&desk).await;
    laptop.linked_with(&desk).await;
    laptop.append(Lane::TASKS, item("two")).await.unwrap();
    same_log(&desk, &laptop, 2).await;
    laptop.stop().await;
    for file in ["peerage.db-wal", "peerage.db-shm"] {
        let _ = std::fs::remove_file(home.join(file));
    }
    std::fs::copy(&backup, database(&home)).unwrap();
    let laptop = LogNode::start(&home, 2).await;
    let before = laptop.places().await;
    assert_eq!(before.len(), 1, "it forgot the second entry");
    laptop.sight(&desk).await;
    laptop.linked_with(&desk).await;
    let appended = laptop.append(Lane::TASKS, item("other")).await.unwrap();
    same_log(&desk, &laptop, 3).await;
    assert_eq!(appended.sequence, 1);
    assert_ne!(appended.chain.epoch, before[0].0.epoch);
}
