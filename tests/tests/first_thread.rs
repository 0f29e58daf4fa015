//! A tool on one machine, called from another: two real nodes, a real child, a real client.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use peerage_tests::client::{Client, Era, text_of};
use peerage_tests::mesh::{join, ticket, tool_names, wait_tool};
use peerage_tests::node::Peerage;
use serde_json::json;
use tempfile::TempDir;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");

/// Node `laptop` in a mesh with node `desk`, which shares `open` and keeps `closed`; a file that lies at desk.
struct Two {
    folder: TempDir,
    laptop: Peerage,
    desk: Peerage,
}

impl Two {
    async fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = |name: &str| folder.path().join(name);
        let desk = Peerage::up(&home("b"), &["--name", "desk"]).await;
        let laptop = Peerage::up(&home("a"), &["--name", "laptop"]).await;
        desk.cli(&["serve", "open", "--share", "--", TOY])
            .await
            .done();
        desk.cli(&["serve", "closed", "--", TOY]).await.done();
        join(&desk, &laptop).await;
        Self {
            folder,
            laptop,
            desk,
        }
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("only-on-desk.txt");
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn path_argument(path: &Path) -> String {
    format!("path={}", path.display())
}

#[tokio::test]
async fn a_file_that_lies_on_one_node_is_read_from_the_other_by_the_command_line() {
    let two = Two::up().await;
    let path = two.file("the very text");
    let tool = wait_tool(&two.laptop, "read_file").await;
    assert_eq!(tool, "desk__open__read_file");
    let said = two
        .laptop
        .cli(&["call", &tool, &path_argument(&path)])
        .await
        .done();
    assert_eq!(said.stdout, "the very text\n");
}

async fn reads_through_the_endpoint(era: Era) {
    let two = Two::up().await;
    let path = two.file("the very text");
    let tool = wait_tool(&two.laptop, "read_file").await;
    let client = Client::connect(&two.laptop, era).await;
    assert!(client.tool_names().await.contains(&tool));
    let result = client.call(&tool, json!({"path": path})).await.unwrap();
    assert_eq!(text_of(&result), "the very text");
}

#[tokio::test]
async fn a_legacy_client_lists_and_calls_a_tool_of_another_node() {
    reads_through_the_endpoint(Era::Legacy).await;
}

#[tokio::test]
async fn a_modern_client_lists_and_calls_a_tool_of_another_node() {
    reads_through_the_endpoint(Era::Modern).await;
}

#[tokio::test]
async fn a_private_server_is_neither_listed_nor_known_by_name_elsewhere() {
    let two = Two::up().await;
    wait_tool(&two.laptop, "read_file").await;
    let names = tool_names(&two.laptop).await;
    assert!(
        !names.iter().any(|name| name.contains("closed")),
        "{names:?}"
    );
    let private = two.laptop.cli(&["call", "desk__closed__read_file"]).await;
    let invented = two.laptop.cli(&["call", "desk__nothing__read_file"]).await;
    assert_eq!((private.code, invented.code), (1, 1));
    assert_eq!(
        private.stderr.replace("closed", "nothing"),
        invented.stderr,
        "a refused tool and an unknown one look the same"
    );
}

#[tokio::test]
async fn a_private_server_is_there_for_its_own_machine() {
    let two = Two::up().await;
    let path = two.file("mine");
    let tool = wait_tool(&two.desk, "closed__read_file").await;
    let said = two
        .desk
        .cli(&["call", &tool, &path_argument(&path)])
        .await
        .done();
    assert_eq!(said.stdout, "mine\n");
}

#[tokio::test]
async fn a_tool_that_reports_an_error_exits_with_5_and_prints_what_it_said() {
    let two = Two::up().await;
    let tool = wait_tool(&two.laptop, "open__fail").await;
    let said = two.laptop.cli(&["call", &tool]).await;
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (5, "it failed, as asked\n")
    );
}

#[tokio::test]
async fn what_is_unserved_disappears_from_the_other_node() {
    let two = Two::up().await;
    wait_tool(&two.laptop, "read_file").await;
    two.desk.cli(&["unserve", "open"]).await.done();
    let patience = std::time::Duration::from_secs(30);
    peerage_tests::wait::wait_until("desk's tools are gone", patience, async || {
        let names = tool_names(&two.laptop).await;
        (!names.iter().any(|name| name.starts_with("desk__"))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_founded_home_refuses_to_join_and_says_how_it_could() {
    let two = Two::up().await;
    let other = Peerage::up(&two.folder.path().join("c"), &["--name", "other"]).await;
    let ticket = ticket(&other).await;
    let refused = two.desk.cli(&["join", &ticket]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(
        refused.stderr.contains("leave") && refused.stderr.contains("--home"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_ticket_for_one_is_refused_to_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let home = |name: &str| folder.path().join(name);
    let host = Peerage::up(&home("host"), &["--name", "host"]).await;
    let first = Peerage::up(&home("first"), &["--name", "first"]).await;
    let second = Peerage::up(&home("second"), &["--name", "second"]).await;
    let ticket = ticket(&host).await;
    first.cli(&["join", &ticket]).await.done();
    let refused = second.cli(&["join", &ticket]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("used"), "{refused:?}");
}

#[tokio::test]
async fn a_member_that_restarts_finds_its_mesh_again_by_itself() {
    let two = Two::up().await;
    let tool = wait_tool(&two.laptop, "read_file").await;
    let home = two.laptop.home().to_path_buf();
    let (status, _) = two.laptop.stop().await;
    assert!(status.success());
    let laptop = Peerage::up(&home, &["--name", "laptop"]).await;
    assert!(laptop.ready().mesh.is_some());
    assert_eq!(wait_tool(&laptop, "read_file").await, tool);
}
