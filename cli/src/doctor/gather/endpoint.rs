//! Asks the endpoint what every agent asks first: the list of tools, and how long it is.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the endpoint may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The version of MCP that needs no session.
const VERSION: &str = "2026-07-28";

/// Bytes of the answer to `tools/list`; `None` when the endpoint does not answer with success.
pub(super) async fn list_bytes(url: Option<&str>) -> Option<u64> {
    timeout(PATIENCE, ask(url?)).await.ok()?
}

async fn ask(url: &str) -> Option<u64> {
    let authority = url.strip_prefix("http://")?.split('/').next()?;
    let stream = TcpStream::connect(authority).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let asking = async {
        let response = sender.send_request(request(authority)?).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        counted(response.into_body()).await
    };
    tokio::select! {
        answer = asking => answer,
        _ = connection => None,
    }
}

fn request(authority: &str) -> Option<Request<Full<Bytes>>> {
    let body = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/list",
        "params": {"_meta": {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
        }},
    });
    Request::post("/mcp")
        .header("host", authority)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", VERSION)
        .header("mcp-method", "tools/list")
        .body(Full::new(Bytes::from(body.to_string())))
        .ok()
}

/// Counted as it comes, and not kept.
async fn counted(mut body: hyper::body::Incoming) -> Option<u64> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let length = frame.ok()?.data_ref().map_or(0, Bytes::len);
        bytes += u64::try_from(length).ok()?;
    }
    Some(bytes)
}
