//! What the gateway says about itself: `initialize`, `server/discover`, and who it cancels.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::gateway::mcp::answer::{Answer, Refusal};
use crate::gateway::mcp::envelope::{Request, RequestId};
use crate::gateway::mcp::era::{LegacyVersion, MODERN_VERSION, SERVER_INFO_KEY};
use crate::gateway::mcp::splice::Params;

const NAME: &str = "peerage";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const INSTRUCTIONS: &str = "Peerage joins the MCP servers of several machines. A tool of this machine is named \
    server__tool, one of another machine machine__server__tool; a call runs on the machine that the name says. The \
    list changes as machines come and go.";

/// How long a client may keep the answer to `server/discover`: it changes with a new release only.
const DISCOVER_TTL_MS: u64 = 60_000;

/// The version agreed on, and the answer to `initialize`.
pub(super) fn initialize(request: &Request) -> Result<(LegacyVersion, Answer), Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Initialize {
        protocol_version: String,
    }

    let asked: Initialize = serde_json::from_slice(&request.params.to_bytes())
        .map_err(|error| Refusal::new(-32602, format!("Invalid params: {error}")))?;
    let version = LegacyVersion::negotiate(&asked.protocol_version);
    let result = json!({
        "protocolVersion": version.as_str(),
        "capabilities": {"tools": {"listChanged": true}},
        "serverInfo": {"name": NAME, "version": VERSION},
        "instructions": INSTRUCTIONS,
    });
    let answer = Answer::result(&request.id, result.to_string().as_bytes());
    Ok((version, answer))
}

/// The answer to `server/discover`.
pub(super) fn discover(id: &RequestId) -> Answer {
    let result = json!({
        "supportedVersions": [MODERN_VERSION],
        "capabilities": {"tools": {"listChanged": true}},
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
