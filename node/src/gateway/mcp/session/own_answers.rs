//! What the gateway says about itself: `initialize`, `server/discover`, and who it cancels.

use bytes::Bytes;
use peerage_protocol::limits::CLIENT_BYTES_MAX;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::gateway::client::LogLevel;
use crate::gateway::mcp::answer::{Answer, Refusal};
use crate::gateway::mcp::envelope::{Request, RequestId};
use crate::gateway::mcp::era::{LegacyVersion, MODERN_VERSION, SERVER_INFO_KEY};
use crate::gateway::mcp::splice::Params;

const NAME: &str = "peerage";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const INSTRUCTIONS: &str = "Peerage joins the MCP servers of several machines. A tool or prompt of this machine is named \
    server__tool, one of another machine machine__server__tool; a call runs on the machine that the name says. The \
    list changes as machines come and go.";

/// How long a client may keep the answer to `server/discover`: it changes with a new release only.
const DISCOVER_TTL_MS: u64 = 60_000;

/// What `initialize` has settled.
pub(super) struct Initialized {
    /// The version agreed on.
    pub(super) version: LegacyVersion,
    /// The client's raw `capabilities`.
    pub(super) capabilities: Bytes,
    /// The client's raw `clientInfo`.
    pub(super) info: Option<Bytes>,
    /// What the client is told.
    pub(super) answer: Answer,
}

/// Reads and answers `initialize`.
pub(super) fn initialize(request: &Request) -> Result<Initialized, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Initialize<'a> {
        protocol_version: String,
        #[serde(borrow)]
        capabilities: Option<&'a RawValue>,
        #[serde(borrow)]
        client_info: Option<&'a RawValue>,
    }

    let params = request.params.to_bytes();
    let asked: Initialize<'_> = serde_json::from_slice(&params)
        .map_err(|error| Refusal::new(-32602, format!("Invalid params: {error}")))?;
    let own = |raw: &RawValue| Bytes::copy_from_slice(raw.get().as_bytes());
    let capabilities = asked.capabilities.map_or(Bytes::from_static(b"{}"), own);
    let info = asked.client_info.map(own);
    if capabilities.len() + info.as_ref().map_or(0, Bytes::len) > CLIENT_BYTES_MAX {
        let why = format!("capabilities and clientInfo have more than {CLIENT_BYTES_MAX} bytes");
        return Err(Refusal::new(-32602, format!("Invalid params: {why}")));
    }
    let version = LegacyVersion::negotiate(&asked.protocol_version);
    let result = json!({
        "protocolVersion": version.as_str(),
        "capabilities": legacy_capabilities(),
        "serverInfo": {"name": NAME, "version": VERSION},
        "instructions": INSTRUCTIONS,
    });
    Ok(Initialized {
        version,
        capabilities,
        info,
        answer: Answer::result(&request.id, result.to_string().as_bytes()),
    })
}

/// Everything that some upstream may have: which do is not known until they are asked, and changes.
fn capabilities_of_this_node() -> Value {
    json!({
        "completions": {},
        "logging": {},
        "prompts": {"listChanged": true},
        "resources": {"listChanged": true, "subscribe": true},
        "tools": {"listChanged": true},
    })
}

/// Tasks are not listed: a server may serve many callers in one session, and would show each the others'.
fn legacy_capabilities() -> Value {
    let mut capabilities = capabilities_of_this_node();
    capabilities["tasks"] = json!({"cancel": {}, "requests": {"tools": {"call": {}}}});
    capabilities
}

fn modern_capabilities() -> Value {
    let mut capabilities = capabilities_of_this_node();
    capabilities["extensions"] = json!({"io.modelcontextprotocol/tasks": {}});
    capabilities
}

/// The level that `logging/setLevel` sets.
pub(super) fn log_level(params: &Params) -> Result<LogLevel, Refusal> {
    #[derive(Deserialize)]
    struct SetLevel {
        level: String,
    }

    let asked: SetLevel = serde_json::from_slice(&params.to_bytes())
        .map_err(|error| Refusal::new(-32602, format!("Invalid params: {error}")))?;
    LogLevel::parse(&asked.level).ok_or_else(|| {
        let known = "one of debug, info, notice, warning, error, critical, alert, emergency";
        Refusal::new(-32602, format!("Invalid params: level must be {known}"))
    })
}

/// The answer to `server/discover`.
pub(super) fn discover(id: &RequestId) -> Answer {
    let result = json!({
        "supportedVersions": [MODERN_VERSION],
        "capabilities": modern_capabilities(),
        "instructions": INSTRUCTIONS,
        "resultType": "complete",
        "ttlMs": DISCOVER_TTL_MS,
        "cacheScope": "public",
        "_meta": {SERVER_INFO_KEY: {"name": NAME, "version": VERSION}},
    });
    Answer::result(id, result.to_string().as_bytes())
}

/// The request that `notifications/cancelled` means.
pub(super) fn cancelled_id(params: &Params) -> Option<RequestId> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Cancelled<'a> {
        #[serde(borrow)]
        request_id: &'a RawValue,
    }

    let bytes = params.to_bytes();
    let cancelled: Cancelled<'_> = serde_json::from_slice(&bytes).ok()?;
    RequestId::from_json(cancelled.request_id.get())
}
