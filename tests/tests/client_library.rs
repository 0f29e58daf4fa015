//! `peerage::client` against real nodes: found, known by name, back after a restart, and nothing sent twice.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use peerage::client::{Client, ClientError, Options, Source, find_endpoint};
use peerage_tests::mesh::wait_tool;
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::json;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn node_with_toy(home: &Path) -> Peerage {
    let node = Peerage::up(home, &[]).await;
    node.cli(&["serve", "toy", "--", TOY]).await.done();
    wait_tool(&node, "toy__wait").await;
    node
}

fn agent(home: &Path) -> Options {
    Options {
        home: Some(home.to_path_buf()),
        agent: Some("watch".to_owned()),
        patience: PATIENCE,
        ..Options::default()
    }
}

#[tokio::test]
async fn it_finds_the_node_lists_calls_and_is_known_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_with_toy(folder.path()).await;
    let found = find_endpoint(Some(folder.path().to_path_buf()))
        .await
        .unwrap();
    assert_eq!(
        (found.url, found.source),
        (node.ready().http.clone(), Source::Node)
    );

    let client = Client::connect(agent(folder.path())).await.unwrap();
    let tools = client.tools().await.unwrap();
    assert!(tools.iter().any(|tool| tool.name == "toy__read_file"));
    let file = folder.path().join("note.txt");
    std::fs::write(&file, "the very text").unwrap();
    let read = client
        .call_tool("toy__read_file", json!({"path": file}))
        .await
        .unwrap();
    assert_eq!(
        (read.text().as_str(), read.is_error()),
        ("the very text", false)
    );
    let unknown = client.call_tool("nothing", json!({})).await.unwrap_err();
    assert!(matches!(unknown, ClientError::Rpc { .. }), "{unknown}");
    let tokens = node.cli(&["token", "list", "--json"]).await.done();
    assert!(tokens.stdout.contains("\"watch\""), "{tokens:?}");
}

#[tokio::test]
async fn what_was_sent_is_lost_with_the_node_and_what_was_not_waits_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_with_toy(folder.path()).await;
    let client = Client::connect(agent(folder.path())).await.unwrap();
    let begun = folder.path().join("begun");
    let slow = client.call_tool("toy__wait", json!({"seconds": 600, "begun": begun}));
    let killed = async {
        wait_until("the call runs", PATIENCE, async || {
            begun.exists().then_some(())
        })
        .await;
        node.kill().await;
    };
    let (lost, ()) = tokio::join!(slow, killed);
    let lost = lost.unwrap_err();
    assert!(
        matches!(lost, ClientError::Lost) && !lost.was_never_sent(),
        "{lost}"
    );

    std::fs::remove_file(&begun).unwrap();
    let (listed, node) = tokio::join!(client.tools(), Peerage::up(folder.path(), &[]));
    listed.unwrap();
    wait_tool(&node, "toy__wait").await;
    assert!(!begun.exists(), "the lost call was made again");
    let again = client.call_tool("toy__fail", json!({})).await.unwrap();
    assert!(again.is_error());
}

#[tokio::test]
async fn a_token_that_was_renewed_is_read_again_and_one_that_was_revoked_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_with_toy(folder.path()).await;
    let client = Client::connect(agent(folder.path())).await.unwrap();
    let kept = folder.path().join("agents/watch.token");
    let renewed = node.cli(&["token", "create", "watch"]).await.done().stdout;
    let refused = client.tools().await.unwrap_err();
    assert!(matches!(refused, ClientError::Unauthorized), "{refused}");
    std::fs::write(&kept, renewed).unwrap();
    client.tools().await.unwrap();
    // Without the file, the next use mints another.
    node.cli(&["token", "revoke", "watch"]).await.done();
    std::fs::remove_file(&kept).unwrap();
    client.tools().await.unwrap();
}
