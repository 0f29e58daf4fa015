//! Clients that vanish in the middle of a call leave nothing behind, on their own node and on the one they called.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use peerage_tests::mesh::{join, wait_tool};
use peerage_tests::node::Peerage;
use peerage_tests::process::{descendants, open_files, resident_kib};
use peerage_tests::wait::wait_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");

/// Clients that vanish, and how many of them at once.
const CLIENTS: usize = 1_000;
const AT_ONCE: usize = 50;

/// Memory that the second half of the clients may add: buffers of the allocator, not a leak for each call.
const GROWTH_KIB: u64 = 16 * 1024;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a client speaks.
#[derive(Clone, Copy)]
enum Era {
    Modern,
    Legacy,
}

/// A call of `wait` that has begun at the upstream once the file `begun` is there.
struct Call<'a> {
    http: &'a str,
    tool: &'a str,
    begun: PathBuf,
}

impl Call<'_> {
    fn address(&self) -> &str {
        self.http
            .trim_start_matches("http://")
            .trim_end_matches("/mcp")
    }

    fn params(&self, meta: &str) -> String {
        let (tool, begun) = (self.tool, self.begun.display());
        format!(r#"{{"name":"{tool}","arguments":{{"seconds":5,"begun":"{begun}"}}{meta}}}"#)
    }

    fn post(&self, headers: &str, body: &str) -> String {
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.address(),
            body.len()
        )
    }

    fn modern(&self) -> String {
        let meta = r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
        let params = self.params(meta);
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let headers = format!(
            "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {}\r\n",
            self.tool
        );
        self.post(&headers, &body)
    }

    fn legacy(&self, session: &str) -> String {
        let params = self.params("");
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        self.post(&format!("Mcp-Session-Id: {session}\r\n"), &body)
    }

    /// Opens a legacy session on a connection of its own and gives its id.
    async fn session(&self) -> String {
        let body = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"vanishing","version":"1"}}}"#;
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let request = self.post("Connection: close\r\n", body);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let header = answer.lines().find_map(|line| {
            line.split_once(": ")
                .filter(|(name, _)| name.eq_ignore_ascii_case("mcp-session-id"))
        });
        header.unwrap().1.trim().to_owned()
    }

    /// Sends the call, waits until the upstream has begun it, and vanishes without reading a byte.
    async fn make_and_vanish(self, era: Era) {
        let request = match era {
            Era::Modern => self.modern(),
            Era::Legacy => self.legacy(&self.session().await),
        };
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        wait_until("the call has begun", PATIENCE, async || {
            self.begun.exists().then_some(())
        })
        .await;
    }
}

async fn let_clients_vanish(node: &Peerage, tool: &str, era: Era, folder: &Path, clients: usize) {
    let marks = tempfile::tempdir_in(folder).unwrap();
    let numbers: Vec<usize> = (0..clients).collect();
    for batch in numbers.chunks(AT_ONCE) {
        let calls = batch.iter().map(|number| {
            let call = Call {
                http: &node.ready().http,
                tool,
                begun: marks.path().join(number.to_string()),
            };
            call.make_and_vanish(era)
        });
        futures::future::join_all(calls).await;
    }
}

/// What the kernel holds for a node: children and open files.
fn held(node: &Peerage) -> (usize, usize) {
    (descendants(node.pid()).len(), open_files(node.pid()))
}

/// Lets a thousand clients of `caller` vanish and looks at all of `nodes` before, half-way and after.
async fn nothing_is_left(
    caller: &Peerage,
    nodes: &[&Peerage],
    tool: &str,
    era: Era,
    folder: &Path,
) {
    let before: Vec<_> = nodes.iter().map(|node| held(node)).collect();
    let_clients_vanish(caller, tool, era, folder, CLIENTS / 2).await;
    let half_way: Vec<u64> = nodes.iter().map(|node| resident_kib(node.pid())).collect();
    let_clients_vanish(caller, tool, era, folder, CLIENTS / 2).await;
    wait_until("children and files are as before", PATIENCE, async || {
        let now = nodes.iter().map(|node| held(node));
        now.zip(&before)
            .all(|(now, before)| now.0 <= before.0 && now.1 <= before.1)
            .then_some(())
    })
    .await;
    for (node, half_way) in nodes.iter().zip(half_way) {
        let after = resident_kib(node.pid());
        println!("resident after half of the clients {half_way} KiB, after all {after} KiB");
        let grown = after.saturating_sub(half_way);
        assert!(grown < GROWTH_KIB, "grown by {grown} KiB");
        assert_eq!(node.cli(&["status", "--json"]).await.code, 0);
    }
}

async fn one_node(era: Era) {
    let folder = tempfile::tempdir().unwrap();
    let node = Peerage::up(&folder.path().join("home"), &[]).await;
    node.cli(&["serve", "toy", "--", TOY]).await.done();
    let tool = wait_tool(&node, "toy__wait").await;
    nothing_is_left(&node, &[&node], &tool, era, folder.path()).await;
}

#[tokio::test]
async fn a_thousand_modern_clients_that_vanish_leave_no_child_no_file_and_no_memory() {
    one_node(Era::Modern).await;
}

#[tokio::test]
async fn a_thousand_legacy_clients_that_vanish_leave_no_child_no_file_and_no_memory() {
    one_node(Era::Legacy).await;
}

#[tokio::test]
async fn a_thousand_clients_that_vanish_during_calls_to_a_peer_leave_nothing_on_either_node() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Peerage::up(&folder.path().join("b"), &["--name", "desk"]).await;
    let laptop = Peerage::up(&folder.path().join("a"), &["--name", "laptop"]).await;
    desk.cli(&["serve", "toy", "--share", "--", TOY])
        .await
        .done();
    join(&desk, &laptop).await;
    let tool = wait_tool(&laptop, "toy__wait").await;
    nothing_is_left(
        &laptop,
        &[&laptop, &desk],
        &tool,
        Era::Modern,
        folder.path(),
    )
    .await;
}
