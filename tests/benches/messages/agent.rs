//! An agent: calls of tools over one HTTP connection that stays open, one after the other.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// One connection of an agent.
pub struct Agent {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Agent {
    /// Connects to the node that listens at `address`.
    pub async fn connect(address: &str, token: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::with_capacity(256 * 1024, stream),
            token: token.to_owned(),
        })
    }

    /// Calls a tool, and gives its structured answer.
    pub async fn ask(&mut self, tool: &str, arguments: &Value) -> io::Result<Value> {
        let request = self.request(tool, arguments);
        self.stream.get_mut().write_all(&request).await?;
        let mut answer: Value = serde_json::from_slice(&self.body().await?)?;
        let result = &mut answer["result"];
        match result["isError"] == true || result.is_null() {
            true => Err(io::Error::other(format!("{tool} answered {answer}"))),
            false => Ok(result["structuredContent"].take()),
        }
    }

    fn request(&self, tool: &str, arguments: &Value) -> Vec<u8> {
        let body = json!({
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {
                "name": tool,
                "arguments": arguments,
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
            },
        });
        let body = body.to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n\
             MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n\
             Content-Length: {}\r\n\r\n",
            self.token,
            body.len()
        );
        [head.as_bytes(), body.as_bytes()].concat()
    }

    async fn body(&mut self) -> io::Result<Vec<u8>> {
        let mut length = None;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            }
        }
        let length = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(body)
    }
}
