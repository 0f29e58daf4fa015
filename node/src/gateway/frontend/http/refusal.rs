//! What is refused before a message is understood, or because of its session: a status, and a JSON-RPC error.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ALLOW, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use peerage_protocol::limits::BODY_BYTES_MAX;

use super::service::Unauthorized;
use super::sessions::SESSIONS_MAX;
use super::{CONVERSATIONS_MAX, respond};
use crate::gateway::mcp::answer::{Answer, Refusal};
use crate::gateway::mcp::era::LegacyVersion;

/// Why a request is refused at the door.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HttpRefusal {
    #[error("the Origin is not of this machine: web pages may not call this node")]
    Origin,
    #[error("the Host is not a name of this node; use http://localhost")]
    Host,
    #[error(transparent)]
    Unauthorized(#[from] Unauthorized),
    #[error("this endpoint takes POST, and GET and DELETE with the Mcp-Session-Id of a session")]
    MethodNotAllowed,
    #[error("the Content-Type must be application/json")]
    ContentType,
    #[error(
        "the Accept header must admit application/json or text/event-stream, whichever the answer needs"
    )]
    NotAcceptable,
    #[error("the body has more than {BODY_BYTES_MAX} bytes")]
    BodyTooLarge,
    #[error("the bodies of other requests fill the memory set aside for them; try again soon")]
    BodiesFull,
    #[error("the body did not arrive in time")]
    BodyTooSlow,
    #[error("the body broke off")]
    BodyBrokeOff,
    #[error(
        "the session's id is missing; send initialize first, and its Mcp-Session-Id with every message"
    )]
    SessionMissing,
    #[error("no such session; send initialize again")]
    SessionUnknown,
    #[error("{SESSIONS_MAX} sessions are open and none is idle")]
    SessionsFull,
    #[error("{CONVERSATIONS_MAX} connections of clients that stay are open")]
    ConversationsFull,
    #[error("this client does not read what it is owed already")]
    NotReading,
    #[error("this is not how a WebSocket is asked for: RFC 6455, version 13, over HTTP/1.1")]
    Upgrade,
    #[error("a WebSocket here speaks the subprotocol mcp; offer it in Sec-WebSocket-Protocol")]
    Subprotocol,
    #[error("the system has no random bytes for a session id")]
    NoRandomness,
    #[error("the MCP-Protocol-Version is not one of a session; this one speaks {}", spoken.as_str())]
    Version { spoken: LegacyVersion },
}

impl HttpRefusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Origin | Self::Host => StatusCode::FORBIDDEN,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyBrokeOff
            | Self::SessionMissing
            | Self::Upgrade
            | Self::Subprotocol
            | Self::Version { .. } => StatusCode::BAD_REQUEST,
            Self::SessionUnknown => StatusCode::NOT_FOUND,
            Self::BodiesFull
            | Self::SessionsFull
            | Self::ConversationsFull
            | Self::NotReading
            | Self::NoRandomness => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Unauthorized(_) => {
                let challenge = "Bearer realm=\"peerage\", error=\"invalid_token\"";
                Some((WWW_AUTHENTICATE, HeaderValue::from_static(challenge)))
            }
            Self::MethodNotAllowed => Some((ALLOW, HeaderValue::from_static("POST, GET, DELETE"))),
            _ => None,
        }
    }
}

impl IntoResponse for HttpRefusal {
    fn into_response(self) -> Response {
        let refusal = Refusal::new(-32600, self.to_string());
        let mut response = respond::json(self.status(), Answer::refusal(None, &refusal));
        response.headers_mut().extend(self.header());
        response
    }
}
