//! Observers and guests: what they see and what they may call is decided where the tools are.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use peerage_tests::mesh::{named, tool_names, wait_connected, wait_tool};
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::Value;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");
/// Longer than anything here needs on a busy machine.
const SETTLE: Duration = Duration::from_secs(30);

/// Lets `guest` in with a ticket made with these flags.
async fn join_as(host: &Peerage, guest: &Peerage, flags: &[&str]) {
    let mut invite = vec!["invite", "--json"];
    invite.extend(flags);
    let invited = host.cli(&invite).await.done().json();
    let ticket = invited["ticket"].as_str().unwrap();
    guest.cli(&["join", ticket]).await.done();
    wait_connected(guest, &host.ready().node).await;
}

async fn role_of(node: &Peerage) -> Value {
    node.cli(&["status", "--json"]).await.done().json()["role"].clone()
}

#[tokio::test]
async fn a_guest_sees_and_calls_the_one_server_it_was_let_in_for() {
    let folder = tempfile::tempdir().unwrap();
    let host = named(folder.path(), "host").await;
    for server in ["toy", "other"] {
        let serve = ["serve", server, "--share", "--", TOY];
        host.cli(&serve).await.done();
    }
    let member = named(folder.path(), "member").await;
    let guest = named(folder.path(), "guest").await;
    join_as(&host, &member, &[]).await;
    join_as(&host, &guest, &["--only", "toy"]).await;
    assert_eq!(role_of(&guest).await, "guest");
    wait_tool(&member, "host__other__read_file").await;
    let tool = wait_tool(&guest, "host__toy__read_file").await;
    let names = tool_names(&guest).await;
    assert!(
        !names.iter().any(|name| name.contains("other")),
        "{names:?}"
    );
    let path = folder.path().join("file");
    std::fs::write(&path, "for guests").unwrap();
    let argument = format!("path={}", path.display());
    let said = guest.cli(&["call", &tool, &argument]).await.done();
    assert_eq!(said.stdout, "for guests\n");
    let said = guest
        .cli(&["call", "host__other__read_file", &argument])
        .await;
    assert_eq!(said.code, 1, "{said:?}");
}

#[tokio::test]
async fn an_observer_lists_everything_and_changes_nothing_and_offers_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let host = named(folder.path(), "host").await;
    let observer = named(folder.path(), "observer").await;
    for node in [&host, &observer] {
        node.cli(&["serve", "toy", "--share", "--", TOY])
            .await
            .done();
    }
    join_as(&host, &observer, &["--role", "observer"]).await;
    assert_eq!(role_of(&observer).await, "observer");
    let reads = wait_tool(&observer, "host__toy__read_file").await;
    let writes = wait_tool(&observer, "host__toy__wait").await;
    let path = folder.path().join("file");
    std::fs::write(&path, "to be read").unwrap();
    let argument = format!("path={}", path.display());
    let said = observer.cli(&["call", &reads, &argument]).await.done();
    assert_eq!(said.stdout, "to be read\n");
    let said = observer.cli(&["call", &writes]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("Unknown tool"), "{said:?}");
    wait_until("the host knows the observer", SETTLE, async || {
        let members = host.cli(&["members", "--json"]).await.done().json();
        let mut members = members["members"].as_array()?.iter();
        members
            .any(|member| member["role"] == "observer")
            .then_some(())
    })
    .await;
    let names = tool_names(&host).await;
    assert!(
        !names.iter().any(|name| name.starts_with("observer__")),
        "{names:?}"
    );
}
