//! Clients that vanish in the middle of a call leave nothing behind.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use peerage_tests::mesh::wait_tool;
use peerage_tests::node::Peerage;
use peerage_tests::process::{descendants, open_files, resident_kib};
use peerage_tests::wait::wait_until;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");

/// Clients that vanish, and how many of them at once.
const CLIENTS: usize = 1_000;
const AT_ONCE: usize = 50;

/// Memory that the second half of the clients may add: buffers of the allocator, not a leak for each call.
const GROWTH_KIB: u64 = 16 * 1024;

/// Sends a modern `tools/call` and vanishes without reading a byte.
async fn call_and_vanish(http: &str, tool: &str) {
    let address = http.trim_start_matches("http://").trim_end_matches("/mcp");
    let version = "2026-07-28";
    let body = serde_json::json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": tool, "arguments": {"seconds": 30},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": version,
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    })
    .to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {version}\r\n\
         Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
}

async fn let_clients_vanish(node: &Peerage, tool: &str, clients: usize) {
    for _ in 0..clients / AT_ONCE {
        let batch = (0..AT_ONCE).map(|_| call_and_vanish(&node.ready().http, tool));
        futures::future::join_all(batch).await;
    }
}

#[tokio::test]
async fn a_thousand_clients_that_vanish_leave_no_child_no_file_and_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let node = Peerage::up(&folder.path().join("home"), &[]).await;
    node.cli(&["serve", "toy", "--", TOY]).await.done();
    let tool = wait_tool(&node, "toy__wait").await;
    let before = (descendants(node.pid()).len(), open_files(node.pid()));

    let_clients_vanish(&node, &tool, CLIENTS / 2).await;
    let half_way = resident_kib(node.pid());
    let_clients_vanish(&node, &tool, CLIENTS / 2).await;

    wait_until(
        "children and files are as before",
        Duration::from_secs(30),
        async || {
            let now = (descendants(node.pid()).len(), open_files(node.pid()));
            (now.0 <= before.0 && now.1 <= before.1).then_some(())
        },
    )
    .await;
    let grown = resident_kib(node.pid()).saturating_sub(half_way);
    assert!(grown < GROWTH_KIB, "grown by {grown} KiB");
    assert_eq!(node.cli(&["status", "--json"]).await.code, 0);
}
