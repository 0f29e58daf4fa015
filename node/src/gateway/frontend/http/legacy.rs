//! POST, GET and DELETE in the legacy era: within a session, which owns its calls.
//!
//! A response that is not one answer becomes a stream, and so does one that is long in coming: then a client that
//! loses its connection can take the stream up again.

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
use tokio::time::{timeout, timeout_at};

use super::answering::{Answering, Event};
use super::refusal::HttpRefusal;
use super::replay::{EventId, Numbered, ReplayableStream, SESSION_STREAM, Writer};
use super::request::{Accept, Exchange, single};
use super::sessions::LegacySession;
use super::{Frontend, respond, subscription};
use crate::gateway::call::Era;
use crate::gateway::mcp::answer::Answer;
use crate::gateway::mcp::envelope::{self, EnvelopeError, Incoming, RequestId};
use crate::gateway::mcp::era::LegacyVersion;
use crate::gateway::mcp::session::{Output, Session, Transport};
use crate::gateway::mcp::sse;

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How long a client that takes streams waits for one answer before it gets a stream.
const SILENCE_BEFORE_STREAM: Duration = Duration::from_secs(2);
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
        Output::Dispatch {
            era,
            client,
            request,
        } => {
            let id = request.id.clone();
            Ok(
                match Answering::begin(frontend, exchange, era, client, request) {
                    Ok(answering) => {
                        let answering = ask_on(&session, exchange.accept, answering);
                        let response = run(frontend, &session, answering);
                        respond_as_it_comes(&session, exchange.accept, response).await
                    }
                    Err(answer) => {
                        session.answered(&id);
                        respond::answer(era, exchange.accept, answer)
                    }
                },
            )
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

/// Opens the stream for notifications outside of any call, or takes one up again that was lost.
pub(super) fn get(frontend: &Arc<Frontend>, head: &Parts) -> Result<Response, HttpRefusal> {
    let exchange = Exchange::begin(frontend, head)?;
    if !head.headers.contains_key(SESSION_ID) {
        return Err(HttpRefusal::MethodNotAllowed);
    }
    let session = find(frontend, &exchange, head)?;
    if !exchange.accept.stream {
        return Err(HttpRefusal::NotAcceptable);
    }
    let after = match head.headers.contains_key(LAST_EVENT_ID) {
        true => {
            let id = single(&head.headers, LAST_EVENT_ID.as_str());
            let id: Option<EventId> = id.and_then(|id| id.parse().ok());
            Some(id.ok_or(HttpRefusal::EventsGone)?)
        }
        false => None,
    };
    if let Some(id) = after.filter(|id| id.stream != SESSION_STREAM) {
        let resumed = session.resume(id).ok_or(HttpRefusal::EventsGone)?;
        return Ok(respond::event_stream(resumed.frames()));
    }
    let revoked = frontend.service.until_revoked(&exchange.credential);
    Ok(subscription::session_stream(
        frontend,
        session.open_stream(),
        after.is_some(),
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
        Output::Dispatch {
            era,
            client,
            request,
        } => {
            let id = request.id.clone();
            Some(
                match Answering::begin(frontend, exchange, era, client, request) {
                    Ok(answering) => {
                        let answering = ask_on(session, exchange.accept, answering);
                        run(frontend, session, answering).events().boxed()
                    }
                    Err(answer) => {
                        session.answered(&id);
                        at_once(answer)
                    }
                },
            )
        }
        Output::Listen(_) | Output::Cancel(_) | Output::Nothing => None,
    }
}

/// A call under way in its session's own task, as its response hears of it.
struct Running {
    stream: Arc<ReplayableStream>,
    coming: mpsc::Receiver<Numbered>,
}

impl Running {
    fn events(self) -> impl Stream<Item = Event> + Send + 'static {
        stream::unfold(self.coming, |mut coming| async move {
            let (_, event) = coming.recv().await?;
            Some((event, coming))
        })
    }

    /// The rest of the response as a stream, beginning with `first`.
    fn frames(self, version: LegacyVersion, first: Option<Numbered>) -> BoxStream<'static, Bytes> {
        let stream = self.stream.begin_streaming();
        let id = move |event| EventId { stream, event };
        let frame =
            move |(number, event): Numbered| sse::event_with_id(id(number), event.message());
        // Clients of earlier versions take an event without data for a broken message.
        let priming = (version >= LegacyVersion::November2025).then(|| sse::id_alone(id(0)));
        let opening = priming.into_iter().chain(first.map(frame));
        let rest = stream::unfold(self.coming, |mut coming| async move {
            coming.recv().await.map(|event| (event, coming))
        });
        stream::iter(opening).chain(rest.map(frame)).boxed()
    }
}

/// A client that takes streams can be asked on them.
fn ask_on(session: &Arc<LegacySession>, accept: Accept, answering: Answering) -> Answering {
    if !accept.stream {
        return answering;
    }
    let (session, id) = (session.clone(), answering.id().clone());
    answering.asking(Box::new(move |aside| session.told(Some(&id), aside)))
}

/// Lets the session's own task answer, so that the call outlives the response.
fn run(frontend: &Frontend, session: &Arc<LegacySession>, answering: Answering) -> Running {
    let (writer, coming) = session.begin_stream(&frontend.replay);
    let stream = writer.stream();
    let id = answering.id().clone();
    let task = carry_in_time(session.clone(), id.clone(), answering, writer);
    session.run(&id, || tokio::spawn(task).abort_handle());
    Running { stream, coming }
}

/// The answer as JSON if it is the first event and soon there, else a stream. A client that takes no streams is
/// spared the notifications; one whose call was cancelled gets an empty stream.
async fn respond_as_it_comes(
    session: &LegacySession,
    accept: Accept,
    mut response: Running,
) -> Response {
    loop {
        let first = match accept.stream {
            true => timeout(SILENCE_BEFORE_STREAM, response.coming.recv()).await,
            false => Ok(response.coming.recv().await),
        };
        match first {
            Ok(Some((_, Event::Answer(answer)))) => {
                return respond::answer(Era::Legacy, accept, answer);
            }
            Ok(Some(_)) if !accept.stream => {}
            Ok(Some(first)) => {
                return respond::event_stream(response.frames(session.version(), Some(first)));
            }
            Err(_) => return respond::event_stream(response.frames(session.version(), None)),
            Ok(None) if accept.stream => return respond::event_stream(stream::empty().boxed()),
            Ok(None) => return respond::accepted(),
        }
    }
}

async fn carry_in_time(
    session: Arc<LegacySession>,
    id: RequestId,
    answering: Answering,
    client: Writer,
) {
    let deadline = answering.deadline() + READING_GRACE;
    let carried = carry(&session, &id, answering, client);
    // A client that does not read holds its call no longer than one that does.
    if timeout_at(deadline, carried).await.is_err() {
        session.answered(&id);
    }
}

async fn carry(session: &LegacySession, id: &RequestId, mut answering: Answering, client: Writer) {
    while let Some(event) = answering.next().await {
        if matches!(event, Event::Answer(_)) && !session.answered(id) {
            return;
        }
        if !client.send(event).await && !session.goes_on_without_stream(id) {
            return;
        }
    }
}
