//! Where members are: named by the owner while the node runs, remembered over restarts, and never believed.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use peerage_tests::mesh::{join, named, wait_connected};
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::Value;

/// Far more than a dial needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first address of a node over this transport, without the node's name.
fn address(node: &Peerage, transport: &str) -> String {
    let listen = node.ready().listen.iter();
    let mut over = listen.filter(|address| address.contains(transport));
    over.next().unwrap().clone()
}

fn write_bootstrap(path: &Path, lines: &[String]) {
    let lines: Vec<String> = lines.iter().map(|line| format!("{line:?}")).collect();
    std::fs::write(path, format!("[regions]\nhome = [{}]\n", lines.join(", "))).unwrap();
}

async fn again(node: &Path, name: &str, bootstrap: &Path) -> Peerage {
    let bootstrap = bootstrap.display().to_string();
    Peerage::up(node, &["--name", name, "--bootstrap", &bootstrap]).await
}

/// Two members, stopped, so that neither is where the other knew it.
async fn apart(folder: &Path) -> (PathBuf, PathBuf) {
    let desk = named(folder, "desk").await;
    let laptop = named(folder, "laptop").await;
    join(&desk, &laptop).await;
    let homes = (desk.home().to_path_buf(), laptop.home().to_path_buf());
    laptop.stop().await;
    desk.stop().await;
    homes
}

/// What `nodes --addresses` says of the other member.
async fn known(node: &Peerage, name: &str) -> Vec<Value> {
    let book = node
        .cli(&["nodes", "--addresses", "--json"])
        .await
        .done()
        .json();
    let nodes = book["nodes"].as_array().unwrap();
    let entry = nodes.iter().find(|entry| entry["name"] == name);
    entry.map_or_else(Vec::new, |entry| {
        entry["addresses"].as_array().unwrap().clone()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_name_added_to_the_bootstrap_file_of_a_running_node_leads_to_the_member() {
    let folder = tempfile::tempdir().unwrap();
    let (desk_home, laptop_home) = apart(folder.path()).await;
    let file = folder.path().join("peers.toml");
    write_bootstrap(&file, &[]);
    let desk = again(&desk_home, "desk", &file).await;
    let laptop = Peerage::up(&laptop_home, &["--name", "laptop"]).await;
    let by_name = address(&laptop, "/tcp/").replace("/ip4/127.0.0.1", "/dns4/localhost");
    let line = format!("{by_name}/p2p/{}", laptop.ready().node);
    write_bootstrap(&file, &["nowhere".to_owned(), line]);
    wait_connected(&desk, &laptop.ready().node).await;
    let known = known(&desk, "laptop").await;
    let best = &known[0];
    assert_eq!(best["address"], by_name, "{known:?}");
    assert_eq!(best["successes"], 1, "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tried_is_counted_and_kept_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (desk_home, _) = apart(folder.path()).await;
    let desk = Peerage::up(&desk_home, &["--name", "desk"]).await;
    wait_until("a dial has failed", PATIENCE, async || {
        let known = known(&desk, "laptop").await;
        known
            .iter()
            .any(|one| one["failures"].as_u64() > Some(0))
            .then_some(())
    })
    .await;
    desk.stop().await;
    let desk = Peerage::up(&desk_home, &["--name", "desk"]).await;
    let known = known(&desk, "laptop").await;
    assert!(
        known.iter().any(|one| one["failures"].as_u64() > Some(0)),
        "{known:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_in_the_bootstrap_file_lead_nowhere_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (desk_home, laptop_home) = apart(folder.path()).await;
    let stranger = named(folder.path(), "stranger").await;
    let file = folder.path().join("peers.toml");
    write_bootstrap(&file, &[]);
    let desk = again(&desk_home, "desk", &file).await;
    let laptop = Peerage::up(&laptop_home, &["--name", "laptop"]).await;
    let whose = format!("/p2p/{}", laptop.ready().node);
    let mut lies = vec![
        address(&desk, "/tcp/") + &whose,
        address(&stranger, "/tcp/") + &whose,
        address(&stranger, "/quic-v1") + &whose,
        format!("/ip4/0.0.0.0/tcp/1{whose}"),
    ];
    lies.extend((1..=10_000).map(|port| format!("/ip4/127.0.0.1/tcp/{port}{whose}")));
    write_bootstrap(&file, &lies);
    wait_until("the stranger's address has failed", PATIENCE, async || {
        let known = known(&desk, "laptop").await;
        assert!(known.len() <= 16, "{known:?}");
        known
            .iter()
            .any(|one| one["failures"].as_u64() > Some(0))
            .then_some(())
    })
    .await;
    let book = desk
        .cli(&["nodes", "--addresses", "--json"])
        .await
        .done()
        .json();
    let said: Vec<&str> = book["ignored"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["why"].as_str().unwrap())
        .collect();
    assert!(said.contains(&"it is this node's own address"), "{said:?}");
    assert!(said.contains(&"no machine has such an address"), "{said:?}");
    let nodes = desk.cli(&["nodes", "--json"]).await.done().json();
    assert!(
        nodes
            .as_array()
            .unwrap()
            .iter()
            .all(|node| node["state"] != "connected"),
        "{nodes}"
    );

    // The truth, told once, is worth more than all of it.
    lies.insert(0, address(&laptop, "/quic-v1") + &whose);
    write_bootstrap(&file, &lies);
    wait_connected(&desk, &laptop.ready().node).await;
}
