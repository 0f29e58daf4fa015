//! Who is here: a node that stops says so, one that is killed is missed by its watchers, both are back at once.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use peerage_tests::mesh::{join, named, wait_connected};
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;

/// Longer than anything here needs on a busy machine.
const SETTLE: Duration = Duration::from_secs(30);

/// Waits until `node` says that the node of this id is in this state.
async fn wait_state(node: &Peerage, id: &str, state: &str) {
    wait_until(&format!("{id} is {state}"), SETTLE, async || {
        let nodes = node.cli(&["nodes", "--json"]).await.done().json();
        let mut nodes = nodes.as_array()?.iter();
        nodes
            .any(|entry| entry["node"] == id && entry["state"] == state)
            .then_some(())
    })
    .await;
}

/// Five nodes in one mesh, each linked with each.
async fn five(folder: &Path) -> Vec<Peerage> {
    let founder = named(folder, "founder").await;
    let mut nodes = Vec::new();
    for name in ["one", "two", "three", "four"] {
        let node = named(folder, name).await;
        join(&founder, &node).await;
        nodes.push(node);
    }
    nodes.push(founder);
    for node in &nodes {
        for other in nodes
            .iter()
            .filter(|other| other.ready().node != node.ready().node)
        {
            wait_connected(node, &other.ready().node).await;
        }
    }
    nodes
}

#[tokio::test]
async fn a_killed_node_is_away_for_everybody_within_ten_seconds_and_here_again_once_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = five(folder.path()).await;
    let killed = nodes.remove(0);
    let (id, home) = (killed.ready().node.clone(), killed.home().to_path_buf());
    killed.kill().await;
    let at = Instant::now();
    for node in &nodes {
        wait_state(node, &id, "away").await;
    }
    println!("known to all four after {:?}", at.elapsed());
    assert!(at.elapsed() < Duration::from_secs(10), "{:?}", at.elapsed());
    let back = Peerage::up(&home, &[]).await;
    for node in &nodes {
        wait_connected(node, &back.ready().node).await;
    }
}

#[tokio::test]
async fn a_node_that_is_stopped_is_away_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = five(folder.path()).await;
    let stopped = nodes.remove(0);
    let id = stopped.ready().node.clone();
    let (status, took) = stopped.stop().await;
    assert!(status.success());
    println!("it stopped within {took:?}");
    let at = Instant::now();
    for node in &nodes {
        wait_state(node, &id, "away").await;
    }
    println!("known to all four after {:?}", at.elapsed());
    assert!(at.elapsed() < Duration::from_secs(2), "{:?}", at.elapsed());
}
