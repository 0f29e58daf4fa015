//! The legacy session that a client opened through the proxy: kept alive across restarts of the node.
//!
//! A node that restarted knows no sessions. The proxy then opens another with the client's own `initialize`, whose
//! answer the client has seen already and does not see again.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use peerage_node::gateway::backend::http::body;
use peerage_protocol::limits::BODY_BYTES_MAX;
use serde::Deserialize;
use tokio::sync::{Mutex, watch};

use super::answer::Answers;
use crate::client::courier::{Courier, Parcel};
use crate::client::error::ClientError;
use crate::client::message::PROTOCOL_VERSION;

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const INITIALIZED: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// What the client opened, and what it is called at the node now.
pub(super) struct Session {
    state: Mutex<State>,
    /// The headers of the session once the client has said that it is ready; the stream follows them.
    ready: watch::Sender<Option<HeaderMap>>,
}

#[derive(Default)]
struct State {
    /// The client's own `initialize`.
    opening: Option<Bytes>,
    headers: HeaderMap,
    initialized: bool,
}

impl Session {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            ready: watch::Sender::new(None),
        }
    }

    /// The headers that every message of the session carries; none before it is open.
    pub(super) async fn headers(&self) -> HeaderMap {
        self.state.lock().await.headers.clone()
    }

    /// The headers, from the moment that the stream of the session may be opened.
    pub(super) fn ready(&self) -> watch::Receiver<Option<HeaderMap>> {
        self.ready.subscribe()
    }

    /// Reads the answer to the client's `initialize`, and remembers what it opened.
    pub(super) async fn open(
        &self,
        opening: Bytes,
        response: Response<Incoming>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = first_message(response).await?;
        if status.is_success() {
            let mut state = self.state.lock().await;
            state.opening = Some(opening);
            state.initialized = false;
            state.headers = headers_of(&headers, &answer);
        }
        Ok((status, answer))
    }

    /// The client is ready for notifications.
    pub(super) async fn initialized(&self) {
        let mut state = self.state.lock().await;
        state.initialized = true;
        let headers = state.headers.clone();
        let is_session = headers.contains_key(SESSION_ID);
        self.ready.send_replace(is_session.then_some(headers));
    }

    /// Opens the session again after the node no longer knew the one with `lost` headers, and says the new ones.
    /// Many messages may find it lost at once: the first opens it.
    pub(super) async fn renew(
        &self,
        courier: &Courier,
        lost: &HeaderMap,
    ) -> Result<HeaderMap, ClientError> {
        let mut state = self.state.lock().await;
        let Some(opening) = state.opening.clone() else {
            return Ok(HeaderMap::new());
        };
        if state.headers != *lost {
            return Ok(state.headers.clone());
        }
        let response = courier
            .deliver_now(&post(HeaderMap::new(), opening))
            .await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = first_message(response).await?;
        if !status.is_success() || !headers.contains_key(SESSION_ID) {
            return Err(ClientError::NotMcp {
                status: status.as_u16(),
                detail: "it did not open the session again".to_owned(),
            });
        }
        state.headers = headers_of(&headers, &answer);
        if state.initialized {
            let ready = post(state.headers.clone(), Bytes::from_static(INITIALIZED));
            courier.deliver_now(&ready).await?;
            self.ready.send_replace(Some(state.headers.clone()));
        }
        Ok(state.headers.clone())
    }

    /// Ends the session at the node, and with it every call of it.
    pub(super) async fn close(&self, courier: &Courier) {
        let headers = self.headers().await;
        if headers.contains_key(SESSION_ID) {
            let end = Parcel {
                method: Method::DELETE,
                headers,
                body: Bytes::new(),
            };
            // A node that is gone has no session either.
            let _ = courier.deliver_now(&end).await;
        }
    }
}

/// Whether `response` says that the session with these headers is unknown: then the message was not acted on.
pub(super) fn is_unknown(response: &Response<Incoming>, sent: &HeaderMap) -> bool {
    response.status() == StatusCode::NOT_FOUND && sent.contains_key(SESSION_ID)
}

pub(super) fn post(headers: HeaderMap, body: Bytes) -> Parcel {
    Parcel {
        method: Method::POST,
        headers,
        body,
    }
}

async fn first_message(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    match Answers::of(response) {
        Answers::Events(mut events) => Ok(events.next().await?.unwrap_or_default()),
        Answers::Whole(body) => Ok(body::whole(body, BODY_BYTES_MAX).await?),
    }
}

/// The session's id, and the version that the answer settled.
fn headers_of(response: &HeaderMap, answer: &[u8]) -> HeaderMap {
    #[derive(Deserialize)]
    struct Answer {
        result: Settled,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Settled {
        protocol_version: String,
    }

    let mut headers = HeaderMap::new();
    headers.extend(response.get(SESSION_ID).map(|id| (SESSION_ID, id.clone())));
    let settled = serde_json::from_slice::<Answer>(answer).ok();
    let version =
        settled.and_then(|answer| HeaderValue::from_str(&answer.result.protocol_version).ok());
    headers.extend(version.map(|version| (PROTOCOL_VERSION, version)));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_carries_its_id_and_the_version_that_was_settled() {
        let response = HeaderMap::from_iter([(SESSION_ID, HeaderValue::from_static("s1"))]);
        let answer = br#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;
        let headers = headers_of(&response, answer);
        assert_eq!(headers["mcp-session-id"], "s1");
        assert_eq!(headers["mcp-protocol-version"], "2025-06-18");
        let refused = headers_of(&HeaderMap::new(), br#"{"error":{}}"#);
        assert!(refused.is_empty());
    }
}
