//! Turns events into an HTTP response: one JSON answer, or server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use tokio::time::timeout;

use super::answering::{Answering, Event};
use super::request::Accept;
use crate::gateway::call::Era;
use crate::gateway::mcp::answer::Answer;
use crate::gateway::mcp::sse;

/// Silence on a stream before a comment breaks it.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const NOT_STORED: HeaderValue = HeaderValue::from_static("no-cache, no-transform");
const NOT_BUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// One answer as JSON.
pub(super) fn json(status: StatusCode, answer: Answer) -> Response {
    (status, [(CONTENT_TYPE, JSON)], Body::from(answer.message)).into_response()
}

/// One answer as JSON under the status that its era gives it, or as an event where the client takes nothing else.
pub(super) fn answer(era: Era, accept: Accept, answer: Answer) -> Response {
    if accept.json {
        return json(status(era, &answer), answer);
    }
    let frame = sse::event(&answer.message);
    event_stream(stream::once(std::future::ready(frame)).boxed())
}

/// The client's message needs no answer.
pub(super) fn accepted() -> Response {
    StatusCode::ACCEPTED.into_response()
}

/// The answer as JSON if it is the first event, else all events as a stream. A client that takes no streams is
/// spared the notifications; one whose call was cancelled gets an empty stream.
pub(super) async fn events(era: Era, accept: Accept, mut answering: Answering) -> Response {
    loop {
        match answering.next().await {
            Some(Event::Answer(first)) => return answer(era, accept, first),
            Some(Event::Notification(_)) if !accept.stream => {}
            Some(first) => {
                let first = stream::once(std::future::ready(first));
                return event_stream(first.chain(answering.events()).map(frame).boxed());
            }
            None if accept.stream => return event_stream(stream::empty().boxed()),
            None => return accepted(),
        }
    }
}

/// Server-sent events, with a comment wherever they are silent for long.
pub(super) fn event_stream(frames: BoxStream<'static, Bytes>) -> Response {
    let kept_alive = stream::unfold(frames, |mut frames| async move {
        let frame = match timeout(KEEP_ALIVE_INTERVAL, frames.next()).await {
            Ok(frame) => frame?,
            Err(_) => Bytes::from_static(sse::KEEP_ALIVE),
        };
        Some((Ok::<_, Infallible>(frame), frames))
    });
    let headers = [
        (CONTENT_TYPE, EVENT_STREAM),
        (CACHE_CONTROL, NOT_STORED),
        NOT_BUFFERED,
    ];
    (headers, Body::from_stream(kept_alive)).into_response()
}

/// The event as a frame of a stream.
pub(super) fn frame(event: Event) -> Bytes {
    sse::event(event.message())
}

/// The HTTP status of an answer: the modern era translates error codes, the legacy one does not.
fn status(era: Era, answer: &Answer) -> StatusCode {
    match (era, answer.error) {
        (Era::Modern, Some(-32601)) => StatusCode::NOT_FOUND,
        (Era::Modern, Some(-32700 | -32600 | -32602 | -32020 | -32021 | -32022)) => {
            StatusCode::BAD_REQUEST
        }
        _ => StatusCode::OK,
    }
}
