//! Messages from an upstream, borrowed: only the envelope is understood.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::gateway::call::ReplyBody;

/// One JSON-RPC message of an upstream.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    /// The answer to one of our requests.
    Answer {
        /// Our id; `None` where the upstream could not tell which request it answers.
        id: Option<u64>,
        /// What it answers.
        body: Answer<'a>,
    },
    /// A request of the upstream to its client.
    Request {
        /// Its id.
        id: &'a RawValue,
        /// What it asks.
        method: Cow<'a, str>,
        /// With what.
        params: Option<&'a RawValue>,
    },
    /// A notification.
    Notification {
        /// What it tells.
        method: Cow<'a, str>,
    },
}

/// The member of an answer that matters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer<'a> {
    /// The raw `result`.
    Result(&'a RawValue),
    /// The raw `error`.
    Error(&'a RawValue),
}

impl Answer<'_> {
    /// The member as a slice of `message`, from which it was read: nothing is copied.
    pub(crate) fn cut_from(self, message: &Bytes) -> ReplyBody {
        match self {
            Answer::Result(raw) => ReplyBody::Result(message.slice_ref(raw.get().as_bytes())),
            Answer::Error(raw) => ReplyBody::Error(message.slice_ref(raw.get().as_bytes())),
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// A result of `null` is a result.
fn present<'de, D: Deserializer<'de>>(source: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(source).map(Some)
}

impl<'a> Incoming<'a> {
    /// Reads one message. A member of the envelope that occurs twice makes it none.
    pub(crate) fn read(message: &'a [u8]) -> Result<Self, NotAMessage> {
        let envelope: Envelope<'a> =
            serde_json::from_slice(message).map_err(|error| NotAMessage::NotJsonRpc {
                line: error.line(),
                column: error.column(),
            })?;
        let answer = |body| Incoming::Answer {
            id: envelope.id.and_then(|id| id.get().parse().ok()),
            body,
        };
        // Beside another member, a result of `null` says that there is none.
        let alone = envelope.method.is_none() && envelope.error.is_none();
        let result = envelope.result.filter(|raw| alone || raw.get() != "null");
        match (envelope.method, result, envelope.error) {
            (None, Some(result), None) => Ok(answer(Answer::Result(result))),
            (None, None, Some(error)) => Ok(answer(Answer::Error(error))),
            (Some(method), None, None) => Ok(match envelope.id {
                Some(id) => Incoming::Request {
                    id,
                    method,
                    params: envelope.params,
                },
                None => Incoming::Notification { method },
            }),
            _ => Err(NotAMessage::Ambiguous),
        }
    }
}

/// Why bytes are not a JSON-RPC message. Their content is not repeated: it may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAMessage {
    /// Not a JSON object of the right shape.
    #[error("not a JSON-RPC message (line {line}, column {column})")]
    NotJsonRpc {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// None or several of `method`, `result` and `error`.
    #[error("a JSON-RPC message has exactly one of method, result and error")]
    Ambiguous,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_is_cut_from_its_message_byte_by_byte() {
        let message = Bytes::from_static(br#"{"id":7,"result":{"a" : [1,  2]},"jsonrpc":"2.0"}"#);
        let Ok(Incoming::Answer { id: Some(7), body }) = Incoming::read(&message) else {
            panic!("not an answer to request 7");
        };
        assert_eq!(
            body.cut_from(&message),
            ReplyBody::Result(Bytes::from_static(br#"{"a" : [1,  2]}"#))
        );
    }

    #[test]
    fn requests_and_notifications_are_told_apart_by_their_id() {
        let request = br#"{"jsonrpc":"2.0","id":"x","method":"ping"}"#;
        assert!(matches!(
            Incoming::read(request),
            Ok(Incoming::Request { id, .. }) if id.get() == "\"x\""
        ));
        let notification = br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
        assert!(matches!(
            Incoming::read(notification),
            Ok(Incoming::Notification { .. })
        ));
    }

    #[test]
    fn a_result_of_null_is_an_answer_unless_something_else_is_said() {
        let read = |message: &'static str| match Incoming::read(message.as_bytes()) {
            Ok(Incoming::Answer { body, .. }) => {
                body.cut_from(&Bytes::from_static(message.as_bytes()))
            }
            other => panic!("{other:?}"),
        };
        let null = ReplyBody::Result(Bytes::from_static(b"null"));
        assert_eq!(read(r#"{"id":1,"result":null}"#), null);
        assert_eq!(read(r#"{"id":1,"result": null ,"error":null}"#), null);
        let error = ReplyBody::Error(Bytes::from_static(b"{}"));
        assert_eq!(read(r#"{"id":1,"result":null,"error":{}}"#), error);
    }

    #[test]
    fn a_message_with_two_meanings_is_none() {
        for message in [
            r#"{"id":1,"result":{},"error":{}}"#,
            r#"{"id":1,"result":{},"result":{}}"#,
            r#"{"id":1}"#,
            r#"[{"id":1,"result":{}}]"#,
            "listening on port 80",
        ] {
            assert!(Incoming::read(message.as_bytes()).is_err(), "{message}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Incoming::read(&bytes);
        }

        #[test]
        fn whatever_is_cut_was_sent(text in "\\PC*", id in any::<u64>()) {
            let result = serde_json::to_string(&text).unwrap();
            let message = Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#));
            let Ok(Incoming::Answer { id: Some(found), body }) = Incoming::read(&message) else {
                panic!("not an answer");
            };
            prop_assert_eq!(found, id);
            prop_assert_eq!(body.cut_from(&message), ReplyBody::Result(Bytes::from(result)));
        }
    }
}
