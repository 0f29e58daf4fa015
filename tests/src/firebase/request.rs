//! Reads one request of HTTP/1.1.

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of a head, and of a body.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A request.
pub(super) struct Request {
    pub(super) method: String,
    /// Without `.json` and the query.
    pub(super) path: String,
    /// `?auth=`.
    pub(super) token: Option<String>,
    headers: String,
    pub(super) body: Value,
}

impl Request {
    /// All of it but the token where it belongs.
    pub(super) fn shown(&self) -> String {
        let Self {
            method,
            path,
            headers,
            body,
            ..
        } = self;
        format!("{method} {path}\n{headers}\n{body}")
    }
}

/// The next request; `None` where there is none, or nothing that can be read.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_BYTES_MAX {
            return None;
        }
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let (line, headers) = head.split_once("\r\n")?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let length = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let matches = name.eq_ignore_ascii_case("content-length");
        matches
            .then(|| value.trim().parse::<usize>().ok())
            .flatten()
    });
    let mut body = vec![0; length.unwrap_or_default().min(BODY_BYTES_MAX)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        method,
        path: path.trim_end_matches(".json").trim_matches('/').to_owned(),
        token: query.strip_prefix("auth=").map(str::to_owned),
        headers: headers.trim_end().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}
