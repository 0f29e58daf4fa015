//! `connect`, `disconnect` and `import` as their user sees them, in a folder of the user that is made for the test.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

struct User {
    folder: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn peerage(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_peerage"))
            .arg("--home")
            .arg(self.path("node"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    fn said(&self, arguments: &[&str]) -> Value {
        let output = self.peerage(arguments);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

const CLIENTS: [&str; 8] = [
    "claude",
    "claude-desktop",
    "cursor",
    "vscode",
    "codex",
    "windsurf",
    "zed",
    "gemini",
];

#[test]
fn connecting_shows_first_writes_once_and_is_undone_for_every_client() {
    let user = User::new();
    for client in CLIENTS {
        let shown = user.said(&["connect", client, "--json"]);
        let path = PathBuf::from(shown["path"].as_str().unwrap());
        assert_eq!(
            (&shown["changed"], &shown["written"]),
            (&true.into(), &false.into())
        );
        assert!(!path.exists(), "{client}: showing writes nothing");

        assert_eq!(
            user.said(&["connect", client, "--write", "--json"])["written"],
            true
        );
        let first = read(&path);
        assert!(first.contains("--as") && first.contains(client), "{first}");
        assert_eq!(
            user.said(&["connect", client, "--write", "--json"])["changed"],
            false
        );
        assert_eq!(
            read(&path),
            first,
            "{client}: a second time changes nothing"
        );

        assert_eq!(
            user.said(&["disconnect", client, "--write", "--json"])["written"],
            true
        );
        assert!(!read(&path).contains("--as"), "{client}");
        assert_eq!(
            user.said(&["disconnect", client, "--write", "--json"])["changed"],
            false
        );
    }
}

#[test]
fn the_change_is_shown_as_a_diff_with_the_command_that_applies_it() {
    let user = User::new();
    let output = user.peerage(&["connect", "vscode"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("+      \"type\": \"stdio\""), "{text}");
    assert!(text.contains("connect vscode --write"), "{text}");
}

#[test]
fn a_project_has_a_configuration_of_its_own() {
    let user = User::new();
    user.said(&["connect", "claude", "--project", "--write", "--json"]);
    assert!(read(&user.path(".mcp.json")).contains("peerage"));
    assert!(!user.path(".claude.json").exists());
    let none = user.peerage(&["connect", "windsurf", "--project"]);
    assert_eq!(none.status.code(), Some(1));
}

#[test]
fn a_broken_configuration_is_named_and_left_alone() {
    let user = User::new();
    std::fs::write(user.path(".claude.json"), "{\n  oops\n").unwrap();
    let output = user.peerage(&["connect", "claude", "--write"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains(".claude.json") && said.contains("line 2"),
        "{said}"
    );
    assert_eq!(read(&user.path(".claude.json")), "{\n  oops\n");
}

#[test]
fn servers_of_clients_are_shown_then_taken_over_once_and_we_are_not_among_them() {
    let user = User::new();
    let config = r#"{"mcpServers": {"My Files": {"command": "npx", "args": ["fs"]},
        "needy": {"command": "x", "env": {"K": "${NOT_SET_ANYWHERE}"}}}}"#;
    std::fs::write(user.path(".claude.json"), config).unwrap();
    user.said(&["connect", "claude", "--write", "--json"]);
    let shown = user.said(&["import", "--json"]);
    let names: Vec<&Value> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["name"])
        .collect();
    assert_eq!(names, [&Value::from("my-files"), &Value::Null]);
    assert!(
        !user.path("node/mcp.json").exists(),
        "showing writes nothing"
    );

    user.said(&["import", "claude", "--write", "--json"]);
    let servers: Value = serde_json::from_str(&read(&user.path("node/mcp.json"))).unwrap();
    assert_eq!(servers["mcpServers"]["my-files"]["command"], "npx");
    assert_eq!(servers["mcpServers"].as_object().unwrap().len(), 1);
    let again = user.said(&["import", "--write", "--json"]);
    assert!(
        again
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["name"].is_null()),
        "{again}"
    );
}
