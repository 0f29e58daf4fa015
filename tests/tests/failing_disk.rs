//! Nothing that was acknowledged is lost, at whichever write the node is killed, the power fails or the disk is full.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use peerage_node::store::audit_log;
use peerage_tests::cli;
use peerage_tests::client::Client;
use peerage_tests::disk_images::Recorded;
use peerage_tests::failing_disk::{FailingDisk, Fault};
use peerage_tests::mesh::{join, named};
use peerage_tests::messages::{send, wait_inbox};
use peerage_tests::node::Peerage;
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

/// Rounds of the scripted run; each writes, sends, reads and acknowledges one message.
const ROUNDS: usize = 3;

/// Longer than a node needs on a busy machine to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client was told of a message, and how many bytes the record of boundaries had then.
struct Promise {
    id: String,
    acknowledged: bool,
    recorded: usize,
}

fn promise(disk: &FailingDisk, id: &str, acknowledged: bool) -> Promise {
    let recorded = std::fs::metadata(disk.record()).unwrap().len();
    Promise {
        id: id.to_owned(),
        acknowledged,
        recorded: usize::try_from(recorded).unwrap(),
    }
}

/// A day of messages between a node on the watched disk and another.
async fn scripted_run(folder: &Path, disk: &FailingDisk) -> Vec<Promise> {
    let home = folder.join("watched");
    let environment = disk.environment(&home, Fault::Recorded);
    let watched = Peerage::up_with(&home, &["--name", "watched"], &environment).await;
    let (watched, other) = (watched.unwrap(), named(folder, "other").await);
    join(&watched, &other).await;
    let here = Client::connect_agent(&watched, "here").await;
    let there = Client::connect_agent(&other, "there").await;
    let mut promises = Vec::new();
    for round in 0..ROUNDS {
        let text = format!("{round}: {}", "text ".repeat(100 * round));
        let told = here.ask("message_broadcast", json!({"text": text})).await;
        promises.push(promise(disk, told["id"].as_str().unwrap(), false));
        let sent = send(&here, "there@other", &text).await;
        promises.push(promise(disk, &sent, false));
        let received = send(&there, "here@watched", &text).await;
        wait_inbox(&here, 1).await;
        promises.push(promise(disk, &received, false));
        here.ask("message_acknowledge", json!({"ids": [received]}))
            .await;
        promises.push(promise(disk, &received, true));
    }
    drop((here, there));
    watched.stop().await;
    promises
}

#[tokio::test]
async fn a_kill_and_a_failure_of_the_power_at_every_write_lose_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FailingDisk::build(folder.path());
    let promises = scripted_run(folder.path(), &disk).await;
    let recorded = Recorded::read(&disk.record());
    assert!(
        recorded.syncs("peerage.db") > 0,
        "no checkpoint was reached"
    );
    let image = folder.path().join("image");
    let (mut images, mut audited, mut still_sealed) = (0, BTreeSet::new(), None);
    recorded.for_each_image(|after, how, files| {
        lay_out(&image, files);
        let kept = Kept::read(&image.join("peerage.db"));
        images += 1;
        let due = promises
            .iter()
            .filter(|p| recorded.until(p.recorded) <= after);
        let mut missing = Vec::new();
        for promise in due {
            let found = kept.messages.get(&promise.id).copied();
            assert!(
                !promise.acknowledged || found == Some(true),
                "{how} after boundary {after}: {} comes again",
                promise.id
            );
            if found.is_none() {
                missing.push(promise.id.clone());
            }
        }
        // What was opened last may be sealed again, and is opened at the next start.
        assert!(
            missing.len() <= kept.sealed,
            "{how} after boundary {after} of {}: {missing:?} are lost",
            recorded.len()
        );
        if !missing.is_empty() {
            still_sealed.get_or_insert((files.clone(), missing));
        }
        if kept.has_log && audited.insert(kept.log.clone()) {
            let audit = audit_log(&image.join("peerage.db")).unwrap();
            assert_eq!(audit.faults, [], "{how} after boundary {after}");
        }
    });
    println!(
        "{} boundaries, {images} images, {} different logs, {} promises",
        recorded.len(),
        audited.len(),
        promises.len()
    );
    assert!(audited.len() > 2 * ROUNDS && images > recorded.len());
    if let Some((files, missing)) = still_sealed {
        let home = copy_of(&folder.path().join("watched"), &folder.path().join("again"));
        put(&home, &files);
        let node = Peerage::up(&home, &[]).await;
        let here = Client::connect_agent(&node, "here").await;
        let inbox = wait_inbox(&here, 1).await;
        assert_eq!(inbox[0]["id"], missing[0]);
    }
}

/// Puts the files of a database there, and nothing else.
fn lay_out(folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir(folder).unwrap();
    put(folder, files);
}

/// Puts the files of a database into a folder, in place of those that it has.
fn put(folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    for name in [
        "peerage.db",
        "peerage.db-wal",
        "peerage.db-shm",
        "peerage.db-journal",
    ] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    for (path, bytes) in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // SQLite builds the third file, which other processes share, from these.
        if matches!(
            &*name,
            "peerage.db" | "peerage.db-wal" | "peerage.db-journal"
        ) {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
}

/// What a database holds.
#[derive(Default)]
struct Kept {
    /// Whether each message was acknowledged.
    messages: BTreeMap<String, bool>,
    /// How many wait to be opened.
    sealed: usize,
    has_log: bool,
    /// The hashes of the entries.
    log: Vec<Vec<u8>>,
}

impl Kept {
    fn read(path: &Path) -> Self {
        if !path.exists() {
            return Self::default();
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
        let connection = connection.unwrap();
        let sound: String = connection
            .query_row("PRAGMA quick_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok");
        let version: u32 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        if version < 3 {
            return Self::default();
        }
        let mut found = connection
            .prepare("SELECT lower(hex(id)), acknowledged IS NOT NULL FROM messages")
            .unwrap();
        let messages = found.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let sealed = "SELECT count(*) FROM sealed_messages";
        let sealed: i64 = connection.query_row(sealed, [], |row| row.get(0)).unwrap();
        let mut entries = connection
            .prepare("SELECT hash FROM log_entries ORDER BY chain, sequence")
            .unwrap();
        let log = entries.query_map([], |row| row.get(0));
        Self {
            messages: messages.unwrap().map(Result::unwrap).collect(),
            sealed: usize::try_from(sealed).unwrap(),
            has_log: true,
            log: log.unwrap().map(Result::unwrap).collect(),
        }
    }
}

/// Broadcasts at a node until it goes or refuses, or there were twelve; the ids of those that it took.
async fn broadcast_until_it_fails(node: &Peerage) -> Vec<String> {
    let made = node.cli(&["token", "create", "writer", "--json"]).await;
    let token = serde_json::from_str(&made.stdout).unwrap_or(Value::Null)["token"].clone();
    let Some(token) = token.as_str() else {
        return Vec::new();
    };
    let Ok(writer) = Client::connect_with_token(node, token).await else {
        return Vec::new();
    };
    let mut taken = Vec::new();
    for number in 0..12 {
        let text = format!("{number}: {}", "text ".repeat(200));
        let told = writer
            .call("message_broadcast", json!({"text": text}))
            .await;
        let told = told.ok().filter(|told| told.is_error != Some(true));
        let Some(told) = told.and_then(|told| told.structured_content) else {
            break;
        };
        taken.push(told["id"].as_str().unwrap().to_owned());
    }
    taken
}

/// A home that has a mesh, and how many boundaries a run on it has.
async fn founded(folder: &Path, disk: &FailingDisk) -> (PathBuf, u64) {
    let home = folder.join("founded");
    let node = Peerage::up(&home, &["--name", "founder"]).await;
    node.cli(&["invite"]).await.done();
    node.stop().await;
    let whole = copy_of(&home, &folder.join("whole"));
    let environment = disk.environment(&whole, Fault::Recorded);
    let node = Peerage::up_with(&whole, &[], &environment).await.unwrap();
    assert_eq!(broadcast_until_it_fails(&node).await.len(), 12);
    drop(node);
    let boundaries = Recorded::read(&disk.record()).len();
    (home, boundaries as u64)
}

fn copy_of(home: &Path, to: &Path) -> PathBuf {
    // Not open to others, as a home must be.
    let mut folder = std::fs::DirBuilder::new();
    folder.mode(0o700).create(to).unwrap();
    for file in std::fs::read_dir(home).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    to.to_path_buf()
}

/// Runs a node on a copy of a home with a fault, and starts it again without: the log verifies, and what was
/// acknowledged is there. Says how much that was.
async fn survives(home: &Path, disk: &FailingDisk, to: &Path, fault: Fault) -> usize {
    let home = copy_of(home, to);
    let environment = disk.environment(&home, fault);
    let taken = match Peerage::up_with(&home, &[], &environment).await {
        Ok(node) => broadcast_until_it_fails(&node).await,
        Err(_) => Vec::new(),
    };
    let node = Peerage::up(&home, &[]).await;
    node.cli(&["log", "verify"]).await.done();
    let found = node.cli(&["messages", "--limit", "200", "--json"]).await;
    let found = found.done().json();
    let found: BTreeSet<&str> = found
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|message| message["id"].as_str())
        .collect();
    for id in &taken {
        assert!(found.contains(id.as_str()), "{fault:?}: {id} is lost");
    }
    taken.len()
}

#[tokio::test]
async fn a_node_that_is_killed_at_a_write_or_finds_the_disk_full_has_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FailingDisk::build(folder.path());
    let (home, boundaries) = founded(folder.path(), &disk).await;
    let (mut taken, parts) = (Vec::new(), 5);
    for part in 1..=parts {
        let at = boundaries * part / (parts + 1);
        for fault in [Fault::KillAt(at), Fault::FullAt(at)] {
            let copy = folder.path().join(format!("{fault:?}"));
            taken.push((fault, survives(&home, &disk, &copy, fault).await));
        }
    }
    println!("of {boundaries} boundaries: {taken:?}");
    let some = taken.iter().filter(|(_, count)| (1..12).contains(count));
    assert!(
        some.count() >= 4,
        "hardly any fault came among the messages: {taken:?}"
    );
}

#[tokio::test]
async fn a_node_whose_log_is_on_a_full_disk_goes_on_and_stops_when_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut command = cli::command(&home, &["--json", "up", "--http", "auto", "--no-mdns"]);
    let mut node = command
        .args(["--listen", "/ip4/127.0.0.1/udp/0/quic-v1"])
        .env("RUST_LOG", "trace")
        .stderr(full.unwrap())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
    let ready = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
    let ready = ready.expect("it says that it is ready");
    assert!(ready.contains("http"), "{ready}");
    for _ in 0..3 {
        cli::run(&home, &["status", "--json"]).await.done();
    }
    assert_eq!(node.try_wait().unwrap(), None, "it runs");
    let pid = Pid::from_raw(i32::try_from(node.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let ended = timeout(PATIENCE, node.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}
