//! Reads the body of a response: whole, or as a stream of events; bounded either way.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use peerage_protocol::limits::BODY_BYTES_MAX;

use crate::gateway::mcp::events::Events;

/// What a response says its body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// One JSON message.
    Json,
    /// A stream of events, one JSON message each.
    Events,
    /// Neither.
    Other,
}

impl ContentKind {
    /// Reads the header.
    pub fn of(headers: &HeaderMap) -> Self {
        let value = headers
            .get(CONTENT_TYPE)
            .map_or(&b""[..], |value| value.as_bytes());
        let kind = value.split(|byte| *byte == b';').next().unwrap_or_default();
        match kind.trim_ascii().to_ascii_lowercase().as_slice() {
            b"application/json" => ContentKind::Json,
            b"text/event-stream" => ContentKind::Events,
            _ => ContentKind::Other,
        }
    }
}

/// Room that is set aside for a body because its headers promise it; more is taken as it comes.
const TRUSTED_LENGTH_MAX: u64 = 1024 * 1024;

/// The whole body, of at most `limit` bytes.
pub async fn whole(body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let promised = body.size_hint().lower().min(TRUSTED_LENGTH_MAX);
    let mut body = body;
    let Some(first) = next_piece(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if body.is_end_stream() && first.len() <= limit {
        return Ok(first);
    }
    let mut all = BytesMut::with_capacity(usize::try_from(promised).unwrap_or(0));
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        if all.len() + bytes.len() > limit {
            return Err(BodyError::TooLong { limit });
        }
        all.extend_from_slice(&bytes);
        piece = next_piece(&mut body).await?;
    }
    Ok(all.freeze())
}

async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyError::Lost)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// The messages of an event stream.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    events: Events,
}

impl EventStream {
    /// Reads the body of `response`.
    pub fn new(response: Response<Incoming>) -> Self {
        Self {
            body: response.into_body(),
            events: Events::new(BODY_BYTES_MAX),
        }
    }

    /// Reads on in the body of `response`, which resumes the stream.
    pub fn resume(&mut self, response: Response<Incoming>) {
        self.body = response.into_body();
        self.events.resume();
    }

    /// The id after which the stream is resumed; `None` where the server gives none.
    pub fn last_id(&self) -> Option<&[u8]> {
        self.events.last_id()
    }

    /// How long the server wants its client to wait before it resumes the stream.
    pub fn retry(&self) -> Option<Duration> {
        self.events.retry()
    }

    /// The data of the next event; `None` once the server has closed the stream.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let event = self.events.next_event();
            match event.map_err(|error| BodyError::TooLong { limit: error.limit })? {
                Some(data) => return Ok(Some(data)),
                None => match next_piece(&mut self.body).await? {
                    Some(piece) => self.events.push(&piece),
                    None => return Ok(None),
                },
            }
        }
    }
}

/// Why a body is not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Over the bound.
    #[error("it answered with more than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: usize,
    },
    /// The connection was lost.
    #[error("the connection was lost during the answer")]
    Lost,
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_content_kind_does_not_depend_on_case_and_parameters() {
        let kind = |value: &'static str| {
            ContentKind::of(&HeaderMap::from_iter([(
                CONTENT_TYPE,
                HeaderValue::from_static(value),
            )]))
        };
        assert_eq!(kind("application/json; charset=utf-8"), ContentKind::Json);
        assert_eq!(kind("Text/Event-Stream"), ContentKind::Events);
        assert_eq!(kind("text/html"), ContentKind::Other);
        assert_eq!(ContentKind::of(&HeaderMap::new()), ContentKind::Other);
    }
}
