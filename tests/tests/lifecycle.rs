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
    // It says itself which version it runs, once it is in.
    let known = wait_until("the laptop's version", SETTLE, async || {
        let nodes = admin.cli(&["nodes", "--json"]).await.done().json();
        let known = nodes[1].clone();
        (!known["version"].is_null()).then_some(known)
    });
    let known = known.await;
    assert_eq!(known["name"], "laptop");
    assert_eq!(known["version"], env!("CARGO_PKG_VERSION"));
    assert!(known["last_seen"].as_u64().is_some());
}

/// Runs the command line with this line on its standard input.
async fn with_line(node: &Peerage, arguments: &[&str], line: &str) -> Said {
    let mut child = cli::command(node.home(), arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let line = format!("{line}\n");
    // A command that has refused already reads nothing.
    let _ = stdin.write_all(line.as_bytes()).await;
    drop(stdin);
    let output = timeout(SETTLE, child.wait_with_output()).await;
    Said::new(&output.expect("it ends").unwrap())
}

async fn state_of(node: &Peerage, id: &str) -> Option<Value> {
    let nodes = node.cli(&["nodes", "--json"]).await.done().json();
    let mut nodes = nodes.as_array()?.iter();
    nodes.find(|entry| entry["node"] == id).cloned()
}

async fn wait_gone(node: &Peerage, id: &str) {
    wait_until(&format!("{id} is gone"), SETTLE, async || {
        state_of(node, id).await.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_node_with_another_key_keeps_its_name_and_its_old_key_is_dead_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let admin = named(folder.path(), "admin").await;
    let desk = named(folder.path(), "desk").await;
    let laptop = named(folder.path(), "laptop").await;
    join(&admin, &desk).await;
    join(&admin, &laptop).await;
    wait_connected(&desk, &laptop.ready().node).await;
    let backup = folder.path().join("laptop.tar");
    let file = backup.to_str().unwrap();
    laptop.cli(&["backup", file]).await.done();

    let rotated = laptop.cli(&["keys", "rotate", "--json"]).await;
    let rotated = rotated.done().json();
    let (old, new) = (rotated["old"].as_str(), rotated["new"].as_str());
    let (old, new) = (old.unwrap(), new.unwrap());
    assert_eq!(old, laptop.ready().node);
    assert_ne!(old, new);
    for node in [&admin, &desk] {
        wait_connected(node, new).await;
        wait_gone(node, old).await;
        assert_eq!(state_of(node, new).await.unwrap()["name"], "laptop");
    }
    assert!(!laptop.home().join("identity-next.key").exists());

    // Whoever copied the home before holds a key that opens nothing.
    let home = folder.path().join("thief");
    cli::run(&home, &["restore", file]).await.done();
    let thief = Peerage::up(&home, &["--name", "laptop"]).await;
    wait_until("the thief is told", SETTLE, async || {
        let status = thief.cli(&["status", "--json"]).await.done().json();
        let mut warnings = status["warnings"].as_array()?.iter();
        let told = warnings.any(|warning| warning.as_str().is_some_and(|w| w.contains("put out")));
        told.then_some(())
    })
    .await;
    let status = thief.cli(&["status", "--json"]).await.done().json();
    assert_eq!(status["connected"], 0);
}

#[tokio::test]
async fn the_founder_replaces_its_own_key_and_its_mesh_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let founder = named(folder.path(), "founder").await;
    let desk = named(folder.path(), "desk").await;
    join(&founder, &desk).await;
    let rotated = founder.cli(&["keys", "rotate", "--json"]).await;
    let rotated = rotated.done().json();
    let new = rotated["new"].as_str().unwrap();
    wait_connected(&desk, new).await;
    wait_gone(&desk, &founder.ready().node).await;
    assert_eq!(state_of(&desk, new).await.unwrap()["role"], "admin");
    let laptop = named(folder.path(), "laptop").await;
    let ticket = peerage_tests::mesh::ticket(&founder).await;
    laptop.cli(&["join", &ticket]).await.done();
    wait_connected(&desk, &laptop.ready().node).await;
}

#[tokio::test]
async fn a_lost_root_is_brought_back_from_its_words_and_the_lost_founder_put_out() {
    let folder = tempfile::tempdir().unwrap();
    let founder = named(folder.path(), "founder").await;
    let desk = named(folder.path(), "desk").await;
    join(&founder, &desk).await;

    let asked = founder.cli(&["keys", "recovery-words", "--json"]).await;
    assert_eq!(asked.code, 3, "{asked:?}");
    let asked = with_line(&founder, &["keys", "recovery-words"], "no").await;
    assert_eq!((asked.code, asked.stdout.as_str()), (3, ""));
    let none = desk.cli(&["keys", "recovery-words", "--show"]).await;
    assert_eq!(none.code, 3, "{none:?}");
    let shown = founder
        .cli(&["keys", "recovery-words", "--show", "--json"])
        .await
        .done()
        .json();
    let words = shown["words"].as_str().unwrap().to_owned();
    assert_eq!(words.split(' ').count(), 24);
    let lost = founder.ready().node.clone();
    founder.kill().await;

    let spare = named(folder.path(), "spare").await;
    let listen = &desk.ready().listen[0];
    let member = format!("{listen}/p2p/{}", desk.ready().node);
    let restore = ["restore", "--recovery-words", "--member", &member, "--json"];
    let wrong = with_line(&spare, &restore, "zoo zoo").await;
    assert_eq!(wrong.code, 1, "{wrong:?}");
    let restored = with_line(&spare, &restore, &words).await.done();
    assert!(!restored.stdout.contains(words.split(' ').next().unwrap()));
    assert_eq!(restored.json()["mesh"], shown["mesh"]);
    wait_connected(&desk, &spare.ready().node).await;
    assert_eq!(
        state_of(&desk, &spare.ready().node).await.unwrap()["role"],
        "admin"
    );

    wait_until("the lost founder is known", SETTLE, async || {
        state_of(&spare, &lost).await.map(|_| ())
    })
    .await;
    let revoke = ["revoke", &lost, "--keep-issued-before", "0s"];
    spare.cli(&revoke).await.done();
    wait_gone(&desk, &lost).await;
    wait_connected(&spare, &desk.ready().node).await;
    let laptop = named(folder.path(), "laptop").await;
    join(&spare, &laptop).await;
    wait_connected(&desk, &laptop.ready().node).await;
}

#[tokio::test]
async fn of_two_admins_at_odds_the_first_puts_the_other_out_and_the_founder_undoes_it() {
    let folder = tempfile::tempdir().unwrap();
    let founder = named(folder.path(), "founder").await;
    let one = named(folder.path(), "one").await;
    let other = named(folder.path(), "other").await;
    for admin in [&one, &other] {
        let invited = founder.cli(&["invite", "--role", "admin", "--json"]).await;
        let invited = invited.done().json();
        let ticket = invited["ticket"].as_str().unwrap();
        admin.cli(&["join", ticket]).await.done();
        wait_connected(&founder, &admin.ready().node).await;
    }
    wait_connected(&one, &other.ready().node).await;
    let member = named(folder.path(), "member").await;
    join(&founder, &member).await;
    wait_connected(&member, &other.ready().node).await;

    let refused = one.cli(&["revoke", "founder"]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    one.cli(&["revoke", "other"]).await.done();
    for node in [&founder, &member] {
        wait_gone(node, &other.ready().node).await;
    }
    // Too late: nobody hears it any more.
    other.cli(&["revoke", "one"]).await;
    wait_connected(&member, &one.ready().node).await;

    // The founder is nearer to the root: where it puts out whoever did that, it is undone.
    founder.cli(&["revoke", "one"]).await.done();
    for node in [&founder, &member] {
        wait_gone(node, &one.ready().node).await;
        wait_connected(node, &other.ready().node).await;
    }
}

#[tokio::test]
async fn a_rotation_that_a_crash_interrupted_goes_on_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let admin = named(folder.path(), "admin").await;
    let laptop = named(folder.path(), "laptop").await;
    join(&admin, &laptop).await;
    let backup = folder.path().join("before.tar");
    let file = backup.to_str().unwrap();
    laptop.cli(&["backup", file]).await.done();
    let rotated = laptop.cli(&["keys", "rotate", "--json"]).await;
    let new = rotated.done().json()["new"].as_str().unwrap().to_owned();
    let home = laptop.home().to_path_buf();
    wait_connected(&admin, &new).await;
    laptop.stop().await;

    // Before the certificate was kept: the admin has put the old key out, and this home does not know it.
    let unaware = folder.path().join("unaware");
    cli::run(&unaware, &["restore", file]).await.done();
    let old_key = std::fs::read(unaware.join("identity.key")).unwrap();
    std::fs::copy(home.join("identity.key"), unaware.join("identity-next.key")).unwrap();
    let resumed = Peerage::up(&unaware, &["--name", "laptop"]).await;
    wait_until("the rotation has ended", SETTLE, async || {
        let status = resumed.cli(&["status", "--json"]).await;
        let there = status.code == 0 && status.json()["node"] == new.as_str();
        there.then_some(())
    })
    .await;
    wait_connected(&resumed, &admin.ready().node).await;
    assert!(!unaware.join("identity-next.key").exists());
    resumed.stop().await;

    // After it: only the file of the key had not been put in its place.
    std::fs::rename(home.join("identity.key"), home.join("identity-next.key")).unwrap();
    peerage_node::home::write_secret(&home.join("identity.key"), &old_key).unwrap();
    let ended = Peerage::up(&home, &["--name", "laptop"]).await;
    assert_eq!(ended.ready().node, new);
    assert!(!home.join("identity-next.key").exists());
    wait_connected(&ended, &admin.ready().node).await;
}
