//! What keeps a node over years: backups, another name, a service, a shell that completes.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use std::time::{Duration, Instant};

use serde_json::Value;

struct Node {
    folder: tempfile::TempDir,
    home: PathBuf,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        Self { folder, home }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peerage"));
        command
            .arg("--home")
            .arg(&self.home)
            .args(arguments)
            .env("HOME", self.folder.path())
            .env_remove("XDG_CONFIG_HOME");
        command
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[&["--json"], arguments].concat())).unwrap()
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], why: &str) {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(why), "{said}");
    }

    fn start(&self) -> Value {
        self.json(&[
            "up",
            "--background",
            "--http",
            "auto",
            "--no-mdns",
            "--listen",
            "/ip4/127.0.0.1/tcp/0",
        ])
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.run(&["down"]);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_node_comes_back_from_its_backup_with_its_mesh_and_its_tokens() {
    let node = Node::new();
    let before = node.start();
    node.done(&["invite"]);
    node.done(&["token", "create", "coder"]);
    let server = env!("CARGO_BIN_EXE_peerage");
    node.done(&["serve", "fs", "--", server, "sample-server", "."]);
    let file = node.file("desk.backup");
    let made = node.json(&["backup", &file]);
    assert_eq!(
        (&made["node"], &made["encrypted"]),
        (&before["node"], &false.into())
    );
    assert_eq!(mode(Path::new(&file)), 0o600);
    node.done(&["down"]);

    let elsewhere = Node::new();
    elsewhere.json(&["restore", &file]);
    assert_eq!(mode(&elsewhere.home), 0o700);
    assert_eq!(mode(&elsewhere.home.join("identity.key")), 0o600);
    let after = elsewhere.start();
    assert_eq!(after["node"], before["node"]);
    assert!(after["mesh"].is_string(), "{after}");
    assert_eq!(elsewhere.json(&["token", "list"])[0]["name"], "coder");
    assert!(elsewhere.done(&["status"]).contains("fs"));
    assert_eq!(elsewhere.json(&["doctor"])["healthy"], true);
}

#[test]
fn a_restore_never_overwrites_a_node() {
    let node = Node::new();
    node.start();
    let file = node.file("backup");
    node.done(&["backup", &file]);
    node.refused(&["backup", &file], "exists already");
    node.refused(&["restore", &file, "--force"], "in use");
    node.done(&["down"]);
    node.refused(&["restore", &file], "not empty");
    let key = fs::read(node.home.join("identity.key")).unwrap();
    let aside = node.json(&["restore", &file, "--force"])["aside"].clone();
    let aside = Path::new(aside.as_str().unwrap()).to_path_buf();
    assert_eq!(fs::read(aside.join("identity.key")).unwrap(), key);
    assert_eq!(fs::read(node.home.join("identity.key")).unwrap(), key);
}

#[test]
fn a_backup_goes_through_a_pipe() {
    let node = Node::new();
    node.start();
    let backup = node.run(&["backup", "-"]);
    let elsewhere = Node::new();
    let file = elsewhere.file("piped");
    fs::write(&file, &backup.stdout).unwrap();
    let restored = elsewhere
        .command(&["restore", "-"])
        .stdin(Stdio::from(fs::File::open(&file).unwrap()))
        .output()
        .unwrap();
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    assert!(elsewhere.home.join("identity.key").exists());
}

#[test]
fn noise_is_no_backup_and_changes_nothing() {
    let node = Node::new();
    let file = node.file("noise");
    fs::write(&file, [7; 10_000]).unwrap();
    let output = node.run(&["restore", &file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!node.home.exists());
}

#[test]
fn a_name_counts_from_the_next_start_and_in_a_mesh_at_once() {
    let node = Node::new();
    assert_eq!(node.json(&["rename", "desk"])["effective"], true);
    assert_eq!(node.start()["name"], "desk");
    node.done(&["invite"]);
    let renamed = node.json(&["rename", "shed"]);
    assert_eq!(
        (&renamed["effective"], &renamed["in_mesh"]),
        (&true.into(), &"shed".into())
    );
    assert_eq!(node.json(&["restart"])["name"], "shed");
    node.done(&["down"]);
    let noted = node.json(&["rename", "desk"]);
    assert_eq!(
        (&noted["effective"], &noted["in_mesh"]),
        (&false.into(), &"shed".into())
    );
}

#[test]
fn a_member_is_renamed_among_the_others_and_never_to_a_name_that_one_of_them_has() {
    let (desk, laptop) = (Node::new(), Node::new());
    desk.json(&["rename", "desk"]);
    laptop.json(&["rename", "laptop"]);
    desk.start();
    laptop.start();
    let ticket = desk.done(&["invite"]);
    laptop.done(&["join", ticket.trim()]);
    laptop.refused(&["rename", "desk"], "the name desk is");
    let deadline = Instant::now() + Duration::from_secs(60);
    // A certificate is some seconds old before another one is made.
    while laptop.run(&["rename", "shed"]).status.code() != Some(0) {
        assert!(
            Instant::now() < deadline,
            "{:?}",
            laptop.run(&["rename", "shed"])
        );
    }
    let listed = |node: &Node, name: &str| {
        let nodes = node.json(&["nodes"]);
        let mut nodes = nodes.as_array().unwrap().iter();
        nodes.any(|node| node["name"] == name && node["state"] != "unreachable")
    };
    while !listed(&desk, "shed") {
        assert!(Instant::now() < deadline, "{}", desk.json(&["nodes"]));
    }
    assert!(listed(&laptop, "shed") && !listed(&desk, "laptop"));
}

#[test]
fn a_service_is_shown_then_written_then_removed() {
    let node = Node::new();
    let shown = node.json(&["install"]);
    let path = Path::new(shown["path"].as_str().unwrap()).to_path_buf();
    assert!(path.starts_with(node.folder.path()));
    assert!(!path.exists(), "showing writes nothing");
    node.done(&["install", "--write"]);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        shown["text"].as_str().unwrap()
    );
    node.done(&["install", "--write"]);
    assert_eq!(node.json(&["uninstall"])["removed"], true);
    assert!(!path.exists());
    assert_eq!(node.json(&["uninstall"])["removed"], false);
}

#[test]
fn shells_complete_and_man_has_a_page_for_every_command() {
    let node = Node::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            node.done(&["completions", shell]).contains("doctor"),
            "{shell}"
        );
    }
    assert!(node.done(&["man"]).contains(".TH peerage"));
    assert!(node.done(&["man", "up"]).contains("background"));
    assert_eq!(node.run(&["man", "nothing"]).status.code(), Some(1));
}

#[test]
fn a_ticket_is_listed_without_its_secret_and_admits_nobody_once_taken_back() {
    let (node, guest) = (Node::new(), Node::new());
    node.start();
    guest.start();
    let ticket = node.done(&["invite", "--uses", "2"]);
    let listed = node.json(&["tickets"]);
    assert_eq!(
        (listed[0]["uses"].as_u64(), &listed[0]["role"]),
        (Some(2), &"member".into())
    );
    let id = listed[0]["id"].as_str().unwrap();
    assert!(
        !ticket.contains(id) && listed[0].get("secret").is_none(),
        "{listed}"
    );
    node.done(&["tickets", "revoke", &id[..8]]);
    assert_eq!(node.json(&["tickets"]), Value::Array(Vec::new()));
    let refused = guest.run(&["join", ticket.trim()]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert_eq!(
        node.run(&["tickets", "revoke", "ff"]).status.code(),
        Some(1)
    );
}
