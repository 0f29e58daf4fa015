//! A node at whose door strangers of every kind stand: its members notice nothing, and it grows by nothing.
//!
//! The figures, each kind of attack from a core of its own beside a control, are printed by the program `siege`.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::join_all;
use peerage_tests::mesh::{join, named, wait_connected, wait_tool};
use peerage_tests::node::Peerage;
use peerage_tests::process::{open_files, resident_kib};
use peerage_tests::siege::{Attack, Target};
use peerage_tests::wait::wait_until;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");
/// How long the strangers go on.
const SIEGE: Duration = Duration::from_secs(8);
/// Longer than anything here needs on a busy machine that is under attack.
const SETTLE: Duration = Duration::from_secs(60);
/// What the node may grow by, far below what the strangers would like it to hold.
const GROWTH_MAX_KIB: u64 = 64 * 1024;

const STRANGERS: [Attack; 5] = [
    Attack::HalfOpenTcp,
    Attack::GarbageTcp,
    Attack::GarbageFromEverywhere,
    Attack::StrangersTcp,
    Attack::StrangersQuic,
];

fn listening(node: &Peerage, protocol: &str) -> SocketAddr {
    let mut addresses = node.ready().listen.iter();
    let address = addresses.find_map(|address| {
        let rest = address.strip_prefix("/ip4/127.0.0.1/")?;
        let port = rest.strip_prefix(protocol)?.strip_prefix('/')?;
        port.split('/').next()?.parse().ok()
    });
    SocketAddr::from(([127, 0, 0, 1], address.unwrap()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_call_and_come_back_while_strangers_of_every_kind_stand_at_the_door() {
    let folder = tempfile::tempdir().unwrap();
    let node = named(folder.path(), "node").await;
    let caller = named(folder.path(), "caller").await;
    node.cli(&["serve", "toy", "--share", "--", TOY])
        .await
        .done();
    join(&node, &caller).await;
    let away = named(folder.path(), "away").await;
    join(&node, &away).await;
    let (home, listen) = (away.home().to_path_buf(), away.ready().listen.clone());
    away.stop().await;
    let tool = wait_tool(&caller, "node__toy__read_file").await;
    let file = folder.path().join("file.txt");
    std::fs::write(&file, "a line").unwrap();
    let argument = format!("path={}", file.display());
    let (resident, files) = (resident_kib(node.pid()), open_files(node.pid()));

    let target = Target {
        tcp: listening(&node, "tcp"),
        quic: listening(&node, "udp"),
        node: node.ready().node.parse().unwrap(),
        ticket: None,
    };
    let end = Instant::now() + SIEGE;
    let strangers = STRANGERS.map(|attack| {
        let target = target.clone();
        tokio::spawn(async move { attack.run(&target, end).await })
    });
    let mut calls = 0;
    while Instant::now() < end - SIEGE / 2 {
        let said = caller.cli(&["call", &tool, &argument]).await.done();
        assert!(said.stdout.contains("a line"), "{said:?}");
        calls += 1;
    }
    let began = Instant::now();
    let back = Peerage::up_at(&home, &listen, &[]).await;
    wait_connected(&back, &node.ready().node).await;
    println!(
        "{calls} calls; back within {:?}, its start included",
        began.elapsed()
    );
    let attempts = join_all(strangers).await;
    let attempts: Vec<u64> = attempts.into_iter().map(Result::unwrap).collect();
    println!("attempts: {attempts:?}");

    let status = node.cli(&["status", "--json"]).await.done().json();
    let door = &status["door"];
    println!("{door}");
    assert!(door["turned_away"].as_u64().unwrap() > 0, "{door}");
    let here = door["offenders"].as_array().unwrap().iter();
    let refused = here.filter(|one| one["who"] == "127.0.0.1" && one["refused"] == true);
    assert_eq!(refused.count(), 1, "{door}");
    let grown = resident_kib(node.pid()).saturating_sub(resident);
    assert!(grown < GROWTH_MAX_KIB, "{grown} KiB more");
    wait_until("what strangers held is closed", SETTLE, async || {
        (open_files(node.pid()) <= files + 16).then_some(())
    })
    .await;
}
