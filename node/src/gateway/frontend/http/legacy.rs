//! POST, GET and DELETE in the legacy era: within a session, which owns its calls.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, BoxStream, select_all};
use futures::{Stream, StreamExt};
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use tokio::sync::mpsc;
use tokio::time::timeout_at;

use super::answering::{Answering, Event};
use super::refusal::HttpRefusal;
use super::request::{Exchange, single};
use super::sessions::LegacySession;
use super::{Frontend, respond, subscription};
use crate::gateway::call::Era;
use crate::gateway::mcp::answer::Answer;
use crate::gateway::mcp::envelope::{self, EnvelopeError, Incoming, RequestId};
use crate::gateway::mcp::era::LegacyVersion;
use crate::gateway::mcp::session::{Output, Session, Transport};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// Events of one call that may wait for its client to read.
const EVENTS_WAITING_MAX: usize = 16;
/// Time beyond the call's own in which its last event must be read.
const READING_GRACE: Duration = Duration::from_secs(5);

/// Serves one message of a session, or opens one.
pub(super) async fn post(
    frontend: &Arc<Frontend>,
    exchange: &Exchange<'_>,
    head: &Parts,
    incoming: Incoming,
) -> Result<Response, HttpRefusal> {
    if matches!(&incoming, Incoming::Request(request) if &*request.method == "initialize") {
        return initialize(frontend, exchange, incoming);
    }
    let session = find(frontend, exchange, head)?;
    match session.message(incoming, &exchange.routing) {
        Output::Answer(answer) => Ok(respond::answer(Era::Legacy, exchange.accept, answer)),
        Output::Dispatch { era, request } => {
            let id = request.id.clone();
            Ok(match Answering::begin(frontend, exchange, era, request) {
                Ok(answering) => {
                    respond::events(era, exchange.accept, run(&session, answering)).await
                }
                Err(answer) => {
                    session.answered(&id);
                    respond::answer(era, exchange.accept, answer)
                }
            })
        }
        // Only a modern message asks to listen, and none comes here.
        Output::Listen(_) | Output::Cancel(_) | Output::Nothing => Ok(respond::accepted()),
    }
}

/// Serves an array of messages, where the session's version has them.
pub(super) fn batch(
    frontend: &Arc<Frontend>,
    exchange: &Exchange<'_>,
    head: &Parts,
    body: &Bytes,
) -> Result<Response, HttpRefusal> {
    let refuse = |error: &EnvelopeError| {
        let answer = Answer::refusal(None, &error.into());
        Ok(respond::json(StatusCode::BAD_REQUEST, answer))
    };
    let session = match find(frontend, exchange, head) {
        Ok(session) if session.version().has_batches() => session,
        Ok(_) | Err(HttpRefusal::SessionMissing) => return refuse(&EnvelopeError::Batch),
        Err(refusal) => return Err(refusal),
    };
    let messages = match envelope::split(body) {
        Ok(messages) => messages,
        Err(error) => return refuse(&error),
    };
    if !exchange.accept.stream {
        return Err(HttpRefusal::NotAcceptable);
    }
    let events: Vec<_> = messages
        .iter()
        .filter_map(|message| one_of_batch(frontend, exchange, &session, message))
        .collect();
    if events.is_empty() {
        return Ok(respond::accepted());
    }
    let frames = select_all(events).map(respond::frame);
    Ok(respond::event_stream(frames.boxed()))
}

/// Opens the stream for notifications outside of any call.
pub(super) fn get(frontend: &Arc<Frontend>, head: &Parts) -> Result<Response, HttpRefusal> {
    let exchange = Exchange::begin(frontend, head)?;
    if !head.headers.contains_key(SESSION_ID) {
        return Err(HttpRefusal::MethodNotAllowed);
    }
    let session = find(frontend, &exchange, head)?;
    if !exchange.accept.stream {
        return Err(HttpRefusal::NotAcceptable);
    }
    let revoked = frontend.service.until_revoked(&exchange.credential);
    Ok(subscription::session_stream(
        frontend,
        session.open_stream(),
        revoked,
    ))
}

/// Ends a session.
pub(super) fn delete(frontend: &Arc<Frontend>, head: &Parts) -> Result<Response, HttpRefusal> {
    let exchange = Exchange::begin(frontend, head)?;
    if !head.headers.contains_key(SESSION_ID) {
        return Err(HttpRefusal::MethodNotAllowed);
    }
    find(frontend, &exchange, head)?;
    let id = session_id(head)?;
    frontend.sessions.close(id, &exchange.credential)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn initialize(
    frontend: &Arc<Frontend>,
    exchange: &Exchange<'_>,
    incoming: Incoming,
) -> Result<Response, HttpRefusal> {
    let mut engine = Session::new(Transport::Http);
    let Output::Answer(answer) = engine.message(incoming, Some(&exchange.routing)) else {
        return Ok(respond::accepted());
    };
    let version = engine.version();
    let mut response = respond::answer(Era::Legacy, exchange.accept, answer);
    if let Some(version) = version {
        let credential = exchange.credential.clone();
        let id = frontend.sessions.open(credential, version, engine)?;
        let id = HeaderValue::from_str(&id).map_err(|_| HttpRefusal::NoRandomness)?;
        response.headers_mut().insert(SESSION_ID, id);
    }
    Ok(response)
}

fn find(
    frontend: &Frontend,
    exchange: &Exchange<'_>,
    head: &Parts,
) -> Result<Arc<LegacySession>, HttpRefusal> {
    let session = frontend
        .sessions
        .find(session_id(head)?, &exchange.credential)?;
    let spoken = session.version();
    match exchange.routing.version.map(LegacyVersion::parse) {
        Some(None) => Err(HttpRefusal::Version { spoken }),
        _ => Ok(session),
    }
}

fn session_id(head: &Parts) -> Result<&str, HttpRefusal> {
    if !head.headers.contains_key(SESSION_ID) {
        return Err(HttpRefusal::SessionMissing);
    }
    single(&head.headers, SESSION_ID.as_str()).ok_or(HttpRefusal::SessionUnknown)
}

fn one_of_batch(
    frontend: &Frontend,
    exchange: &Exchange<'_>,
    session: &Arc<LegacySession>,
    message: &Bytes,
) -> Option<BoxStream<'static, Event>> {
    let at_once = |answer| stream::once(std::future::ready(Event::Answer(answer))).boxed();
    let incoming = match envelope::read(message) {
        Ok(incoming) => incoming,
        Err(answer) => return Some(at_once(answer)),
    };
    match session.message(incoming, &exchange.routing) {
        Output::Answer(answer) => Some(at_once(answer)),
        Output::Dispatch { era, request } => {
            let id = request.id.clone();
            Some(match Answering::begin(frontend, exchange, era, request) {
                Ok(answering) => run(session, answering).boxed(),
                Err(answer) => {
                    session.answered(&id);
                    at_once(answer)
                }
            })
        }
        Output::Listen(_) | Output::Cancel(_) | Output::Nothing => None,
    }
}

/// Lets the session's own task answer, so that the call outlives the response.
fn run(
    session: &Arc<LegacySession>,
    answering: Answering,
) -> impl Stream<Item = Event> + Send + 'static {
    let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
    let id = answering.id().clone();
    let task = carry_in_time(session.clone(), id.clone(), answering, sender);
    session.run(&id, || tokio::spawn(task).abort_handle());
    stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|event| (event, receiver))
    })
}

async fn carry_in_time(
    session: Arc<LegacySession>,
    id: RequestId,
    answering: Answering,
    client: mpsc::Sender<Event>,
) {
    let deadline = answering.deadline() + READING_GRACE;
    let carried = carry(&session, &id, answering, client);
    // A client that does not read holds its call no longer than one that does.
    if timeout_at(deadline, carried).await.is_err() {
        session.answered(&id);
    }
}

async fn carry(
    session: &LegacySession,
    id: &RequestId,
    mut answering: Answering,
    client: mpsc::Sender<Event>,
) {
    let mut client = Some(client);
    while let Some(event) = answering.next().await {
        if matches!(event, Event::Answer(_)) && !session.answered(id) {
            return;
        }
        let Some(listening) = &client else {
            continue;
        };
        if listening.send(event).await.is_err() {
            if !session.goes_on_without_stream(id) {
                return;
            }
            client = None;
        }
    }
}
