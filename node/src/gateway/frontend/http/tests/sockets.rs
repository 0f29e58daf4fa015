//! Real sockets: clients that vanish, and a server that drains.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::serve;
use super::double::{Client, call, modern};

const GRACE: Duration = Duration::from_secs(5);

struct Server {
    client: Client,
    address: std::net::SocketAddr,
    running: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start() -> Self {
        let client = Client::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = client.shutdown.clone();
        let running = tokio::spawn(serve(
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
    server.running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_end_is_cut_off_after_the_grace_period() {
    let server = Server::start().await;
    let _caller = server.send_modern("hangs").await;
    server.client.double.until_in_flight(1).await;
    let before = tokio::time::Instant::now();
    server.client.shutdown.cancel();
    server.running.await.unwrap().unwrap();
    assert_eq!(before.elapsed().as_secs(), GRACE.as_secs());
}
