//! Answers as the database does when all is well, by the rules that count here: who may read, and write which record.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::State;
use super::request::Request;

/// A status and a body.
pub(super) struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    pub(super) async fn send(self, mut stream: impl AsyncWrite + Unpin) -> io::Result<()> {
        let body = self.body.to_string();
        let head = format!(
            "HTTP/1.1 {} Said\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.status,
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await
    }
}

impl State {
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let denied = || Answer {
            status: 401,
            body: json!({"error": "Permission denied"}),
        };
        let uid = request
            .token
            .as_ref()
            .and_then(|token| self.uids.get(token));
        let Some(uid) = uid.cloned() else {
            return denied();
        };
        let own = request.path == format!("mcp_servers/{uid}");
        let body = match request.method.as_str() {
            "GET" if request.path == "mcp_servers" => match self.records.is_empty() {
                true => Value::Null,
                false => json!(self.records),
            },
            "PUT" if own => {
                let mut record = request.body.clone();
                record["last_heartbeat"] = json!(self.now());
                self.records.insert(uid, record.clone());
                record
            }
            "DELETE" if own => {
                self.records.remove(&uid);
                Value::Null
            }
            _ => return denied(),
        };
        Answer { status: 200, body }
    }
}
