//! The MCP server that all upstreams of the benches are: a borrowed envelope, and answers that lie ready.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::subject::{BUILTIN_BYTES, KIBIBYTE, MEBIBYTE};

/// Answers with as many bytes of text as its argument `bytes` says.
pub const GIVE: &str = "give";
/// Answers after two seconds.
pub const HANG: &str = "hang";
/// How long that one takes.
const HANGING: Duration = Duration::from_secs(2);

const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"},"ttlMs":0,"cacheScope":"private"}"#;
const TOOLS: &str = r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[{"name":"give","description":"Gives bytes.","inputSchema":{"type":"object","properties":{"bytes":{"type":"integer"}}}},{"name":"hang","description":"Takes long.","inputSchema":{"type":"object"}}]}"#;
const UNKNOWN: &str = r#"{"code":-32601,"message":"Method not found"}"#;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: &'a str,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Params<'a> {
    name: &'a str,
    #[serde(default)]
    arguments: Arguments,
}

#[derive(Default, Deserialize)]
struct Arguments {
    #[serde(default)]
    bytes: usize,
}

/// One answer: a head with the id of the request, and a tail that lies ready.
pub struct Answer {
    /// Up to the result.
    pub head: Vec<u8>,
    /// The result and what closes the message.
    pub tail: Bytes,
    /// How long to wait before it.
    pub delay: Option<Duration>,
}

/// Answers of every size that is asked for.
#[derive(Clone)]
pub struct Answers {
    sized: [(usize, Bytes); 3],
    hung: Bytes,
}

impl Answers {
    /// Lays them ready.
    pub fn new() -> Self {
        let sized = [BUILTIN_BYTES, KIBIBYTE, MEBIBYTE].map(|bytes| (bytes, text(bytes)));
        Self {
            sized,
            hung: text(1),
        }
    }

    /// Answers one message; `None` where there is nothing to say.
    pub fn to(&self, message: &[u8]) -> Option<Answer> {
        let envelope: Envelope<'_> = serde_json::from_slice(message).ok()?;
        let id = envelope.id?.get();
        let mut delay = None;
        let (member, tail) = match envelope.method {
            "tools/call" => {
                let params: Params<'_> = serde_json::from_str(envelope.params?.get()).ok()?;
                match params.name {
                    HANG => {
                        delay = Some(HANGING);
                        ("result", self.hung.clone())
                    }
                    _ => ("result", self.sized(params.arguments.bytes)),
                }
            }
            "server/discover" => ("result", closed(DISCOVERED)),
            "tools/list" => ("result", closed(TOOLS)),
            _ => ("error", closed(UNKNOWN)),
        };
        let head = [r#"{"jsonrpc":"2.0","id":"#, id, ",\"", member, "\":"].concat();
        Some(Answer {
            head: head.into_bytes(),
            tail,
            delay,
        })
    }

    fn sized(&self, bytes: usize) -> Bytes {
        let ready = self.sized.iter().find(|(size, _)| *size == bytes);
        ready.map_or_else(|| text(bytes), |(_, text)| text.clone())
    }
}

fn text(bytes: usize) -> Bytes {
    let text = "x".repeat(bytes);
    closed(&format!(
        r#"{{"resultType":"complete","content":[{{"type":"text","text":"{text}"}}]}}"#
    ))
}

fn closed(member: &str) -> Bytes {
    format!("{member}}}").into()
}
