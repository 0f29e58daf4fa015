//! JSON-RPC 2.0 envelopes, borrowed from the bytes they came in.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::answer::{Answer, Refusal};
use super::splice::{Params, SpliceError};
use crate::gateway::call::ReplyBody;

/// Messages in one batch (2025-03-26 only).
pub const BATCH_MESSAGES_MAX: usize = 64;
/// Bytes of a request id, as JSON.
pub const REQUEST_ID_BYTES_MAX: usize = 1024;

/// The members of a JSON-RPC message, each as raw JSON.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// `id`, also when it is `null`.
    pub id: Option<&'a RawValue>,
    /// `method`, unescaped.
    pub method: Option<Cow<'a, str>>,
    /// `params`; `null` counts as absent.
    pub params: Option<&'a RawValue>,
    /// `result`.
    pub result: Option<&'a RawValue>,
    /// `error`.
    pub error: Option<&'a RawValue>,
}

/// The id of a request: a JSON string or number, kept as the client wrote it.
///
/// Two ids are the same when they are written the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Box<str>);

/// A message from a client, sorted by what it is.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// To be answered.
    Request(Request),
    /// Not to be answered.
    Notification {
        /// Its method.
        method: Box<str>,
        /// Its params; empty where it has none.
        params: Params,
    },
    /// An answer to a request of ours.
    Response {
        /// The request's id.
        id: RequestId,
        /// What it answers.
        body: ReplyBody,
    },
}

/// A request from a client.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Its method.
    pub method: Box<str>,
    /// Its params; empty where it has none.
    pub params: Params,
}

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON.
    #[error("Parse error: {detail}")]
    Syntax {
        /// What the parser met, and where.
        detail: String,
    },
    /// JSON, but not a JSON-RPC message.
    #[error("Invalid request: {detail}")]
    NotAMessage {
        /// What is wrong.
        detail: String,
    },
    /// Not JSON-RPC 2.0.
    #[error("Invalid request: jsonrpc must be \"2.0\"")]
    Version,
    /// An id that is neither a string nor a number, or too long.
    #[error(
        "Invalid request: id must be a string or a number of at most {REQUEST_ID_BYTES_MAX} bytes"
    )]
    Id,
    /// Neither a request nor a response.
    #[error("Invalid request: a message has a method, or else an id with either result or error")]
    Shape,
    /// An array where the protocol version has no batches.
    #[error(
        "Invalid request: batches exist in sessions of 2025-03-26 only; send one message at a time"
    )]
    Batch,
    /// An empty batch, or one too long.
    #[error("Invalid request: a batch has 1 to {BATCH_MESSAGES_MAX} messages")]
    BatchLength,
}

impl EnvelopeError {
    /// -32700 for what is not JSON, -32600 for the rest.
    pub fn code(&self) -> i64 {
        match self {
            EnvelopeError::Syntax { .. } => -32700,
            _ => -32600,
        }
    }
}

impl From<&EnvelopeError> for Refusal {
    fn from(error: &EnvelopeError) -> Self {
        Refusal::new(error.code(), error.to_string())
    }
}

impl From<serde_json::Error> for EnvelopeError {
    fn from(error: serde_json::Error) -> Self {
        let detail = error.to_string();
        match error.classify() {
            Category::Data => EnvelopeError::NotAMessage { detail },
            _ => EnvelopeError::Syntax { detail },
        }
    }
}

impl RequestId {
    /// Reads a raw JSON value; `None` unless it is a string or a number within bounds.
    pub fn from_json(raw: &str) -> Option<Self> {
        let begins = matches!(raw.bytes().next(), Some(b'"' | b'-' | b'0'..=b'9'));
        (begins && raw.len() <= REQUEST_ID_BYTES_MAX).then(|| Self(raw.into()))
    }

    /// An id of our own.
    pub fn of_number(number: u64) -> Self {
        Self(number.to_string().into())
    }

    /// The raw JSON.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads one message without copying it; no member may occur twice.
pub fn parse(bytes: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    #[derive(Deserialize)]
    struct Members<'a> {
        #[serde(borrow)]
        jsonrpc: Option<Text<'a>>,
        #[serde(borrow, default, deserialize_with = "even_null")]
        id: Option<&'a RawValue>,
        #[serde(borrow)]
        method: Option<Text<'a>>,
        #[serde(borrow)]
        params: Option<&'a RawValue>,
        #[serde(borrow, default, deserialize_with = "even_null")]
        result: Option<&'a RawValue>,
        #[serde(borrow)]
        error: Option<&'a RawValue>,
    }

    if is_batch(bytes) {
        return Err(EnvelopeError::Batch);
    }
    let members: Members<'_> = serde_json::from_slice(bytes)?;
    match members.jsonrpc {
        Some(Text(version)) if version == "2.0" => Ok(Envelope {
            id: members.id,
            method: members.method.map(|Text(method)| method),
            params: members.params,
            result: members.result,
            error: members.error,
        }),
        _ => Err(EnvelopeError::Version),
    }
}

/// Reads one message of a client; what cannot be read comes back as the answer it deserves.
pub fn read(bytes: &Bytes) -> Result<Incoming, Answer> {
    let refused = |error: &EnvelopeError| Answer::refusal(None, &error.into());
    let envelope = parse(bytes).map_err(|error| refused(&error))?;
    let id = match envelope.id {
        None => None,
        Some(raw) => match RequestId::from_json(raw.get()) {
            Some(id) => Some(id),
            None => return Err(refused(&EnvelopeError::Id)),
        },
    };
    let own = |raw: &RawValue| bytes.slice_ref(raw.get().as_bytes());
    let outcome = match (envelope.result, envelope.error) {
        (_, Some(error)) => Some(ReplyBody::Error(own(error))),
        (Some(result), None) => Some(ReplyBody::Result(own(result))),
        (None, None) => None,
    };
    let method: Box<str> = match (envelope.method, outcome, &id) {
        (Some(method), None, _) => method.into(),
        (None, Some(body), Some(id)) => {
            let id = id.clone();
            return Ok(Incoming::Response { id, body });
        }
        _ => {
            let refusal = Refusal::from(&EnvelopeError::Shape);
            return Err(Answer::refusal(id.as_ref(), &refusal));
        }
    };
    let params = scan(bytes, envelope.params)
        .map_err(|error| Answer::refusal(id.as_ref(), &error.into()))?;
    Ok(match id {
        Some(id) => Incoming::Request(Request { id, method, params }),
        None => Incoming::Notification { method, params },
    })
}

/// Whether the bytes are a JSON array, as far as their first character tells.
pub fn is_batch(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    first == Some(&b'[')
}

/// The messages of a batch, each to be read on its own.
pub fn split(bytes: &Bytes) -> Result<Vec<Bytes>, EnvelopeError> {
    let batch: Batch<'_> = serde_json::from_slice(bytes)?;
    if batch.0.is_empty() || batch.0.len() > BATCH_MESSAGES_MAX {
        return Err(EnvelopeError::BatchLength);
    }
    let own = |raw: &&RawValue| bytes.slice_ref(raw.get().as_bytes());
    Ok(batch.0.iter().map(own).collect())
}

fn scan(bytes: &Bytes, params: Option<&RawValue>) -> Result<Params, SpliceError> {
    match params {
        None => Ok(Params::empty()),
        Some(raw) => Params::scan(bytes.slice_ref(raw.get().as_bytes())),
    }
}

/// Keeps `null` as a value, where `Option` would take it for absence.
fn even_null<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// An array of which at most one element more than allowed is kept.
struct Batch<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Batch<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(BatchVisitor)
    }
}

struct BatchVisitor;

impl<'de> Visitor<'de> for BatchVisitor {
    type Value = Batch<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut kept = Vec::new();
        while kept.len() <= BATCH_MESSAGES_MAX {
            match array.next_element()? {
                Some(raw) => kept.push(raw),
                None => return Ok(Batch(kept)),
            }
        }
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Batch(kept))
    }
}

#[cfg(test)]
mod tests;
