//! A node in the background: started once, seen in its log, started again with the same flags, stopped.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A home whose node is stopped at the end of the test.
struct Home {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

const FLAGS: [&str; 9] = [
    "up",
    "--background",
    "--name",
    "desk",
    "--http",
    "auto",
    "--no-mdns",
    "--listen",
    "/ip4/127.0.0.1/tcp/0",
];

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home");
        Self {
            _folder: folder,
            path,
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        command(&self.path).args(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--json"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.run(&["down"]);
    }
}

fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerage"));
    command.arg("--home").arg(home).env_remove("RUST_LOG");
    command
}

#[test]
fn it_is_started_once_and_stopped_once() {
    let home = Home::new();
    let first = home.json(&FLAGS);
    assert!(first["started"].is_u64(), "{first}");
    assert_eq!(home.json(&["status"])["name"], "desk");
    let second = home.json(&FLAGS);
    assert_eq!(
        (&second["started"], &second["http"]),
        (&Value::Null, &first["http"])
    );
    assert_eq!(home.json(&["down"])["stopped"], first["started"]);
    assert_eq!(home.run(&["status"]).status.code(), Some(4));
    assert_eq!(home.json(&["down"])["stopped"], Value::Null);
}

#[test]
fn a_restart_keeps_the_identity_and_the_flags() {
    let home = Home::new();
    let before = home.json(&FLAGS);
    let after = home.json(&["restart"]);
    assert_ne!(before["started"], after["started"]);
    assert_eq!(
        (&after["node"], &after["name"]),
        (&before["node"], &"desk".into())
    );
    assert_eq!(after["listen"].as_array().unwrap().len(), 1, "{after}");
    assert_eq!(home.run(&["down"]).status.code(), Some(0));
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing_running() {
    let home = Home::new();
    std::fs::create_dir(&home.path).unwrap();
    std::fs::write(home.path.join("mcp.json"), "{ oops").unwrap();
    std::fs::set_permissions(
        &home.path,
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    let output = home.run(&FLAGS);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("mcp.json, line 1"), "{said}");
    assert_eq!(home.json(&["down"])["stopped"], Value::Null);
}

#[test]
fn its_log_is_shown_and_followed() {
    let home = Home::new();
    let nothing = home.run(&["logs"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("--background"));
    home.json(&FLAGS);
    let mut following = command(&home.path)
        .args(["logs", "-f"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    home.json(&["down"]);
    let last = lines.find(|line| line.as_ref().unwrap().contains("stopping"));
    assert!(last.is_some());
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn a_watched_list_is_shown_again_when_it_changes_and_only_then() {
    let home = Home::new();
    home.json(&FLAGS);
    let mut watching = command(&home.path)
        .args(["nodes", "--watch", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(first[0]["name"], "desk");
    home.json(&["down"]);
    let next: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next["error"]["kind"], "no_node", "{next}");
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn whoever_needs_a_node_starts_it_unless_told_not_to() {
    let home = Home::new();
    let toml = "[http]\nport = 0\n[mesh]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n[discovery]\nmdns = false\n";
    let settled = home.run(&["rename", "desk"]);
    assert_eq!(settled.status.code(), Some(0), "{settled:?}");
    let settings = home.path.join("peerage.toml");
    let named = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, named + toml).unwrap();
    let refused = home.run(&["invite", "--no-start"]);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    let invited = home.run(&["invite"]);
    let (said, ticket) = (&invited.stderr, &invited.stdout);
    assert!(ticket.starts_with(b"peerage1"), "{invited:?}");
    assert!(String::from_utf8_lossy(said).contains("Started the node desk"));
    assert_eq!(home.json(&["status"])["name"], "desk");
}
