//! Messages to an upstream: a small head of our own, then raw JSON that is never copied.

use std::borrow::Cow;

use bytes::Bytes;

use crate::gateway::aside::refusal;
use crate::gateway::call::ReplyBody;
use crate::gateway::mcp::splice::line;

/// A JSON-RPC message in two parts; `}` closes it.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// Everything up to the raw part.
    pub(crate) head: Bytes,
    /// The raw `params`, `result` or `error`.
    pub(crate) raw: Bytes,
}

impl Outgoing {
    /// What closes every message.
    pub(crate) const TAIL: &'static [u8] = b"}";

    /// A request with one of our ids.
    pub(crate) fn request(id: u64, method: &str, params: Bytes) -> Self {
        Self {
            head: format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":{},"params":"#,
                quoted(method)
            )
            .into(),
            raw: params,
        }
    }

    /// A notification.
    pub(crate) fn notification(method: &str, params: Bytes) -> Self {
        Self {
            head: format!(r#"{{"jsonrpc":"2.0","method":{},"params":"#, quoted(method)).into(),
            raw: params,
        }
    }

    /// Tells the upstream that nobody waits for request `id` any more.
    pub(crate) fn cancelled(id: u64) -> Self {
        Self::notification(
            "notifications/cancelled",
            format!(r#"{{"requestId":{id}}}"#).into(),
        )
    }

    /// The answer to a request of the upstream, whose raw id is `id`.
    pub(crate) fn response(id: &str, body: ReplyBody) -> Self {
        let (member, raw) = match body {
            ReplyBody::Result(raw) => ("result", raw),
            ReplyBody::Error(raw) => ("error", raw),
        };
        Self {
            head: format!(r#"{{"jsonrpc":"2.0","id":{id},"{member}":"#).into(),
            raw,
        }
    }
}

/// What is answered to a request of the upstream that goes to no caller: we are alive, and `why` it goes to none.
pub(crate) fn own_answer(method: &str, why: &str) -> ReplyBody {
    match method {
        "ping" => ReplyBody::Result(Bytes::from_static(b"{}")),
        _ => ReplyBody::Error(refusal(why)),
    }
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `raw` JSON on one line; copied only where it is not yet.
pub(crate) fn on_one_line(raw: Bytes) -> Bytes {
    match line(&raw) {
        Cow::Borrowed(_) => raw,
        Cow::Owned(line) => line.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &Outgoing) -> String {
        [&message.head[..], &message.raw, Outgoing::TAIL]
            .concat()
            .iter()
            .map(|byte| char::from(*byte))
            .collect()
    }

    #[test]
    fn a_request_carries_its_params_as_they_are() {
        let params = Bytes::from_static(br#"{"name" :"x"}"#);
        assert_eq!(
            text(&Outgoing::request(3, "tools/call", params)),
            r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name" :"x"}}"#
        );
    }

    #[test]
    fn a_method_cannot_break_out_of_its_string() {
        let message = text(&Outgoing::notification(
            r#"a","id":"1"#,
            Bytes::from_static(b"{}"),
        ));
        assert!(
            message.contains(r#""method":"a\",\"id\":\"1""#),
            "{message}"
        );
    }

    #[test]
    fn only_ping_is_answered_with_a_result() {
        assert_eq!(
            text(&Outgoing::response("\"p\"", own_answer("ping", ""))),
            r#"{"jsonrpc":"2.0","id":"p","result":{}}"#
        );
        let refused = Outgoing::response("4", own_answer("roots/list", "nobody calls"));
        assert!(text(&refused).contains("-32601"));
    }

    #[test]
    fn line_breaks_between_tokens_become_spaces() {
        let raw = Bytes::from_static(b"{\r\n\"a\": \"b\\n\"\n}");
        assert_eq!(
            on_one_line(raw),
            Bytes::from_static(b"{  \"a\": \"b\\n\" }")
        );
    }
}
