//! Agents find each other: on every machine, by what they say of themselves, while they are there.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use peerage_tests::client::{Client, Era, text_of};
use peerage_tests::mesh::{join, named};
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::{Value, json};

/// Longer than anything here needs on a busy machine.
const SETTLE: Duration = Duration::from_secs(30);

/// The addresses of the agents that the command line lists at `node`.
async fn listed(node: &Peerage) -> Vec<String> {
    let agents = node.cli(&["agents", "--json"]).await.done().json();
    let agents = agents.as_array().unwrap().iter();
    agents
        .map(|agent| agent["agent"].as_str().unwrap().to_owned())
        .collect()
}

async fn wait_listed(node: &Peerage, wanted: &[&str]) {
    wait_until(&format!("{wanted:?} are listed"), SETTLE, async || {
        let mut found = listed(node).await;
        found.sort();
        (found == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_node_lists_every_agent_with_what_it_says_and_not_those_of_a_node_that_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let desk = named(folder.path(), "desk").await;
    let laptop = named(folder.path(), "laptop").await;
    join(&desk, &laptop).await;
    let coder = Client::connect_agent(&desk, "coder").await;
    let reader = Client::connect_agent(&laptop, "reader").await;
    let said = json!({"capabilities": ["rust", "review"], "status": "waiting"});
    let registered = coder.ask("agent_register", said).await;
    assert_eq!(registered["agent"], "coder@desk");

    for node in [&desk, &laptop] {
        wait_listed(node, &["coder@desk", "reader@laptop"]).await;
    }
    let found = wait_until("coder's words are known", SETTLE, async || {
        let found = reader
            .ask("agent_list", json!({"capability": "Rust"}))
            .await;
        let found = found["agents"].as_array()?.first()?.clone();
        Some(found)
    })
    .await;
    assert_eq!(found["status"], "waiting");
    assert_eq!(found["local"], false);
    let shown = reader
        .ask("agent_status", json!({"agent": "coder@desk"}))
        .await;
    assert_eq!(shown, found);

    desk.stop().await;
    wait_listed(&laptop, &["reader@laptop"]).await;
}

#[tokio::test]
async fn who_follows_the_agents_is_told_when_one_comes_to_another_node_and_reads_who() {
    let folder = tempfile::tempdir().unwrap();
    let desk = named(folder.path(), "desk").await;
    let laptop = named(folder.path(), "laptop").await;
    join(&desk, &laptop).await;
    let mut watcher = Client::connect(&laptop, Era::Legacy).await;
    let nodes = watcher.read("peerage://nodes").await;
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(
        watcher.read("peerage://agents").await,
        json!({"agents": []})
    );
    watcher.subscribe("peerage://agents").await;
    let _coder = Client::connect_agent(&desk, "coder").await;
    watcher.wait_for_update("peerage://agents", SETTLE).await;
    let agents = watcher.read("peerage://agents").await;
    assert_eq!(agents["agents"][0]["agent"], "coder@desk");
}

#[tokio::test]
async fn who_follows_the_nodes_is_told_when_one_stops() {
    let folder = tempfile::tempdir().unwrap();
    let desk = named(folder.path(), "desk").await;
    let laptop = named(folder.path(), "laptop").await;
    join(&desk, &laptop).await;
    let mut watcher = Client::connect(&laptop, Era::Legacy).await;
    watcher.subscribe("peerage://nodes").await;
    desk.stop().await;
    watcher.wait_for_update("peerage://nodes", SETTLE).await;
}

#[tokio::test]
async fn a_guest_reads_who_is_there_and_is_told_how_to_get_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let node = Peerage::up(folder.path(), &[]).await;
    let guest = Client::connect(&node, Era::Modern).await;
    let agents = guest.ask("agent_list", json!({})).await;
    assert_eq!(agents["agents"], Value::Array(vec![]));
    let refused = guest.call("agent_register", json!({})).await.unwrap();
    assert_eq!(refused.is_error, Some(true));
    let told = text_of(&refused);
    assert!(told.contains("peerage token create"), "{told}");
}

#[tokio::test]
async fn an_agent_whose_token_is_revoked_is_gone_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = named(folder.path(), "desk").await;
    let _coder = Client::connect_agent(&node, "coder").await;
    wait_listed(&node, &["coder@desk"]).await;
    node.cli(&["token", "revoke", "coder"]).await.done();
    assert_eq!(listed(&node).await, [] as [String; 0]);
}
