//! Putting a member out of the mesh: cut off at once, let in nowhere, known to whoever was away.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use peerage_tests::mesh::{join, named, three, wait_connected, wait_tool};
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::Value;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");
/// Longer than anything here needs on a busy machine.
const SETTLE: Duration = Duration::from_secs(30);

/// Waits until `node` lists nobody of this id any more.
async fn wait_gone(node: &Peerage, id: &str) {
    wait_until(&format!("{id} is gone"), SETTLE, async || {
        let nodes = node.cli(&["nodes", "--json"]).await.done().json();
        let there = nodes.as_array()?.iter().any(|entry| entry["node"] == id);
        (!there).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_lost_laptop_is_cut_off_everywhere_within_a_second_and_let_in_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let [founder, desk, laptop] = three(folder.path()).await;
    desk.cli(&["serve", "toy", "--share", "--", TOY])
        .await
        .done();
    let tool = wait_tool(&laptop, "desk__toy__read_file").await;
    let connected = async |node: &Peerage| {
        let status = node.cli(&["status", "--json"]).await.done().json();
        status["connected"].as_u64().unwrap()
    };
    assert_eq!(connected(&laptop).await, 2);

    let revoked = founder.cli(&["revoke", "laptop", "--json"]).await.done();
    let at = Instant::now();
    assert_eq!(revoked.json()["name"], "laptop");
    wait_until("every link of the laptop is cut", SETTLE, async || {
        (connected(&laptop).await == 0).then_some(())
    })
    .await;
    let cut_after = at.elapsed();
    println!("every link was cut {cut_after:?} after the answer");
    assert!(cut_after < Duration::from_secs(1), "{cut_after:?}");

    for node in [&founder, &desk] {
        wait_gone(node, &laptop.ready().node).await;
    }
    let said = laptop.cli(&["call", &tool, "path=/etc/hostname"]).await;
    assert_eq!(said.code, 4, "{said:?}");
    let members: Value = desk.cli(&["members", "--json"]).await.done().json();
    assert_eq!(members["members"].as_array().unwrap().len(), 2);
    assert_eq!(members["revoked"][0]["node"], laptop.ready().node.as_str());
    wait_until("the laptop is told that it is out", SETTLE, async || {
        let status = laptop.cli(&["status", "--json"]).await.done().json();
        let mut warnings = status["warnings"].as_array()?.iter();
        let told = warnings.any(|warning| warning.as_str().is_some_and(|w| w.contains("put out")));
        told.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_member_that_was_away_learns_of_it_from_the_first_member_that_knows() {
    let folder = tempfile::tempdir().unwrap();
    let [founder, desk, laptop] = three(folder.path()).await;
    let (home, listen) = (desk.home().to_path_buf(), desk.ready().listen.clone());
    desk.stop().await;
    founder.cli(&["revoke", "laptop"]).await.done();
    let desk = Peerage::up_at(&home, &listen, &["--name", "desk"]).await;
    wait_connected(&desk, &founder.ready().node).await;
    wait_gone(&desk, &laptop.ready().node).await;
    let status = laptop.cli(&["status", "--json"]).await.done().json();
    assert_eq!(status["connected"], 0);
}

#[tokio::test]
async fn who_may_not_put_somebody_out_is_told_and_nothing_happens() {
    let folder = tempfile::tempdir().unwrap();
    let founder = named(folder.path(), "founder").await;
    let desk = named(folder.path(), "desk").await;
    join(&founder, &desk).await;
    let said = desk.cli(&["revoke", "founder"]).await;
    assert_eq!(said.code, 3, "{said:?}");
    let said = founder.cli(&["revoke", "nobody"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    let said = founder.cli(&["revoke", "founder"]).await;
    assert_eq!(said.code, 3, "{said:?}");
    wait_connected(&desk, &founder.ready().node).await;
}
