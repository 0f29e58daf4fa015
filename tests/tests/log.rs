//! The log of real nodes: told, missed and pulled, kept through restarts, never used twice.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use peerage_protocol::log::Lane;
use peerage_tests::cli::run;
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
    // Elsewhere, as a database closes a little after its last handle is gone.
    let home = folder.path().join("restored");
    std::fs::create_dir(&home).unwrap();
    std::fs::copy(&backup, database(&home)).unwrap();
    let before = peerage_node::store::audit_log(&database(&home)).unwrap();
    let chains: Vec<_> = before.chains.iter().collect();
    assert_eq!(
        (chains.len(), chains[0].1.entries),
        (1, 1),
        "it forgot an entry"
    );
    let old_epoch = chains[0].0.epoch;
    let laptop = LogNode::start(&home, 2).await;
    laptop.sight(&desk).await;
    laptop.linked_with(&desk).await;
    let appended = laptop.append(Lane::TASKS, item("other")).await.unwrap();
    same_log(&desk, &laptop, 3).await;
    assert_eq!(appended.sequence, 1);
    assert_ne!(appended.chain.epoch, old_epoch);
}

/// Puts entries of one item into the log of `node`, many at a time, so that each sync takes some.
async fn fill(node: &LogNode, entries: usize) {
    for _ in 0..entries / 256 {
        let together = (0..256).map(|_| vec![Bytes::from(vec![7; 100]); 1]);
        let lanes = (0_u8..=255).map(Lane::Public);
        let appends = together
            .zip(lanes)
            .map(|(items, lane)| node.append(lane, items));
        for appended in futures::future::join_all(appends).await {
            appended.unwrap();
        }
    }
}

/// What it takes two real nodes to exchange what one has missed; `LOG_ENTRIES` says how many, 5,120 otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn many_missed_entries_are_pulled() {
    let entries = std::env::var("LOG_ENTRIES").map_or(5_120, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (desk, laptop) = two(folder.path()).await;
    laptop.kill().await;
    let begun = Instant::now();
    fill(&desk, entries).await;
    let entries = desk.places().await.len();
    println!("{entries} entries written in {:?}", begun.elapsed());
    let laptop = LogNode::start(&folder.path().join("laptop"), 2).await;
    let begun = Instant::now();
    laptop.sight(&desk).await;
    wait_until("all entries", 10 * PATIENCE, async || {
        (laptop.count().await == entries).then_some(())
    })
    .await;
    let took = begun.elapsed();
    let rate = entries as f64 / took.as_secs_f64();
    let bytes = laptop.bytes().await as f64 / entries as f64;
    println!("{entries} entries pulled in {took:?}: {rate:.0} a second, {bytes:.0} bytes each");
    same_log(&desk, &laptop, entries).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_the_disk_was_full_is_there_and_nothing_else_was() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("desk");
    std::fs::create_dir(&home).unwrap();
    let desk = LogNode::found(&home, 1).await;
    desk.append(Lane::TASKS, item("before")).await.unwrap();
    desk.limit_database().await;
    let mut acknowledged = 1;
    while desk
        .append(Lane::TASKS, vec![Bytes::from(vec![7; 30_000])])
        .await
        .is_ok()
    {
        acknowledged += 1;
        assert!(acknowledged < 1_000, "the disk never fills");
    }
    assert!(desk.has_ended().await, "a node that cannot write goes on");
    let audit = peerage_node::store::audit_log(&database(&home)).unwrap();
    assert_eq!(audit.faults, []);
    let kept: u64 = audit.chains.values().map(|chain| chain.entries).sum();
    assert_eq!(kept, acknowledged);
}

/// How long one item takes from being put in to being applied at the other node, alone and with many others; printed.
#[tokio::test(flavor = "multi_thread")]
async fn items_put_in_at_once_share_entries_and_all_arrive_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (desk, laptop) = two(folder.path()).await;
    let mut applied = laptop.applied();
    let mut alone = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        desk.append(Lane::MESSAGES, item("alone")).await.unwrap();
        tokio::time::timeout(PATIENCE, applied.recv())
            .await
            .unwrap()
            .unwrap();
        alone.push(begun.elapsed());
    }
    alone.sort_unstable();
    let (rounds, together) = (20, 256);
    let begun = Instant::now();
    let (mut sent, mut entries) = (Vec::new(), 0);
    for round in 0..rounds {
        let texts = (0..together).map(|number| format!("{:09}", round * together + number));
        let appends = texts.map(async |text| {
            let appended = desk.append(Lane::MESSAGES, item(&text)).await.unwrap();
            (appended.sequence, appended.first, text)
        });
        sent.extend(futures::future::join_all(appends).await);
    }
    let mut arrived = Vec::new();
    while arrived.len() < sent.len() {
        let entry = tokio::time::timeout(PATIENCE, applied.recv()).await;
        entries += 1;
        arrived.extend(entry.unwrap().unwrap().items());
    }
    let took = begun.elapsed();
    println!(
        "one alone: p50 {:?}; {} together in {entries} entries: {took:?}, {:.0} a second",
        alone[alone.len() / 2],
        sent.len(),
        sent.len() as f64 / took.as_secs_f64()
    );
    assert!(
        entries < sent.len() / 4,
        "{entries} entries for {}",
        sent.len()
    );
    sent.sort_unstable();
    let expected = sent.into_iter().map(|(_, _, text)| Bytes::from(text));
    assert!(
        arrived.into_iter().eq(expected),
        "not in the order of their places"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_whether_the_log_is_whole_and_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let (desk, laptop) = two(folder.path()).await;
    for text in ["one", "flip this byte", "three"] {
        desk.append(Lane::MESSAGES, item(text)).await.unwrap();
    }
    laptop.append(Lane::TASKS, item("mine")).await.unwrap();
    same_log(&desk, &laptop, 4).await;
    let home = folder.path().join("desk");
    let verified = run(&home, &["log", "verify", "--json"]).await.done().json();
    assert_eq!(
        (&verified["entries"], &verified["chains"]),
        (&4.into(), &2.into())
    );
    assert_eq!(verified["faults"], serde_json::json!([]));
    let said = run(&home, &["log", "verify"]).await.done().stdout;
    assert_eq!(said, "The log is whole: 4 entries in 2 chains.\n");
    let stats = run(&home, &["log", "stats", "--json"]).await.done().json();
    assert_eq!(
        (&stats[0]["author"], &stats[0]["entries"]),
        (&"founder".into(), &3.into())
    );
    let shown = run(&home, &["log", "show", "--lane", "tasks", "--json"]).await;
    let shown = shown.done().json();
    assert_eq!(
        (shown.as_array().unwrap().len(), &shown[0]["author"]),
        (1, &"laptop".into())
    );

    let altered = folder.path().join("altered");
    std::fs::create_dir(&altered).unwrap();
    peerage_node::store::copy(&database(&home), &database(&altered)).unwrap();
    let mut bytes = std::fs::read(database(&altered)).unwrap();
    let text = b"flip this byte";
    let at = bytes
        .windows(text.len())
        .position(|window| window == text)
        .unwrap();
    bytes[at] ^= 1;
    std::fs::write(database(&altered), bytes).unwrap();
    let said = run(&altered, &["log", "verify", "--json"]).await;
    assert_eq!(said.code, 1);
    let faults = said.json()["faults"].to_string();
    assert!(faults.contains("messages no. 2 was altered"), "{faults}");
}
