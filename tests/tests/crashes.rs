//! What a crash of one node means to another, over each transport, and that it heals without a hand's touch.
#![allow(clippy::unwrap_used)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use peerage_tests::cli::{self, Said};
use peerage_tests::mesh::{join, tool_names, wait_tool};
use peerage_tests::node::{Peerage, Transport};
use peerage_tests::wait::wait_until;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");

/// From the kill to the caller's error, and to the end of the listing.
const NOTICED: Duration = Duration::from_secs(6);

/// The port of a textual multiaddress of this harness.
fn port_of(address: &str) -> u16 {
    address.split('/').nth(4).unwrap().parse().unwrap()
}

async fn a_killed_node_is_noticed_and_comes_back(transport: Transport) {
    let folder = tempfile::tempdir().unwrap();
    let desk_home = folder.path().join("b");
    let desk = Peerage::up_over(&desk_home, transport, 0, &["--name", "desk"]).await;
    let laptop = Peerage::up_over(
        &folder.path().join("a"),
        transport,
        0,
        &["--name", "laptop"],
    )
    .await;
    desk.cli(&["serve", "toy", "--share", "--", TOY])
        .await
        .done();
    join(&desk, &laptop).await;
    let tool = wait_tool(&laptop, "toy__wait").await;
    let port = port_of(&desk.ready().listen[0]);

    let begun = folder.path().join("begun");
    let begun_argument = format!("begun={}", begun.display());
    let call = [
        "call",
        &tool,
        "seconds=120",
        &begun_argument,
        "--timeout",
        "120s",
    ];
    let call = cli::command(laptop.home(), &call)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(
        "the call runs at desk",
        Duration::from_secs(20),
        async || begun.exists().then_some(()),
    )
    .await;
    let killed = Instant::now();
    desk.kill().await;

    let said = Said::new(&call.wait_with_output().await.unwrap());
    assert!(killed.elapsed() < NOTICED, "{:?}", killed.elapsed());
    assert_ne!(said.code, 0);
    assert!(said.stderr.contains("desk"), "{said:?}");
    let left = NOTICED.saturating_sub(killed.elapsed());
    wait_until("desk's tools are gone", left, async || {
        (!tool_names(&laptop).await.contains(&tool)).then_some(())
    })
    .await;

    let _desk = Peerage::up_over(&desk_home, transport, port, &["--name", "desk"]).await;
    assert_eq!(wait_tool(&laptop, "toy__wait").await, tool);
}

#[tokio::test]
async fn a_killed_node_is_noticed_over_quic_and_comes_back() {
    a_killed_node_is_noticed_and_comes_back(Transport::Quic).await;
}

#[tokio::test]
async fn a_killed_node_is_noticed_over_tcp_and_comes_back() {
    a_killed_node_is_noticed_and_comes_back(Transport::Tcp).await;
}
