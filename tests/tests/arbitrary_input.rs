//! Input that no honest program sends, on real sockets and pipes: nothing panics, nothing hangs, nothing grows.
#![allow(clippy::unwrap_used)]

use std::process::Stdio;
use std::time::Duration;

use peerage_tests::mesh::wait_tool;
use peerage_tests::mutation::Choices;
use peerage_tests::node::Peerage;
use peerage_tests::process::{open_files, resident_kib};
use peerage_tests::wait::wait_until;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

const BABBLING: &str = env!("CARGO_BIN_EXE_babbling-server");

/// Longer than anything here takes on a busy machine, and shorter than any deadline of the node's for a call.
const PATIENCE: Duration = Duration::from_secs(60);

/// Memory that the second half of the input may add: buffers of the allocator, not a leak for each message.
const GROWTH_KIB: u64 = 24 * 1024;

const META: &str = r#""_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}}}"#;

/// Messages that clients send, each of which would be understood.
fn honest_messages() -> Vec<Vec<u8>> {
    let modern = |method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}{META}}}}}"#)
    };
    let messages = [
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{"roots":{}},"clientInfo":{"name":"x","version":"1"}}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"tools_search","arguments":{"query":"a"}}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":9,"result":{"roots":[]}}"#.to_owned(),
        r#"[{"jsonrpc":"2.0","id":3,"method":"ping"},{"jsonrpc":"2.0","id":4,"method":"tools/list"}]"#.to_owned(),
        modern("tools/call", r#""name":"tools_search","arguments":{"query":"b"},"#),
        modern("tools/list", r#""cursor":"x","#),
        modern("server/discover", ""),
        modern("resources/read", r#""uri":"a://b","#),
    ];
    messages.map(String::into_bytes).to_vec()
}

struct Victim {
    node: Peerage,
    _folder: tempfile::TempDir,
}

impl Victim {
    async fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = Peerage::up(&folder.path().join("home"), &["--log", "error"]).await;
        Self {
            node,
            _folder: folder,
        }
    }

    fn address(&self) -> &str {
        let http = &self.node.ready().http;
        http.trim_start_matches("http://").trim_end_matches("/mcp")
    }

    /// Sends `bytes` on a connection of its own and reads until the node closes it.
    async fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        // A node that has read enough to refuse may hang up before it has read all.
        let _ = stream.write_all(bytes).await;
        self.read_out(stream).await
    }

    /// The same, for bytes after which the node may wait for more: there is none.
    async fn exchange_and_end(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        self.read_out(stream).await
    }

    async fn read_out(&self, mut stream: TcpStream) -> Vec<u8> {
        let mut said = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
        let _ = read.expect("the node answers or hangs up");
        said
    }

    async fn is_well(&self) {
        let said = self
            .exchange(
                format!(
                    "GET /mcp/health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                    self.address()
                )
                .as_bytes(),
            )
            .await;
        assert!(
            said.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }

    /// Runs `inputs` numbered inputs, half of them to warm up; afterwards the node is as it was.
    async fn endures(&self, inputs: u64, mut input: impl AsyncFnMut(u64)) {
        let files = open_files(self.node.pid());
        for seed in 0..inputs / 2 {
            input(seed).await;
        }
        let half_way = resident_kib(self.node.pid());
        for seed in inputs / 2..inputs {
            input(seed).await;
        }
        self.is_well().await;
        wait_until("files are as before", PATIENCE, async || {
            (open_files(self.node.pid()) <= files + 2).then_some(())
        })
        .await;
        let after = resident_kib(self.node.pid());
        println!("resident half way {half_way} KiB, after all {after} KiB");
        assert!(after.saturating_sub(half_way) < GROWTH_KIB);
    }
}

#[tokio::test]
async fn every_broken_message_over_http_is_answered() {
    let victim = Victim::up().await;
    let honest = honest_messages();
    let honest: Vec<&[u8]> = honest.iter().map(Vec::as_slice).collect();
    victim
        .endures(4_000, async |seed| {
            let mut choices = Choices::from_seed(seed);
            let message = choices.one_of(&honest);
            let body = choices.mutate(message);
            let headers = choices.one_of(&[
                "",
                "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: tools_search\r\n",
                "MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: guessed\r\n",
            ]);
            let path = choices.one_of(&["/mcp", "/messages?session_id=guessed"]);
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
                victim.address(),
                body.len()
            );
            let said = victim.exchange(&[head.as_bytes(), &body].concat()).await;
            assert!(said.starts_with(b"HTTP/1.1 "), "seed {seed}: no answer to {body:?}");
        })
        .await;
}

#[tokio::test]
async fn broken_heads_of_requests_end_in_an_answer_or_a_closed_connection() {
    let victim = Victim::up().await;
    let honest = format!(
        "POST /mcp HTTP/1.1\r\nHost: {0}\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nLast-Event-ID: 1-2\r\nOrigin: http://localhost:1\r\nAuthorization: Bearer x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}",
        victim.address()
    );
    victim
        .endures(2_000, async |seed| {
            let broken = Choices::from_seed(seed).mutate(honest.as_bytes());
            victim.exchange_and_end(&broken).await;
        })
        .await;
}

/// A client's frame with a mask of zeros (RFC 6455, 5.2).
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[tokio::test]
async fn broken_frames_end_in_answers_or_a_closed_socket() {
    let victim = Victim::up().await;
    let upgrade = format!(
        "GET /mcp HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mcp\r\n\r\n",
        victim.address()
    );
    let honest = honest_messages();
    let honest: Vec<&[u8]> = honest.iter().map(Vec::as_slice).collect();
    victim
        .endures(2_000, async |seed| {
            let mut choices = Choices::from_seed(seed);
            let mut bytes = upgrade.clone().into_bytes();
            for _ in 0..1 + choices.below(6) {
                let message = choices.one_of(&honest);
                let message = choices.mutate(message);
                // Text, more of it, binary, ping, close, and frames that mean nothing.
                let kind =
                    [0x81, 0x81, 0x81, 0x01, 0x80, 0x82, 0x89, 0x88, 0x8F, 0xC1][choices.below(10)];
                let framed = frame(kind, &message);
                bytes.extend(match choices.below(3) {
                    0 => choices.mutate(&framed),
                    _ => framed,
                });
            }
            let said = victim.exchange_and_end(&bytes).await;
            assert!(said.starts_with(b"HTTP/1.1 101"), "seed {seed}");
        })
        .await;
}

/// Calls the babbling server again and again; whatever it says before, each call ends.
async fn every_call_ends(victim: &Victim) {
    let tool = wait_tool(&victim.node, "__babble").await;
    let session = {
        let body = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#;
        let said = victim.exchange(post(victim, "", body).as_bytes()).await;
        let said = String::from_utf8(said).unwrap();
        let header = said
            .lines()
            .find_map(|line| line.strip_prefix("mcp-session-id: "));
        header.unwrap().to_owned()
    };
    let mut answered = 0;
    victim
        .endures(1_000, async |seed| {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":{seed},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"seed":{seed}}},"_meta":{{"progressToken":{seed}}}}}}}"#
            );
            let headers = format!("Mcp-Session-Id: {session}\r\n");
            let said = victim.exchange(post(victim, &headers, &body).as_bytes()).await;
            let said = String::from_utf8_lossy(&said);
            assert!(said.contains(&format!("\"id\":{seed},")), "seed {seed}: {said}");
            answered += u32::from(said.contains("at last"));
        })
        .await;
    println!("{answered} of 1000 calls were answered in the end");
    assert!(
        answered > 100,
        "only {answered} of 1000 calls were answered"
    );
}

fn post(victim: &Victim, headers: &str, body: &str) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        victim.address(),
        body.len()
    )
}

#[tokio::test]
async fn every_call_to_a_babbling_child_ends() {
    let victim = Victim::up().await;
    victim
        .node
        .cli(&["serve", "child", "--", BABBLING])
        .await
        .done();
    every_call_ends(&victim).await;
}

#[tokio::test]
async fn every_call_to_a_babbling_http_server_ends() {
    let mut server = tokio::process::Command::new(BABBLING)
        .arg("http")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let url = lines.next_line().await.unwrap().unwrap();
    let victim = Victim::up().await;
    victim.node.cli(&["serve", "web", &url]).await.done();
    every_call_ends(&victim).await;
}
