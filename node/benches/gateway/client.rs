//! A keep-alive HTTP/1 client that does nothing but send bytes that lie ready and count those that come back.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Read at once; a large answer takes a few such pieces.
const BUFFER_BYTES: usize = 256 * 1024;

/// One connection.
pub struct Connection<S> {
    stream: S,
    buffer: Vec<u8>,
}

/// The head of a response and where its body begins.
struct Head {
    status: u16,
    body_at: usize,
    body_bytes: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Over `stream`.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: vec![0; BUFFER_BYTES],
        }
    }

    /// Sends `request` and passes over the answer; its status and the bytes of its body.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<(u16, usize)> {
        let (head, filled) = self.send(request).await?;
        let mut missing = head.body_bytes - (filled - head.body_at);
        while missing > 0 {
            missing = missing.saturating_sub(self.read(0).await?);
        }
        Ok((head.status, head.body_bytes))
    }

    /// Sends `request` and keeps the body of the answer.
    pub async fn fetch(&mut self, request: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let (head, filled) = self.send(request).await?;
        let mut body = self.buffer[head.body_at..filled].to_vec();
        while body.len() < head.body_bytes {
            let read = self.read(0).await?;
            body.extend_from_slice(&self.buffer[..read]);
        }
        Ok((head.status, body))
    }

    /// Reads until the head is complete; also how much is in the buffer then.
    async fn send(&mut self, request: &[u8]) -> io::Result<(Head, usize)> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            filled += self.read(filled).await?;
            if let Some(end) = memmem::find(&self.buffer[..filled], b"\r\n\r\n") {
                return Ok((head(&self.buffer[..end], end + 4)?, filled));
            }
        }
    }

    async fn read(&mut self, at: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.buffer[at..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

fn head(head: &[u8], body_at: usize) -> io::Result<Head> {
    let unreadable = || io::Error::other("a response without status or length");
    let head = std::str::from_utf8(head).map_err(io::Error::other)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then_some(value.trim())
    });
    Ok(Head {
        status: status
            .and_then(|status| status.parse().ok())
            .ok_or_else(unreadable)?,
        body_at,
        body_bytes: length
            .and_then(|length| length.parse().ok())
            .ok_or_else(unreadable)?,
    })
}

/// A modern `tools/call` as the bytes of a request.
pub fn call(tool: &str, arguments: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"bench","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    post(
        "/mcp",
        &format!(
            "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
        ),
        &body,
    )
}

/// A request with a JSON body; each of `headers` ends its own line.
pub fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json, text/event-stream\r\n\
         Content-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
