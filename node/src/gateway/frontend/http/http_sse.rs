//! The transport of 2024-11-05, which clients still speak: `GET /sse` opens a stream of events, whose first one says
//! where to POST messages; every answer comes on the stream.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt, stream};
use http::request::Parts;
use tokio::time::{Duration, timeout};

use super::conversation::{self, Connected, Conversation, Outgoing};
use super::refusal::HttpRefusal;
use super::request::{self, Exchange};
use super::service::Credential;
use super::sessions::random_id;
use super::{Frontend, respond};
use crate::gateway::mcp::session::Transport;
use crate::gateway::mcp::sse;

/// Where messages are posted, before the session's id.
const MESSAGES_PATH: &str = "/messages?session_id=";
/// Time that a message waits for its client to read what it is owed already.
const HEARING_DEADLINE: Duration = Duration::from_secs(30);

/// The streams that are open, by the id that their clients post to.
#[derive(Default)]
pub(super) struct EventStreams {
    open: Mutex<HashMap<Box<str>, OpenStream>>,
}

struct OpenStream {
    credential: Credential,
    conversation: Arc<Conversation>,
}

/// What is sent on one stream; dropped with the response, it ends the conversation.
struct Messages {
    frontend: Arc<Frontend>,
    id: Box<str>,
    outgoing: Outgoing,
    over: BoxFuture<'static, ()>,
    _connected: Connected,
}

/// Opens a stream.
pub(super) fn open(frontend: &Arc<Frontend>, head: &Parts) -> Result<Response, HttpRefusal> {
    let exchange = Exchange::begin(frontend, head)?;
    if !exchange.accept.stream {
        return Err(HttpRefusal::NotAcceptable);
    }
    let client = exchange.lasting();
    let credential = client.credential.clone();
    let revoked = frontend.service.until_revoked(&credential);
    let stopped = frontend.shutdown.clone().cancelled_owned();
    let id = random_id()?;
    let (connected, outgoing) = conversation::begin(frontend, client, Transport::HttpSse)?;
    let entry = OpenStream {
        credential,
        conversation: connected.clone(),
    };
    frontend.event_streams.lock().insert(id.clone(), entry);
    let first = sse::named_event("endpoint", format!("{MESSAGES_PATH}{id}").as_bytes());
    let messages = Messages {
        frontend: frontend.clone(),
        id,
        outgoing,
        over: futures::future::select(revoked, stopped.boxed())
            .map(|_| ())
            .boxed(),
        _connected: connected,
    };
    let frames = messages.map(|message| sse::event(&message));
    let first = stream::once(std::future::ready(first));
    Ok(respond::event_stream(first.chain(frames).boxed()))
}

/// Takes one message for the stream that the query names.
pub(super) async fn post(
    frontend: &Arc<Frontend>,
    head: &Parts,
    body: Body,
) -> Result<Response, HttpRefusal> {
    let exchange = Exchange::begin(frontend, head)?;
    request::check_content_type(&head.headers)?;
    let id = session_id(head).ok_or(HttpRefusal::SessionMissing)?;
    let conversation = frontend.event_streams.find(id, &exchange.credential)?;
    let message = frontend.bodies.read(body).await?;
    match timeout(HEARING_DEADLINE, conversation.hear(&message)).await {
        Ok(()) => Ok(respond::accepted()),
        Err(_) => Err(HttpRefusal::NotReading),
    }
}

fn session_id(head: &Parts) -> Option<&str> {
    let members = head.uri.query()?.split('&');
    let mut values = members.filter_map(|member| member.strip_prefix("session_id="));
    values.next()
}

impl EventStreams {
    fn find(&self, id: &str, credential: &Credential) -> Result<Arc<Conversation>, HttpRefusal> {
        let open = self.lock();
        let found = open
            .get(id)
            .filter(|stream| stream.credential == *credential);
        let found = found.ok_or(HttpRefusal::SessionUnknown)?;
        Ok(found.conversation.clone())
    }

    /// A panic elsewhere leaves the table whole: every change to it is one step.
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, OpenStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Messages {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.over.poll_unpin(context).is_ready() {
            return Poll::Ready(None);
        }
        self.outgoing.poll_recv(context)
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.frontend.event_streams.lock().remove(&self.id);
    }
}
