//! The life of members, told as people live it: how they come, how their certificates and keys are renewed, how they go.
#![allow(clippy::unwrap_used)]

use std::process::Stdio;
use std::time::Duration;

use peerage_tests::cli::{self, Said};
use peerage_tests::mesh::{join, named, wait_connected};
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

/// Longer than anything here needs on a busy machine.
const SETTLE: Duration = Duration::from_secs(60);

/// `peerage join --ask` on a machine whose owner has not answered yet.
struct Asking {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    heard: Value,
}

impl Asking {
    async fn begin(node: &Peerage, at: &str) -> Self {
        let mut child = cli::command(node.home(), &["join", "--ask", at, "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let read = stdout.read_line(&mut line);
        timeout(SETTLE, read).await.expect("it is heard").unwrap();
        let heard = serde_json::from_str(&line).expect("the first line says who hears");
        Self {
            child,
            stdin,
            stdout,
            heard,
        }
    }

    fn words(&self) -> &str {
        self.heard["words"].as_str().unwrap()
    }

    /// The owner says whether the words are the same; gives the last line and the end.
    async fn say(mut self, answer: &str) -> Said {
        let answer = format!("{answer}\n");
        self.stdin.write_all(answer.as_bytes()).await.unwrap();
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line);
        timeout(SETTLE, read).await.expect("it ends").unwrap();
        let mut said = Said::new(&self.child.wait_with_output().await.unwrap());
        said.stdout = line;
        said
    }
}

async fn open(admin: &Peerage) -> String {
    let opened = admin.cli(&["requests", "--open", "10m", "--json"]).await;
    let opened = opened.done().json();
    opened["ask_at"][0].as_str().unwrap().to_owned()
}

async fn waiting(admin: &Peerage) -> Vec<Value> {
    let requests = admin.cli(&["requests", "--json"]).await.done().json();
    requests["requests"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_machine_without_a_ticket_is_let_in_by_the_words_that_both_show() {
    let folder = tempfile::tempdir().unwrap();
    let admin = named(folder.path(), "admin").await;
    let laptop = named(folder.path(), "laptop").await;
    let at = open(&admin).await;
    let asking = Asking::begin(&laptop, &at).await;
    let waits = waiting(&admin).await;
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert_eq!(waits[0]["words"], asking.words());
    assert_eq!(waits[0]["name"], "laptop");
    assert_eq!(waits[0]["node"], laptop.ready().node.as_str());
    assert_eq!(asking.words().split('-').count(), 4);

    let guessed = admin.cli(&["approve", "zoo-zoo-zoo-zoo"]).await;
    assert_eq!(guessed.code, 3, "{guessed:?}");
    let words = asking.words().replace('-', " ");
    let approved = admin.cli(&["approve", &words, "--json"]).await.done();
    assert_eq!(approved.json()["name"], "laptop");
    let joined = asking.say("yes").await.done().json();
    assert_eq!(joined["admitted_by"], "admin");
    assert_eq!(joined["role"], "member");
    wait_connected(&admin, &laptop.ready().node).await;
    wait_connected(&laptop, &admin.ready().node).await;
    assert!(waiting(&admin).await.is_empty());
}

#[tokio::test]
async fn nobody_asks_where_no_window_is_open_and_nobody_joins_who_does_not_say_yes() {
    let folder = tempfile::tempdir().unwrap();
    let admin = named(folder.path(), "admin").await;
    let laptop = named(folder.path(), "laptop").await;
    let at = open(&admin).await;
    admin.cli(&["requests", "--close"]).await.done();
    let said = laptop.cli(&["join", "--ask", &at]).await;
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.stderr.contains("hears none"), "{said:?}");

    open(&admin).await;
    let asking = Asking::begin(&laptop, &at).await;
    let words = asking.words().to_owned();
    let said = asking.say("no").await;
    assert_eq!(said.code, 3, "{said:?}");
    // Approved or not: this machine does not come for the certificate.
    admin.cli(&["approve", &words]).await.done();
    let status = laptop.cli(&["status", "--json"]).await.done().json();
    assert_eq!(status["mesh"], Value::Null);

    let asking = Asking::begin(&laptop, &at).await;
    admin.cli(&["requests", "--close"]).await.done();
    let said = asking.say("yes").await;
    // It had been let in before: that certificate is its own, whenever it comes for it.
    assert_eq!(said.code, 0, "{said:?}");
}

#[tokio::test]
async fn a_certificate_of_seconds_is_renewed_while_its_admin_is_there_and_ends_its_links_without() {
    let folder = tempfile::tempdir().unwrap();
    let admin = named(folder.path(), "admin").await;
    let desk = named(folder.path(), "desk").await;
    let laptop = named(folder.path(), "laptop").await;
    join(&admin, &desk).await;
    let invited = admin
        .cli(&["invite", "--lifetime", "12s", "--json"])
        .await
        .done()
        .json();
    let ticket = invited["ticket"].as_str().unwrap();
    laptop.cli(&["join", ticket]).await.done();
    wait_connected(&desk, &laptop.ready().node).await;
    let expires = async || {
        let status = laptop.cli(&["status", "--json"]).await.done().json();
        status["certificate_expires"].as_u64().unwrap()
    };
    let first = expires().await;
    wait_until("the certificate is renewed", SETTLE, async || {
        (expires().await > first).then_some(())
    })
    .await;
    wait_connected(&desk, &laptop.ready().node).await;

    let (home, listen) = (admin.home().to_path_buf(), admin.ready().listen.clone());
    admin.stop().await;
    wait_until("the link has ended", SETTLE, async || {
        let nodes = desk.cli(&["nodes", "--json"]).await.done().json();
        let mut nodes = nodes.as_array()?.iter();
        let laptop = nodes.find(|entry| entry["name"] == "laptop")?;
        (laptop["state"] != "connected").then_some(())
    })
    .await;
    let ended = expires().await;
    let admin = Peerage::up_at(&home, &listen, &["--name", "admin"]).await;
    wait_connected(&laptop, &admin.ready().node).await;
    wait_connected(&desk, &laptop.ready().node).await;
    assert!(expires().await > ended);
}

#[tokio::test]
async fn whoever_left_comes_back_with_a_ticket_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let admin = named(folder.path(), "admin").await;
    let laptop = named(folder.path(), "laptop").await;
    join(&admin, &laptop).await;
    laptop.cli(&["leave"]).await.done();
    wait_until("the laptop is gone", SETTLE, async || {
        let nodes = admin.cli(&["nodes", "--json"]).await.done().json();
        (nodes.as_array()?.len() == 1).then_some(())
    })
    .await;
    join(&admin, &laptop).await;
    let nodes = admin.cli(&["nodes", "--json"]).await.done().json();
    assert_eq!(nodes[1]["name"], "laptop");
    assert_eq!(nodes[1]["version"], env!("CARGO_PKG_VERSION"));
    assert!(nodes[1]["last_seen"].as_u64().is_some());
}
