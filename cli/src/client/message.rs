//! What must be known of a message to carry it over HTTP: what it is, and what its headers repeat. The rest is not
//! read, and nothing is changed.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};
use peerage_node::gateway::mcp::envelope::RequestId;
use peerage_node::gateway::mcp::era::{LegacyVersion, VERSION_KEY};
use peerage_node::gateway::mcp::header_text;
use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The key of `_meta` by which a modern request says who sends it.
const CLIENT_INFO_KEY: &str = "io.modelcontextprotocol/clientInfo";

/// What one message of a client says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Head {
    /// Of a request or a response, as it is written.
    pub id: Option<RequestId>,
    /// Of a request or a notification.
    pub method: Option<String>,
    /// The version that a modern message carries; a legacy one has none.
    pub modern_version: Option<String>,
    /// What the message is about: a tool, a prompt, a resource.
    pub name: Option<String>,
    /// The request that a cancellation ends.
    pub cancels: Option<RequestId>,
    /// What the client calls itself.
    pub client: Option<String>,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Params<'a> {
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, rename = "taskId")]
    task: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestId")]
    request: Option<&'a RawValue>,
    #[serde(borrow, rename = "clientInfo")]
    client: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ClientInfo<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

impl Head {
    /// Of a message, or of each in a batch. What is no message has no head: the endpoint says what is wrong with it.
    pub(crate) fn of_all(message: &[u8]) -> Vec<Self> {
        let batch = message.trim_ascii_start().first() == Some(&b'[');
        let read: Result<Vec<Members<'_>>, _> = match batch {
            true => serde_json::from_slice(message),
            false => serde_json::from_slice(message).map(|members| vec![members]),
        };
        let read = read.unwrap_or_default();
        read.iter().map(Self::of).collect()
    }

    fn of(members: &Members<'_>) -> Self {
        let params: Params<'_> = members
            .params
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default();
        let method = text(members.method);
        let name = match method.as_deref() {
            Some("tools/call" | "prompts/get") => text(params.name),
            Some("resources/read") => text(params.uri),
            Some("tasks/get" | "tasks/update" | "tasks/cancel") => text(params.task),
            _ => None,
        };
        let cancels = match method.as_deref() {
            Some("notifications/cancelled") => id(params.request),
            _ => None,
        };
        Self {
            id: id(members.id),
            modern_version: text(member(params.meta, VERSION_KEY)),
            client: client(params.client.or(member(params.meta, CLIENT_INFO_KEY))),
            method,
            name,
            cancels,
        }
    }

    /// Whether it asks for an answer.
    pub(crate) fn is_request(&self) -> bool {
        self.id.is_some() && self.method.is_some()
    }

    /// Whether it is an answer.
    pub(crate) fn is_response(&self) -> bool {
        self.id.is_some() && self.method.is_none()
    }

    /// Whether it belongs to the era of single requests. A version that is a legacy one is refused as such.
    pub(crate) fn is_modern(&self) -> bool {
        let modern = |version: &String| LegacyVersion::parse(version).is_none();
        self.modern_version.as_ref().is_some_and(modern)
    }

    /// The headers that repeat what a modern message says (2026-07-28, "Standard request headers").
    pub(crate) fn modern_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let version = self.modern_version.as_deref().map(HeaderValue::from_str);
        let value = |text: Option<&str>| text.and_then(header_text::encode);
        headers.extend(
            version
                .and_then(Result::ok)
                .map(|it| (PROTOCOL_VERSION, it)),
        );
        headers.extend(value(self.method.as_deref()).map(|it| (METHOD, it)));
        headers.extend(value(self.name.as_deref()).map(|it| (NAME, it)));
        headers
    }
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

fn id(raw: Option<&RawValue>) -> Option<RequestId> {
    RequestId::from_json(raw?.get())
}

fn member<'a>(object: Option<&'a RawValue>, key: &str) -> Option<&'a RawValue> {
    let members: std::collections::BTreeMap<Cow<'_, str>, &'a RawValue> =
        serde_json::from_str(object?.get()).ok()?;
    members.get(key).copied()
}

fn client(raw: Option<&RawValue>) -> Option<String> {
    let info: ClientInfo<'_> = serde_json::from_str(raw?.get()).ok()?;
    Some(info.name.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn head(message: &str) -> Head {
        Head::of_all(message.as_bytes()).pop().unwrap()
    }

    #[test]
    fn a_modern_call_repeats_version_method_and_name_in_its_headers() {
        let head = head(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"grüße","_meta":{
                "io.modelcontextprotocol/protocolVersion":"2026-07-28",
                "io.modelcontextprotocol/clientInfo":{"name":"Claude Code","version":"1"}}}}"#,
        );
        assert!(head.is_modern() && head.is_request());
        assert_eq!(head.client.as_deref(), Some("Claude Code"));
        let headers = head.modern_headers();
        assert_eq!(headers["mcp-protocol-version"], "2026-07-28");
        assert_eq!(headers["mcp-method"], "tools/call");
        assert_eq!(headers["mcp-name"], "=?base64?Z3LDvMOfZQ==?=");
    }

    #[test]
    fn a_legacy_message_is_not_modern_and_ids_stay_as_they_are_written() {
        let head = head(r#"{"jsonrpc":"2.0","id":1.50,"method":"tools/list","params":{}}"#);
        assert!(!head.is_modern());
        assert_eq!(head.id.unwrap().as_json(), "1.50");
    }

    #[test]
    fn a_cancellation_names_the_request_that_it_ends() {
        let head = head(
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#,
        );
        assert_eq!(head.cancels.unwrap().as_json(), "\"a\"");
        assert_eq!(head.id, None);
    }

    #[test]
    fn a_batch_has_a_head_for_each_message_and_noise_has_none() {
        let batch = br#" [{"id":1,"method":"ping"},{"id":2,"result":{}}]"#;
        let heads = Head::of_all(batch);
        assert_eq!(heads.len(), 2);
        assert!(heads[0].is_request() && heads[1].is_response());
        assert_eq!(Head::of_all(b"noise"), []);
        assert_eq!(Head::of_all(b"1"), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, text in "\\PC{0,60}") {
            let _ = Head::of_all(&bytes);
            let _ = Head::of_all(format!(r#"{{"id":1,"method":"x","params":{text}}}"#).as_bytes());
        }
    }
}
