//! One node by itself: its ready line, its home, its stop, its own tools.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use peerage_tests::mesh::wait_tool;
use peerage_tests::node::Peerage;
use peerage_tests::{cli, process};

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");

#[tokio::test]
async fn a_fresh_node_is_ready_without_a_mesh() {
    let folder = tempfile::tempdir().unwrap();
    let node = Peerage::up(&folder.path().join("home"), &["--name", "solo"]).await;
    let ready = node.ready();
    assert!(
        ready.http.starts_with("http://127.0.0.1:") && ready.http.ends_with("/mcp"),
        "{ready:?}"
    );
    assert!(ready.node.starts_with("12D3Koo"), "{ready:?}");
    assert_eq!((ready.name.as_str(), &ready.mesh), ("solo", &None));
    assert_eq!(ready.listen.len(), 2, "{ready:?}");
}

#[tokio::test]
async fn a_second_node_on_the_home_is_told_who_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let node = Peerage::up(&folder.path().join("home"), &[]).await;
    let second = cli::run(node.home(), &["up", "--http", "auto", "--no-mdns"]).await;
    assert_ne!(second.code, 0);
    assert!(
        second.stderr.contains(&node.pid().to_string()),
        "{second:?}"
    );
    assert!(second.stderr.contains(&node.ready().http), "{second:?}");
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = cli::run(
        &folder.path().join("home"),
        &["up", "--http", &address, "--no-mdns"],
    )
    .await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains(&address) && said.stderr.contains("--http auto"),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_node_keeps_its_identity_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let first = Peerage::up(&home, &[]).await;
    let id = first.ready().node.clone();
    first.stop().await;
    assert_eq!(Peerage::up(&home, &[]).await.ready().node, id);
}

#[tokio::test]
async fn a_node_with_a_child_stops_with_0_within_five_seconds_and_leaves_no_child() {
    let folder = tempfile::tempdir().unwrap();
    let node = Peerage::up(&folder.path().join("home"), &[]).await;
    node.cli(&["serve", "toy", "--", TOY]).await.done();
    wait_tool(&node, "read_file").await;
    let children = process::descendants(node.pid());
    let (status, took) = node.stop().await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
    let alive = |pid: &&u32| std::path::Path::new(&format!("/proc/{pid}")).exists();
    assert_eq!(children.iter().filter(alive).count(), 0);
}

#[tokio::test]
async fn a_home_with_a_very_long_path_works() {
    let folder = tempfile::tempdir().unwrap();
    let node = Peerage::up(&folder.path().join("x".repeat(150)), &["--name", "far"]).await;
    assert_eq!(
        node.cli(&["status", "--json"]).await.done().json()["name"],
        "far"
    );
}

#[tokio::test]
async fn a_token_is_shown_once_listed_by_name_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let node = Peerage::up(&folder.path().join("home"), &[]).await;
    let made = node
        .cli(&["token", "create", "coder", "--json"])
        .await
        .done()
        .json();
    let token = made["token"].as_str().unwrap().to_owned();
    let listed = node.cli(&["token", "list", "--json"]).await.done();
    assert_eq!(listed.json()[0]["name"], "coder");
    assert!(!listed.stdout.contains(&token));
    node.cli(&["token", "revoke", "coder"]).await.done();
    assert_eq!(
        node.cli(&["token", "list", "--json"]).await.done().json(),
        serde_json::json!([])
    );
}
