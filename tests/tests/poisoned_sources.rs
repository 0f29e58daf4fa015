//! Sources that lie about a member, all at once, while it is called: no call goes astray, and the node says what it ignored.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use peerage_protocol::id::{Hash, NodeId};
use peerage_protocol::membership::member::Member;
use peerage_protocol::membership::peer_record::PeerRecord;
use peerage_protocol::membership::ticket::Ticket;
use peerage_tests::client::{Client, Era, text_of};
use peerage_tests::inside::{Inside, Transport};
use peerage_tests::mesh::{join, named, ticket, wait_connected, wait_tool};
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::{Value, json};

/// Far more than a dial needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The key of the member that lies.
const LIAR: u8 = 77;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");

/// What others say of where `whose` is: at the node that is told so, at somebody else's, nowhere, at ten thousand places.
fn lies(told: &Peerage, attacker: &Peerage, whose: &str) -> Vec<String> {
    let listening = told.ready().listen.iter().chain(&attacker.ready().listen);
    let mut lies: Vec<String> = listening.cloned().collect();
    lies.push("/ip4/0.0.0.0/tcp/1".to_owned());
    lies.extend((1..=10_000).map(|port| format!("/ip4/127.0.0.1/tcp/{port}")));
    lies.iter()
        .map(|lie| format!("{lie}/p2p/{whose}"))
        .collect()
}

fn write_bootstrap(path: &Path, lines: &[String]) {
    let lines: Vec<String> = lines.iter().map(|line| format!("{line:?}")).collect();
    std::fs::write(path, format!("[regions]\nhome = [{}]\n", lines.join(", "))).unwrap();
}

/// A member inside the test, linked with `host`.
async fn liar(host: &Peerage) -> Inside {
    let liar = Inside::start(LIAR, Transport::Quic, Vec::new()).await;
    let ticket = Ticket::from_text(&ticket(host).await).unwrap();
    let name = "liar".parse().unwrap();
    liar.membership.join(ticket, name).await.unwrap();
    wait_connected(host, &liar.id().to_string()).await;
    liar
}

/// Has `liar` put records into the mesh's table that say in the name of `victim` that it is elsewhere.
async fn lie_in_the_table(liar: &Inside, victim: NodeId, addresses: &[String]) {
    let chain = wait_until("the liar knows its victim", PATIENCE, async || {
        let roster = liar.snapshots.roster()?;
        roster.member(victim).cloned()
    })
    .await;
    for (sequence, some) in addresses.chunks(16).take(8).enumerate() {
        let sequence = u64::MAX - sequence as u64;
        let hash = Hash::of(b"");
        let record = PeerRecord::sign(&liar.key, &chain, sequence, some.to_vec(), hash, false);
        let word = Member::new(chain.clone(), Some(record));
        liar.network.provide(Arc::new(word)).await;
    }
}

async fn book(node: &Peerage) -> Value {
    let said = node.cli(&["nodes", "--addresses", "--json"]).await;
    said.done().json()
}

/// The reasons for which addresses were ignored, each with its source.
fn ignored(book: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ignored = book["ignored"].as_array().unwrap().iter();
    ignored
        .map(|one| (text(&one["source"]), text(&one["why"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_about_whom_every_source_lies_is_called_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let desk = named(folder.path(), "desk").await;
    let laptop = named(folder.path(), "laptop").await;
    join(&desk, &laptop).await;
    laptop
        .cli(&["serve", "open", "--share", "--", TOY])
        .await
        .done();
    let attacker = named(folder.path(), "attacker").await;
    attacker
        .cli(&["serve", "open", "--share", "--", TOY])
        .await
        .done();
    let (desk_home, whose) = (desk.home().to_path_buf(), laptop.ready().node.clone());
    desk.stop().await;

    let truth = format!("{}/p2p/{whose}", laptop.ready().listen[0]);
    let file = folder.path().join("peers.toml");
    write_bootstrap(&file, &[]);
    let named = file.display().to_string();
    let desk = Peerage::up(&desk_home, &["--name", "desk", "--bootstrap", &named]).await;
    let told = lies(&desk, &attacker, &whose);
    // The lies first, as many as are read; the truth is one line among them.
    let mut lines: Vec<String> = told.iter().take(500).cloned().collect();
    lines.push(truth);
    write_bootstrap(&file, &lines);
    wait_connected(&desk, &whose).await;
    let liar = liar(&desk).await;
    lie_in_the_table(&liar, whose.parse().unwrap(), &told).await;

    let tool = wait_tool(&desk, "open__read_file").await;
    let client = Client::connect(&desk, Era::Modern).await;
    let text = folder.path().join("text");
    std::fs::write(&text, "the very text").unwrap();
    let seen = wait_until("each lie is named", PATIENCE, async || {
        for _ in 0..20 {
            let answer = client.call(&tool, json!({"path": text})).await.unwrap();
            assert_eq!(text_of(&answer), "the very text");
        }
        let seen = ignored(&book(&desk).await);
        let told_by = |source: &str| seen.iter().any(|(by, _)| by == source);
        (told_by("dht") && told_by("bootstrap")).then_some(seen)
    })
    .await;
    println!("ignored: {seen:?}");
    let expected = ("dht".to_owned(), "it is not the node's own word".to_owned());
    assert!(seen.contains(&expected), "{seen:?}");
    let book = book(&desk).await;
    for node in book["nodes"].as_array().unwrap() {
        assert!(node["addresses"].as_array().unwrap().len() <= 16, "{node}");
    }
    assert!(book["ignored"].as_array().unwrap().len() <= 64);
    let nodes = desk.cli(&["nodes", "--json"]).await.done().json();
    let linked = nodes.as_array().unwrap().iter();
    let names: BTreeSet<&str> = linked.map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["desk", "laptop", "liar"]));
}
