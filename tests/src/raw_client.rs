//! A legacy MCP client that sees every message in its order: one session, one connection for each message it posts.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;

use crate::node::Peerage;

/// A session.
pub struct RawClient {
    address: String,
    session: String,
    last_id: AtomicU64,
}

/// What comes back for one posted message, in order.
pub struct Messages {
    lines: Lines<BufReader<TcpStream>>,
}

impl RawClient {
    /// Opens a session at `node`, with these client capabilities.
    pub async fn connect(node: &Peerage, capabilities: Value) -> Self {
        let http = node.ready().http.as_str();
        let address = http.trim_start_matches("http://").trim_end_matches("/mcp");
        let mut client = Self {
            address: address.to_owned(),
            session: String::new(),
            last_id: AtomicU64::new(0),
        };
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "clientInfo": {"name": "raw", "version": "1"},
        });
        let (head, _) = client.post(&client.request("initialize", &params)).await;
        let session = head.iter().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("mcp-session-id").then_some(value)
        });
        client.session = session.expect("a session is opened").to_owned();
        client
    }

    /// A request with an id of its own.
    pub fn request(&self, method: &str, params: &Value) -> Value {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    }

    /// Begins a call of a tool; its progress token is the same for every client.
    pub async fn begin(&self, tool: &str, arguments: &Value) -> (Value, Messages) {
        let params = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": 1}});
        let request = self.request("tools/call", &params);
        let (_, messages) = self.post(&request).await;
        (request["id"].clone(), messages)
    }

    /// Makes a request whose answer is all that comes back.
    pub async fn ask(&self, method: &str, params: &Value) -> Value {
        let (_, mut messages) = self.post(&self.request(method, params)).await;
        messages.next().await.expect("a request is answered")
    }

    /// Opens the session's stream, on which it is told what belongs to no call.
    pub async fn listen(&self) -> Messages {
        let (head, messages) = self.send("GET", "").await;
        assert!(head[0].contains("200"), "no stream: {head:?}");
        messages
    }

    /// Posts a notification or a response.
    pub async fn tell(&self, message: &Value) {
        let (head, _) = self.post(message).await;
        assert!(head[0].contains("202"), "not accepted: {head:?}");
    }

    async fn post(&self, message: &Value) -> (Vec<String>, Messages) {
        self.send("POST", &message.to_string()).await
    }

    async fn send(&self, method: &str, body: &str) -> (Vec<String>, Messages) {
        let session = match self.session.as_str() {
            "" => String::new(),
            id => format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: 2025-11-25\r\n"),
        };
        // HTTP/1.0 has no chunks: the body is what was said, until the connection ends.
        let request = format!(
            "{method} /mcp HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{session}Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address)
            .await
            .expect("the node listens");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("the node reads");
        let mut lines = BufReader::new(stream).lines();
        let mut head = Vec::new();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        (head, Messages { lines })
    }
}

impl Messages {
    /// The next message; `None` once the response is over.
    pub async fn next(&mut self) -> Option<Value> {
        while let Ok(Some(line)) = self.lines.next_line().await {
            let json = line.strip_prefix("data: ").unwrap_or(&line);
            if let Ok(message) = serde_json::from_str(json) {
                return Some(message);
            }
        }
        None
    }

    /// The text of the result that ends the response, after whatever comes before it.
    pub async fn text(&mut self) -> String {
        while let Some(message) = self.next().await {
            if message.get("method").is_none() {
                let text = &message["result"]["content"][0]["text"];
                return text.as_str().unwrap_or(&message.to_string()).to_owned();
            }
        }
        panic!("the response ended without an answer");
    }
}
