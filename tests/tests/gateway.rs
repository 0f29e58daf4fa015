//! The endpoint as clients find it: told of changes, known by token, safe from circles.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use peerage_tests::client::{Client, Era};
use peerage_tests::mesh::{join, tool_names, wait_tool};
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::json;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_client_is_told_when_another_node_shares_something() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Peerage::up(&folder.path().join("b"), &["--name", "desk"]).await;
    let laptop = Peerage::up(&folder.path().join("a"), &["--name", "laptop"]).await;
    join(&desk, &laptop).await;
    let mut client = Client::connect(&laptop, Era::Legacy).await;
    let names = client.tool_names().await;
    assert!(!names.iter().any(|name| name.contains("toy")), "{names:?}");
    desk.cli(&["serve", "toy", "--share", "--", TOY])
        .await
        .done();
    loop {
        client.wait_for_change(PATIENCE).await;
        let names = client.tool_names().await;
        if names.contains(&"desk__toy__wait".to_owned()) {
            return;
        }
    }
}

#[tokio::test]
async fn an_unknown_token_is_refused_and_a_known_one_is_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let node = Peerage::up(folder.path(), &[]).await;
    let made = node.cli(&["token", "create", "claude", "--json"]).await;
    let made = made.done().json();
    let token = made["token"].as_str().unwrap();
    assert!(
        Client::connect_with_token(&node, "peerage_wrong")
            .await
            .is_err()
    );
    assert!(Client::connect_with_token(&node, token).await.is_ok());
    node.cli(&["token", "revoke", "claude"]).await.done();
    assert!(Client::connect_with_token(&node, token).await.is_err());
}

#[tokio::test]
async fn a_node_that_is_its_own_upstream_is_a_named_circle_and_goes_on_serving() {
    let folder = tempfile::tempdir().unwrap();
    let node = Peerage::up(folder.path(), &[]).await;
    node.cli(&["serve", "toy", "--", TOY]).await.done();
    let http = node.ready().http.clone();
    node.cli(&["serve", "mirror", &http]).await.done();
    wait_until("the circle is named", PATIENCE, async || {
        let status = node.cli(&["status", "--json"]).await.done().json();
        let servers = status["servers"].as_array()?.clone();
        let mirror = servers.iter().find(|server| server["name"] == "mirror")?;
        mirror["why"].as_str()?.contains("circle").then_some(())
    })
    .await;
    let tool = wait_tool(&node, "toy__fail").await;
    assert_eq!(node.cli(&["call", &tool]).await.code, 5);
    let names = tool_names(&node).await;
    assert!(
        !names.iter().any(|name| name.starts_with("mirror__")),
        "{names:?}"
    );
}

#[tokio::test]
async fn two_nodes_that_are_each_others_upstream_list_each_tool_once() {
    let folder = tempfile::tempdir().unwrap();
    let one = Peerage::up(&folder.path().join("1"), &[]).await;
    let two = Peerage::up(&folder.path().join("2"), &[]).await;
    two.cli(&["serve", "toy", "--", TOY]).await.done();
    wait_tool(&two, "toy__wait").await;
    one.cli(&["serve", "two", &two.ready().http]).await.done();
    // The underscores of a tool name that is itself qualified are escaped.
    let through = wait_tool(&one, "wait").await;
    let client = Client::connect(&one, Era::Modern).await;
    let waited = client.call(&through, json!({"seconds": 0})).await.unwrap();
    assert_ne!(waited.is_error, Some(true));
    two.cli(&["serve", "one", &one.ready().http]).await.done();
    wait_until("each has met the other", PATIENCE, async || {
        let status = two.cli(&["status", "--json"]).await.done().json();
        let servers = status["servers"].as_array()?.clone();
        let other = servers.iter().find(|server| server["name"] == "one")?;
        (other["state"] == "ready").then_some(())
    })
    .await;
    let (at_one, at_two) = (tool_names(&one).await, tool_names(&two).await);
    assert!(
        at_one.iter().all(|name| name.starts_with("two__")),
        "{at_one:?}"
    );
    assert!(
        at_two.iter().all(|name| name.starts_with("toy__")),
        "{at_two:?}"
    );
    assert_eq!(at_one.len(), at_two.len(), "each tool is listed once");
    assert_eq!(two.cli(&["call", "toy__fail"]).await.code, 5);
}

#[tokio::test]
async fn an_edit_of_mcp_json_by_hand_is_followed_and_a_broken_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let node = Peerage::up(&home, &[]).await;
    let file = home.join("mcp.json");
    let servers = json!({"mcpServers": {"toy": {"command": TOY}}});
    std::fs::write(&file, servers.to_string()).unwrap();
    wait_tool(&node, "toy__wait").await;
    std::fs::write(&file, "{ broken").unwrap();
    wait_until("the broken edit is named", PATIENCE, async || {
        let status = node.cli(&["status", "--json"]).await.done().json();
        let warning = status["warnings"].as_array()?.first()?.as_str()?.to_owned();
        warning.contains("mcp.json").then_some(())
    })
    .await;
    wait_tool(&node, "toy__wait").await;
}
