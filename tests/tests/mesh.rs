//! How members find each other: by what they know of each other, by the bootstrap file, by ports that stay.
#![allow(clippy::unwrap_used)]

use peerage_tests::mesh::{join, named, three, wait_connected, wait_tool};
use peerage_tests::node::{Peerage, Transport};
use serde_json::Value;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");

#[tokio::test]
async fn two_members_let_in_by_a_third_call_each_other_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let [founder, desk, laptop] = three(folder.path()).await;
    desk.cli(&["serve", "toy", "--share", "--", TOY])
        .await
        .done();
    founder.stop().await;
    let tool = wait_tool(&laptop, "desk__toy__read_file").await;
    let path = folder.path().join("file");
    std::fs::write(&path, "straight").unwrap();
    let argument = format!("path={}", path.display());
    let said = laptop.cli(&["call", &tool, &argument]).await.done();
    assert_eq!(said.stdout, "straight\n");
}

#[tokio::test]
async fn nodes_of_one_name_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let host = named(folder.path(), "desk").await;
    let guest = Peerage::up(&folder.path().join("guest"), &["--name", "desk"]).await;
    join(&host, &guest).await;
    let nodes: Value = guest.cli(&["nodes", "--json"]).await.done().json();
    let names: Vec<&str> = nodes
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["desk-2", "desk"]);
}

#[tokio::test]
async fn members_whose_addresses_have_all_changed_meet_through_the_bootstrap_file() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let host = Peerage::up_over(&one, Transport::Tcp, 0, &[]).await;
    let guest = Peerage::up_over(&two, Transport::Tcp, 0, &[]).await;
    join(&host, &guest).await;
    host.stop().await;
    guest.stop().await;
    let host = Peerage::up_over(&one, Transport::Quic, 0, &[]).await;
    let file = folder.path().join("bootstrap-peers.toml");
    let address = format!("{}/p2p/{}", host.ready().listen[0], host.ready().node);
    std::fs::write(
        &file,
        format!("[regions]\nhome = [\"nonsense\", \"{address}\"]\n"),
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let guest = Peerage::up_over(&two, Transport::Quic, 0, &["--bootstrap", file]).await;
    wait_connected(&guest, &host.ready().node).await;
}

#[tokio::test]
async fn the_port_of_the_mesh_is_chosen_once_for_both_families_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let ports = |node: &Peerage| -> Vec<String> {
        let mut ports: Vec<String> = node
            .ready()
            .listen
            .iter()
            .map(|address| address.split('/').nth(4).unwrap().to_owned())
            .collect();
        ports.dedup();
        ports
    };
    let node = Peerage::up_at(folder.path(), &[], &[]).await;
    let chosen = ports(&node);
    assert_eq!(chosen.len(), 1, "{:?}", node.ready().listen);
    node.stop().await;
    let again = Peerage::up_at(folder.path(), &[], &[]).await;
    assert_eq!(ports(&again), chosen);
}

#[tokio::test]
async fn whoever_leaves_is_gone_elsewhere_and_may_come_back_with_a_new_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let host = named(folder.path(), "host").await;
    let guest = named(folder.path(), "guest").await;
    join(&host, &guest).await;
    guest.cli(&["leave"]).await.done();
    peerage_tests::wait::wait_until(
        "the guest is gone",
        std::time::Duration::from_secs(20),
        async || {
            let nodes: Value = host.cli(&["nodes", "--json"]).await.done().json();
            (nodes.as_array()?.len() == 1).then_some(())
        },
    )
    .await;
    join(&host, &guest).await;
}

#[tokio::test]
async fn a_member_whose_issuer_has_moved_may_leave_and_join_anew_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let host = Peerage::up(&one, &["--name", "host"]).await;
    let guest = Peerage::up(&two, &["--name", "guest"]).await;
    join(&host, &guest).await;
    host.stop().await;
    guest.stop().await;
    let host = Peerage::up(&one, &[]).await;
    let guest = Peerage::up(&two, &[]).await;
    guest.cli(&["leave"]).await.done();
    join(&host, &guest).await;
}

#[tokio::test]
async fn a_tool_of_a_member_that_is_away_is_unreachable_and_not_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let host = named(folder.path(), "host").await;
    let guest = named(folder.path(), "guest").await;
    join(&host, &guest).await;
    let home = guest.home().to_path_buf();
    host.stop().await;
    guest.stop().await;
    let guest = Peerage::up(&home, &[]).await;
    let said = guest.cli(&["call", "host__toy__read_file"]).await;
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.stderr.contains("host"), "{said:?}");
}

#[tokio::test]
async fn a_bootstrap_file_that_is_named_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nowhere.toml");
    let missing = missing.to_str().unwrap();
    let home = folder.path().join("home");
    let said = peerage_tests::cli::run(&home, &["up", "--no-mdns", "--bootstrap", missing]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("nowhere.toml"), "{said:?}");
}
