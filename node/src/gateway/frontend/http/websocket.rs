//! WebSocket at `/mcp`: subprotocol `mcp`, one JSON-RPC message in each text frame (RFC 6455).
//!
//! Never part of the specification, but spoken by the SDKs. The request to upgrade passes the same checks as any
//! other: a web page cannot open one, whatever it sends.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use http::header::{HeaderMap, UPGRADE};
use http::request::Parts;
use peerage_protocol::limits::BODY_BYTES_MAX;
use tokio::time::timeout;

use super::Frontend;
use super::conversation::{self, Conversation, Outgoing};
use super::refusal::HttpRefusal;
use super::request::Exchange;
use crate::gateway::mcp::session::Transport;

/// The subprotocol that a client must offer.
const SUBPROTOCOL: &str = "mcp";
/// Nothing to send for this long: a ping.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Nothing heard for this long, not even a pong: the client is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Time for the client to read one message.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// Time for the client to read why the connection ends.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);
/// Bytes read at a time.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Why a connection ends, as a close code and its reason; none when the client ended it.
type Ending = Option<(u16, &'static str)>;

/// Whether a GET asks for a WebSocket.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(UPGRADE).map(|value| value.as_bytes());
    upgrade.is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// Makes the connection of a GET a WebSocket.
pub(super) async fn upgrade(
    frontend: &Arc<Frontend>,
    head: &mut Parts,
) -> Result<Response, HttpRefusal> {
    let client = Exchange::begin(frontend, head)?.lasting();
    let upgrade = WebSocketUpgrade::from_request_parts(head, &())
        .await
        .map_err(|_| HttpRefusal::Upgrade)?
        .protocols([SUBPROTOCOL])
        .max_message_size(BODY_BYTES_MAX)
        .max_frame_size(BODY_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES);
    if upgrade.selected_protocol().is_none() {
        return Err(HttpRefusal::Subprotocol);
    }
    let revoked = frontend.service.until_revoked(&client.credential);
    let (conversation, outgoing) = conversation::begin(frontend, client, Transport::WebSocket)?;
    let frontend = frontend.clone();
    Ok(upgrade.on_upgrade(async move |socket| {
        converse(&frontend, socket, &conversation, outgoing, revoked).await;
    }))
}

async fn converse(
    frontend: &Frontend,
    socket: WebSocket,
    conversation: &Arc<Conversation>,
    outgoing: Outgoing,
    revoked: BoxFuture<'static, ()>,
) {
    let (mut to_client, from_client) = socket.split();
    let ending = tokio::select! {
        ending = hear(frontend, from_client, conversation) => ending,
        ending = say(&mut to_client, outgoing) => ending,
        () = revoked => Some((close_code::POLICY, "the token was revoked or replaced")),
        () = frontend.shutdown.cancelled() => Some((close_code::AWAY, "the node stops")),
    };
    if let Some((code, reason)) = ending {
        let reason = Utf8Bytes::from_static(reason);
        let close = Message::Close(Some(CloseFrame { code, reason }));
        let _ = timeout(CLOSE_DEADLINE, to_client.send(close)).await;
    }
}

/// Takes the client's messages until it ends, falls silent or says something else than text.
async fn hear(
    frontend: &Frontend,
    mut from_client: SplitStream<WebSocket>,
    conversation: &Arc<Conversation>,
) -> Ending {
    loop {
        let Ok(next) = timeout(SILENCE_MAX, from_client.next()).await else {
            return Some((close_code::AWAY, "no sign of life"));
        };
        match next {
            Some(Ok(Message::Text(text))) => match frontend.bodies.hold(text.into()).await {
                Ok(message) => conversation.hear(&message).await,
                Err(_) => return Some((close_code::AGAIN, "other messages fill the memory")),
            },
            Some(Ok(Message::Binary(_))) => {
                return Some((close_code::UNSUPPORTED, "messages are text"));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_))) | None => return None,
            Some(Err(_)) => {
                return Some((close_code::PROTOCOL, "no WebSocket frame, or too large"));
            }
        }
    }
}

/// Sends what the client is owed, and pings where that is nothing.
async fn say(to_client: &mut SplitSink<WebSocket, Message>, mut outgoing: Outgoing) -> Ending {
    loop {
        let frame = match timeout(PING_INTERVAL, outgoing.recv()).await {
            Ok(Some(message)) => match Utf8Bytes::try_from(message) {
                Ok(text) => Message::Text(text),
                Err(_) => return Some((close_code::INVALID, "an answer is not text")),
            },
            Ok(None) => return None,
            Err(_) => Message::Ping(Bytes::new()),
        };
        match timeout(WRITE_DEADLINE, to_client.send(frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return None,
        }
    }
}
