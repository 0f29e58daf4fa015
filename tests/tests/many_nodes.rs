//! Many real nodes, each a process: somebody is put out, and several are killed and come back.
//!
//! Thirty is what is promised; here are fewer, unless the variable says so: a busy machine starts them one by one.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::join_all;
use peerage_tests::mesh::named;
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::Value;

/// Nodes, unless the variable says otherwise.
const NODES: usize = 10;
const NODES_VARIABLE: &str = "PEERAGE_NODES";
/// Longer than anything here needs on a busy machine.
const SETTLE: Duration = Duration::from_secs(90);

fn how_many() -> usize {
    let asked = std::env::var(NODES_VARIABLE).ok();
    asked.map_or(NODES, |text| text.parse().unwrap())
}

async fn status(node: &Peerage) -> Value {
    node.cli(&["status", "--json"]).await.done().json()
}

/// The state of each other member as `node` sees it.
async fn states(node: &Peerage) -> Vec<(String, String)> {
    let nodes = node.cli(&["nodes", "--json"]).await.done().json();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let others = nodes.as_array().unwrap().iter();
    others
        .map(|entry| (text(entry, "node"), text(entry, "state")))
        .filter(|(_, state)| state != "self")
        .collect()
}

/// Waits until each of `nodes` sees all of `ids` in `state`, and all others connected; how long the last one took.
async fn all_see<'n>(
    nodes: impl IntoIterator<Item = &'n Peerage>,
    ids: &[String],
    state: &str,
    others: usize,
) -> Duration {
    let began = Instant::now();
    let sees = nodes.into_iter().map(async |node| {
        let what = format!("{} sees who is {state}", node.ready().name);
        wait_until(&what, SETTLE, async || {
            let states = states(node).await;
            let of = |id: &String| states.iter().find(|(node, _)| node == id);
            let seen = ids
                .iter()
                .all(|id| of(id).is_some_and(|(_, is)| is == state));
            let connected = states.iter().filter(|(_, is)| is == "connected").count();
            (seen && connected == others).then_some(())
        })
        .await;
        began.elapsed()
    });
    join_all(sees).await.into_iter().max().unwrap_or_default()
}

/// One mesh of so many nodes, each linked with each, the founder first.
async fn mesh(folder: &Path, count: usize) -> Vec<Peerage> {
    let mut nodes = vec![named(folder, "founder").await];
    let uses = count.to_string();
    let invited = nodes[0].cli(&["invite", "--uses", &uses, "--json"]).await;
    let ticket = invited.done().json()["ticket"].as_str().unwrap().to_owned();
    for number in 1..count {
        let node = named(folder, &format!("node-{number}")).await;
        node.cli(&["join", &ticket]).await.done();
        nodes.push(node);
    }
    let took = all_see(&nodes, &[], "connected", count - 1).await;
    println!("{count} nodes: each linked with each {took:?} after the last had joined");
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_link_of_who_is_put_out_is_cut_and_who_was_away_hears_of_it_from_whom_it_meets() {
    let folder = tempfile::tempdir().unwrap();
    let count = how_many();
    let mut nodes = mesh(folder.path(), count).await;
    let lost = nodes.pop().unwrap();
    let away = nodes.pop().unwrap();
    let (home, listen) = (away.home().to_path_buf(), away.ready().listen.clone());
    away.stop().await;
    let id = lost.ready().node.clone();
    wait_until("only the one is away", SETTLE, async || {
        (status(&lost).await["connected"] == count - 2).then_some(())
    })
    .await;

    nodes[0].cli(&["revoke", &lost.ready().name]).await.done();
    let at = Instant::now();
    wait_until("every link is cut", SETTLE, async || {
        (status(&lost).await["connected"] == 0).then_some(())
    })
    .await;
    let cut = at.elapsed();
    println!(
        "the last of {} links was cut {cut:?} after the answer",
        count - 2
    );
    assert!(cut < Duration::from_secs(5), "{cut:?}");

    let back = Peerage::up_at(&home, &listen, &[]).await;
    let began = Instant::now();
    wait_until("who was away knows", SETTLE, async || {
        let states = states(&back).await;
        let linked = states.iter().any(|(_, state)| state == "connected");
        let known = states.iter().all(|(node, _)| *node != id);
        (linked && known).then_some(())
    })
    .await;
    println!("who was away knew {:?} after its start", began.elapsed());
    // It may have met the one that is out first, and cuts that link as soon as it has heard from somebody.
    wait_until("nobody is linked with who is out", SETTLE, async || {
        (status(&lost).await["connected"] == 0).then_some(())
    })
    .await;
    println!(
        "and nobody was linked with it {:?} after that start",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_that_are_killed_are_away_everywhere_and_here_everywhere_once_they_are_back() {
    let folder = tempfile::tempdir().unwrap();
    let count = how_many();
    let mut nodes = mesh(folder.path(), count).await;
    let killed = nodes.split_off(count - count / 6 - 1);
    let gone: Vec<_> = killed
        .iter()
        .map(|node| {
            let ready = node.ready();
            (
                ready.node.clone(),
                node.home().to_path_buf(),
                ready.listen.clone(),
            )
        })
        .collect();
    let ids: Vec<String> = gone.iter().map(|(id, ..)| id.clone()).collect();
    join_all(killed.into_iter().map(Peerage::kill)).await;
    let away = all_see(&nodes, &ids, "away", nodes.len() - 1).await;
    println!(
        "{} killed at once were away for everybody after {away:?}",
        ids.len()
    );
    assert!(away < Duration::from_secs(20), "{away:?}");

    let mut back = Vec::new();
    for (_, home, listen) in &gone {
        back.push(Peerage::up_at(home, listen, &[]).await);
    }
    let all: Vec<&Peerage> = nodes.iter().chain(&back).collect();
    let here = all_see(all, &ids[..0], "connected", count - 1).await;
    println!("each was linked with each again {here:?} after the last had started");
}
