//! What opens a substream, and what precedes its answer.
//!
//! Maps ignore members they do not know, so that a later version may add some. Times are time left, never a
//! moment: the clocks of two nodes differ.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CborError, decode_cbor, encode_cbor};
use crate::id::{AgentName, NodeId, ServerName};
use crate::limits::{CALL_TIME_LEFT_MAX, CLIENT_BYTES_MAX};

/// Most bytes of a method's or an exchange's name.
pub const METHOD_BYTES_MAX: usize = 128;
/// Most bytes of a trace context (W3C traceparent and tracestate together).
pub const TRACE_BYTES_MAX: usize = 1_024;
/// Most nodes in a call's history that are read at all; far beyond the point where it is taken for a loop.
pub const VIA_READ_MAX: usize = 64;

/// The first frame of a substream: what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Opening {
    /// An MCP request; its params follow in a frame of their own.
    Call(CallHeader),
    /// One question with one answer, outside MCP.
    Exchange(Exchange),
}

/// An MCP request without its params.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallHeader {
    /// Which of the answering node's servers is asked.
    pub server: ServerName,
    /// The MCP method, at most [`METHOD_BYTES_MAX`] bytes.
    pub method: String,
    /// The agent behind the call, as its own node says; `None` for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// How the caller speaks MCP.
    pub era: Era,
    /// Milliseconds that the caller will still wait.
    pub time_left_ms: u64,
    /// W3C trace context, at most [`TRACE_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Nodes that the request has passed, oldest first, the sender last.
    #[serde(default)]
    pub via: Vec<NodeId>,
    /// The session of a legacy caller that answers requests of the upstream; a modern caller says the same in `_meta`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
}

/// What a legacy session says of its client, at most [`CLIENT_BYTES_MAX`] bytes together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Tells one session of the calling node from another.
    pub session: u64,
    /// The raw JSON `capabilities` that it sent with `initialize`.
    pub capabilities: String,
    /// The raw JSON `clientInfo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
    /// The level from which on it wants log messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
    /// How often its roots have changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub roots_version: u64,
}

impl Client {
    fn bytes(&self) -> usize {
        let texts = [&self.info, &self.log_level];
        let texts = texts.into_iter().flatten().map(String::len);
        self.capabilities.len() + texts.sum::<usize>()
    }
}

impl CallHeader {
    /// How long the caller will still wait, at most [`CALL_TIME_LEFT_MAX`].
    pub fn time_left(&self) -> Duration {
        Duration::from_millis(self.time_left_ms).min(CALL_TIME_LEFT_MAX)
    }
}

/// One question of a kind that the control plane knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// What is asked, at most [`METHOD_BYTES_MAX`] bytes.
    pub kind: String,
    /// The question; what it means depends on `kind`.
    #[serde(with = "serde_bytes", default)]
    pub body: Vec<u8>,
}

/// Which half of MCP's history a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Era {
    /// Up to 2025-11-25: sessions.
    Legacy,
    /// 2026-07-28 and later: every request stands alone.
    Modern,
}

/// What there is to know about an answer before its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyHeader {
    /// How the upstream speaks MCP.
    pub era: Era,
    /// Whether the substream takes another opening after the END of this answer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub again: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl ReplyHeader {
    /// The payload of a REPLY frame.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads the payload of a REPLY frame.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        decode_cbor(bytes)
    }
}

impl Opening {
    /// The payload of an OPENING frame.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads the payload of an OPENING frame; what is over its bound is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, OpeningError> {
        let opening: Self = decode_cbor(bytes)?;
        match &opening {
            Self::Call(header) => {
                check("method", header.method.len(), METHOD_BYTES_MAX)?;
                let trace = header.trace.as_ref().map_or(0, String::len);
                check("trace", trace, TRACE_BYTES_MAX)?;
                check("via", header.via.len(), VIA_READ_MAX)?;
                let client = header.client.as_ref().map_or(0, Client::bytes);
                check("client", client, CLIENT_BYTES_MAX)?;
            }
            Self::Exchange(exchange) => check("kind", exchange.kind.len(), METHOD_BYTES_MAX)?,
        }
        Ok(opening)
    }
}

fn check(member: &'static str, length: usize, limit: usize) -> Result<(), OpeningError> {
    if length > limit {
        return Err(OpeningError::TooLong {
            member,
            length,
            limit,
        });
    }
    Ok(())
}

/// Why bytes are not an opening.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// Not CBOR, or of a kind that this version does not know.
    #[error("the opening is not one this node knows: {0}")]
    Cbor(#[from] CborError),
    /// A member over its bound.
    #[error("{member} has a length of {length}; at most {limit} is allowed")]
    TooLong {
        /// Which member.
        member: &'static str,
        /// Its length: bytes of a text, items of a list.
        length: usize,
        /// The bound.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ciborium::cbor;
    use proptest::prelude::*;

    use super::*;

    fn header() -> CallHeader {
        CallHeader {
            server: "files".parse().unwrap(),
            method: "tools/call".to_owned(),
            agent: Some("claude".parse().unwrap()),
            era: Era::Modern,
            time_left_ms: 60_000,
            trace: None,
            via: vec![],
            client: None,
        }
    }

    #[test]
    fn the_bytes_of_version_one_are_fixed() {
        let golden = b"\xa1dcall\xa6fserverefilesfmethodjtools/calleagentfclaudeceraf\
            modernltime_left_ms\x19\xea\x60cvia\x80";
        let opening = Opening::Call(header());
        assert_eq!(opening.encode(), golden);
        assert_eq!(Opening::decode(golden).unwrap(), opening);
        let exchange = Opening::Exchange(Exchange {
            kind: "roster".to_owned(),
            body: vec![1, 2],
        });
        let golden = b"\xa1hexchange\xa2dkindfrosterdbody\x42\x01\x02";
        assert_eq!(exchange.encode(), golden);
        assert_eq!(Opening::decode(golden).unwrap(), exchange);
        let reply = ReplyHeader {
            era: Era::Legacy,
            again: false,
        };
        assert_eq!(reply.encode(), b"\xa1ceraflegacy");
        assert_eq!(ReplyHeader::decode(b"\xa1ceraflegacy").unwrap(), reply);
    }

    #[test]
    fn a_reply_says_when_its_substream_takes_another_call() {
        let reply = ReplyHeader {
            era: Era::Legacy,
            again: true,
        };
        let golden = b"\xa2ceraflegacyeagain\xf5";
        assert_eq!(reply.encode(), golden);
        assert_eq!(ReplyHeader::decode(golden).unwrap(), reply);
    }

    #[test]
    fn the_client_of_a_legacy_session_travels_with_the_call() {
        let client = Client {
            session: 7,
            capabilities: r#"{"sampling":{}}"#.to_owned(),
            info: None,
            log_level: Some("info".to_owned()),
            roots_version: 0,
        };
        let call = CallHeader {
            client: Some(client.clone()),
            ..header()
        };
        let encoded = Opening::Call(call.clone()).encode();
        assert_eq!(Opening::decode(&encoded), Ok(Opening::Call(call)));
        let talkative = CallHeader {
            client: Some(Client {
                capabilities: "x".repeat(CLIENT_BYTES_MAX + 1),
                log_level: None,
                roots_version: 2,
                ..client
            }),
            ..header()
        };
        let refused = Opening::decode(&Opening::Call(talkative).encode());
        assert!(matches!(
            refused,
            Err(OpeningError::TooLong {
                member: "client",
                ..
            })
        ));
    }

    #[test]
    fn members_of_a_later_version_are_ignored_and_absent_ones_have_defaults() {
        let later = cbor!({ "call" => {
            "server" => "files", "method" => "tools/call", "era" => "legacy",
            "time_left_ms" => 5, "shoe_size" => [44, { "wide" => true }],
        }})
        .unwrap();
        let Opening::Call(read) = Opening::decode(&encode_cbor(&later)).unwrap() else {
            panic!("it is a call");
        };
        assert_eq!(read.agent, None);
        assert_eq!(read.via, []);
    }

    #[test]
    fn an_opening_of_a_later_kind_is_a_named_refusal() {
        let later = cbor!({ "teleport" => { "to" => "mars" } }).unwrap();
        let error = Opening::decode(&encode_cbor(&later)).unwrap_err();
        assert!(matches!(error, OpeningError::Cbor(_)), "{error}");
    }

    #[test]
    fn a_server_name_outside_its_alphabet_is_refused() {
        let bad = cbor!({ "call" => {
            "server" => "../x", "method" => "m", "era" => "legacy", "time_left_ms" => 5,
        }})
        .unwrap();
        assert!(Opening::decode(&encode_cbor(&bad)).is_err());
    }

    #[test]
    fn members_over_their_bounds_are_refused_by_name() {
        let long = Opening::Call(CallHeader {
            method: "m".repeat(METHOD_BYTES_MAX + 1),
            ..header()
        });
        let refused = Err(OpeningError::TooLong {
            member: "method",
            length: 129,
            limit: 128,
        });
        assert_eq!(Opening::decode(&long.encode()), refused);
    }

    #[test]
    fn time_left_is_bounded_whatever_the_caller_says() {
        let patient = CallHeader {
            time_left_ms: u64::MAX,
            ..header()
        };
        assert_eq!(patient.time_left(), CALL_TIME_LEFT_MAX);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_opening_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = Opening::decode(&bytes);
            let _ = ReplyHeader::decode(&bytes);
        }

        #[test]
        fn a_damaged_opening_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = Opening::Call(header()).encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = Opening::decode(&bytes);
        }
    }
}
