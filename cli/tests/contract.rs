//! What scripts rely on and what needs no running node: exit codes, streams, and the edits of `mcp.json`.
#![allow(clippy::unwrap_used)]

mod program;

use std::path::Path;

use serde_json::Value;

use program::{peerage, text};

fn servers(home: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(home.join("mcp.json")).unwrap()).unwrap()
}

#[test]
fn without_a_node_every_question_exits_with_4_and_says_peerage_up() {
    let folder = tempfile::tempdir().unwrap();
    let questions: [&[&str]; 8] = [
        &["nodes"],
        &["tools"],
        &["status"],
        &["invite", "--no-start"],
        &["leave"],
        &["call", "tool"],
        &["token", "list"],
        &["token", "create", "agent"],
    ];
    for question in questions {
        let output = peerage(folder.path(), question);
        assert_eq!(output.status.code(), Some(4), "{question:?}");
        assert!(text(&output.stderr).contains("peerage up"), "{question:?}");
        assert!(output.stdout.is_empty(), "{question:?}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for usage in [
        &["serve", "fs"][..],
        &["nothing"],
        &["call", "t", "x"],
        &["up", "--http", "y"],
    ] {
        assert_eq!(
            peerage(folder.path(), usage).status.code(),
            Some(2),
            "{usage:?}"
        );
    }
}

#[test]
fn with_json_a_failure_is_one_line_of_json_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let output = peerage(folder.path(), &["status", "--json"]);
    let failure: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(failure["exit"], 4);
    assert_eq!(failure["error"]["kind"], "no_node");
}

#[test]
fn with_json_wrong_usage_is_one_line_of_json_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    for usage in [
        &["--json"][..],
        &["--json", "nothing"],
        &["serve", "fs", "--json"],
        &["call", "t", "--json", "k=v", "k=w"],
        &["invite", "--ttl", "soon", "--json"],
    ] {
        let output = peerage(folder.path(), usage);
        assert_eq!(output.status.code(), Some(2), "{usage:?}");
        assert!(output.stdout.is_empty(), "{usage:?}");
        assert_eq!(text(&output.stderr).lines().count(), 1, "{output:?}");
        let told: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(
            (&told["error"]["kind"], &told["exit"]),
            (&"usage".into(), &2.into())
        );
        assert!(told["error"]["hint"].is_string(), "{told}");
    }
}

#[test]
fn without_json_wrong_usage_is_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    for usage in [&["nothing"][..], &["serve", "A", "--", "npx", "--json"]] {
        let output = peerage(folder.path(), usage);
        assert_eq!(output.status.code(), Some(2), "{usage:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{output:?}");
    }
}

#[test]
fn help_and_version_are_no_failures_with_json_either() {
    let folder = tempfile::tempdir().unwrap();
    for asked in ["--help", "--version"] {
        let output = peerage(folder.path(), &["--json", asked]);
        assert_eq!(output.status.code(), Some(0), "{asked}");
        assert!(
            output.stderr.is_empty() && !output.stdout.is_empty(),
            "{output:?}"
        );
    }
}

#[test]
fn a_served_command_is_private_until_shared_and_gone_when_unserved() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let served = peerage(
        &home,
        &["serve", "fs", "--env", "A=b", "--", "npx", "--json", "x"],
    );
    assert_eq!(served.status.code(), Some(0), "{served:?}");
    let fs = &servers(&home)["mcpServers"]["fs"];
    assert_eq!(fs["command"], "npx");
    assert_eq!(fs["args"], serde_json::json!(["--json", "x"]));
    assert_eq!(fs["env"]["A"], "b");
    assert_eq!(fs.get("share"), None);

    let shared = peerage(&home, &["serve", "fs", "--share", "--", "npx"]);
    assert!(text(&shared.stdout).contains("gains access"), "{shared:?}");
    assert_eq!(servers(&home)["mcpServers"]["fs"]["share"], true);

    assert_eq!(peerage(&home, &["unserve", "fs"]).status.code(), Some(0));
    assert_eq!(servers(&home)["mcpServers"], serde_json::json!({}));
    assert_eq!(peerage(&home, &["unserve", "fs"]).status.code(), Some(1));
}

#[test]
fn a_served_url_is_http() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    peerage(&home, &["serve", "web", "https://example.com/mcp"]);
    let web = &servers(&home)["mcpServers"]["web"];
    assert_eq!(
        (&web["type"], &web["url"]),
        (&"http".into(), &"https://example.com/mcp".into())
    );
}

#[test]
fn a_broken_mcp_json_is_refused_with_its_line_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    peerage(&home, &["serve", "a", "--", "x"]);
    let broken = "{\n  \"mcpServers\": {\n    oops\n  }\n}\n";
    std::fs::write(home.join("mcp.json"), broken).unwrap();
    let output = peerage(&home, &["serve", "b", "--", "x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("mcp.json, line 3"),
        "{output:?}"
    );
    assert_eq!(
        std::fs::read_to_string(home.join("mcp.json")).unwrap(),
        broken
    );
}

#[test]
fn the_home_and_what_lies_in_it_are_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    peerage(&home, &["serve", "a", "--env", "TOKEN=secret", "--", "x"]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home), 0o700);
    assert_eq!(mode(&home.join("mcp.json")), 0o600);
}
