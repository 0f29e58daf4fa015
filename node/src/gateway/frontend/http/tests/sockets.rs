//! Real sockets: clients that vanish, and a server that drains.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::serve::{Bounds, serve_within};
use super::double::{Client, call, modern};

const GRACE: Duration = Duration::from_secs(5);

pub(super) struct Server {
    pub(super) client: Client,
    pub(super) address: std::net::SocketAddr,
    running: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::start_within(Bounds::default()).await
    }

    async fn start_within(bounds: Bounds) -> Self {
        let client = Client::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = client.shutdown.clone();
        let running = tokio::spawn(serve_within(
            bounds,
            vec![listener],
            client.router.clone(),
            shutdown,
            GRACE,
        ));
        Self {
            client,
            address,
            running,
        }
    }

    /// Sends `bytes` on a connection of its own.
    async fn open(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A connection that is turned away may be gone already.
        let _ = stream.write_all(bytes.as_bytes()).await;
        stream
    }

    async fn send(&self, headers: &str, body: &Value) -> TcpStream {
        let body = body.to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        stream
    }

    async fn send_modern(&self, tool: &str) -> TcpStream {
        let (headers, body) = modern("tools/call", Some(tool));
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        self.send(&lines.collect::<String>(), &body).await
    }
}

#[tokio::test]
async fn a_thousand_vanished_modern_clients_leave_no_call_behind() {
    let server = Server::start().await;
    for _ in 0..10 {
        let mut clients = Vec::new();
        for _ in 0..100 {
            clients.push(server.send_modern("hangs").await);
        }
        server.client.double.until_in_flight(100).await;
        drop(clients);
        server.client.double.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn a_modern_client_that_vanishes_from_its_stream_cancels_the_call() {
    let server = Server::start().await;
    let mut caller = server.send_modern("begins_and_hangs").await;
    let mut seen = Vec::new();
    while !seen.ends_with(b"}\n\n\r\n") {
        assert_ne!(caller.read_buf(&mut seen).await.unwrap(), 0);
    }
    server.client.double.until_in_flight(1).await;
    drop(caller);
    server.client.double.until_in_flight(0).await;
}

#[tokio::test]
async fn a_legacy_call_outlives_the_connection_that_asked_for_it() {
    let server = Server::start().await;
    let session = server.client.initialize("2025-11-25").await;
    let headers = format!("Mcp-Session-Id: {session}\r\n");
    let caller = server.send(&headers, &call(1, "waits")).await;
    server.client.double.until_in_flight(1).await;
    drop(caller);
    let mut answer = String::new();
    let mut next = server.send(&headers, &call(2, "simple")).await;
    next.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("done"), "{answer}");
    server.client.double.until_in_flight(1).await;
    server.client.double.finish.notify_one();
    server.client.double.until_in_flight(0).await;
}

#[tokio::test]
async fn a_call_under_way_is_answered_after_shutdown_began() {
    let server = Server::start().await;
    let mut caller = server.send_modern("waits").await;
    server.client.double.until_in_flight(1).await;
    server.client.shutdown.cancel();
    server.client.double.finish.notify_one();
    let mut answer = String::new();
    caller.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("waited"),
        "{answer}"
    );
    server.running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_end_is_cut_off_after_the_grace_period() {
    let server = Server::start().await;
    let _caller = server.send_modern("hangs").await;
    server.client.double.until_in_flight(1).await;
    let before = tokio::time::Instant::now();
    server.client.shutdown.cancel();
    server.running.await.unwrap();
    assert_eq!(before.elapsed().as_secs(), GRACE.as_secs());
}

/// What comes until the server closes the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut seen = Vec::new();
    // A reset, for bytes that the server did not read, ends it as well.
    let _ = stream.read_to_end(&mut seen).await;
    String::from_utf8(seen).unwrap()
}

const HEALTH: &str = "GET /mcp/health HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn one_connection_too_many_is_closed_until_another_ends() {
    let server = Server::start_within(Bounds {
        connections: 1,
        ..Bounds::default()
    })
    .await;
    let first = server.send_modern("hangs").await;
    server.client.double.until_in_flight(1).await;
    assert_eq!(rest(server.open(HEALTH).await).await, "");
    drop(first);
    server.client.double.until_in_flight(0).await;
    let health = HEALTH.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let served = async {
        while !rest(server.open(&health).await)
            .await
            .starts_with("HTTP/1.1 200")
        {}
    };
    tokio::time::timeout(GRACE, served).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_falls_silent_before_or_between_requests_is_closed() {
    let server = Server::start_within(Bounds {
        head_deadline: Duration::from_millis(100),
        ..Bounds::default()
    })
    .await;
    let silent = ["", "GET /mcp/health HTTP/1.1\r\nHost:"];
    for bytes in silent {
        let seen = rest(server.open(bytes).await).await;
        assert!(!seen.contains("200 OK"), "{seen}");
    }
    let seen = rest(server.open(HEALTH).await).await;
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
}

#[tokio::test]
async fn the_head_deadline_does_not_end_a_call_under_way() {
    let server = Server::start_within(Bounds {
        head_deadline: Duration::from_millis(100),
        ..Bounds::default()
    })
    .await;
    let caller = server.send_modern("waits").await;
    server.client.double.until_in_flight(1).await;
    // The deadline of a later connection has passed, so that of the caller has as well.
    rest(server.open("").await).await;
    server.client.double.finish.notify_one();
    let answer = rest(caller).await;
    assert!(answer.contains("waited"), "{answer}");
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_a_shutdown() {
    let server = Server::start().await;
    let mut idle = server.open(HEALTH).await;
    let mut seen = Vec::new();
    while !seen.ends_with(b"}") {
        assert_ne!(idle.read_buf(&mut seen).await.unwrap(), 0);
    }
    let before = tokio::time::Instant::now();
    server.client.shutdown.cancel();
    server.running.await.unwrap();
    assert!(before.elapsed() < GRACE);
    assert_eq!(rest(idle).await, "");
}

#[tokio::test]
async fn http_2_is_not_spoken_even_to_clients_that_begin_with_it() {
    let server = Server::start().await;
    let seen = rest(server.open("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await).await;
    assert!(seen.is_empty() || seen.starts_with("HTTP/1.1 "), "{seen}");
}
