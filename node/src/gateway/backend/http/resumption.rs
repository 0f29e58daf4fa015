//! Resumes the stream of an answer that ended before the answer (MCP 2025-11-25, "Resumability and Redelivery").
//!
//! A legacy server that numbers its events may close the stream at any time, and wants to be polled for the rest.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use tokio::time::sleep;

use super::body::{BodyError, ContentKind, EventStream};
use super::session::{Failure, Session};
use crate::gateway::backend::handshake::Ask;
use crate::gateway::call::Era;

/// Before a stream is resumed whose server names no time.
const WAIT_USUAL: Duration = Duration::from_secs(1);
/// Before a stream is resumed, at least: a server that closes every stream at once must not keep us busy.
const WAIT_MIN: Duration = Duration::from_millis(50);

impl Session {
    /// The next message on the stream of an answer. A stream that can be resumed is, for as long as the caller waits.
    pub(super) async fn next_message(&self, stream: &mut EventStream) -> Result<Bytes, Failure> {
        loop {
            let lost = match stream.next().await {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => None,
                Err(error @ BodyError::Lost) => Some(error),
                Err(error @ BodyError::TooLong { .. }) => return Err(self.unread(error)),
            };
            let Some(after) = self.resumable_after(stream) else {
                return Err(lost.map_or_else(|| self.unanswered(), |error| self.unread(error)));
            };
            sleep(stream.retry().unwrap_or(WAIT_USUAL).max(WAIT_MIN)).await;
            let response = self.get(Some(after)).await?;
            let status = response.status();
            if status != StatusCode::OK
                || ContentKind::of(response.headers()) != ContentKind::Events
            {
                return Err(self.down(format!(
                    "it closed the stream before the answer, and does not resume it (HTTP {})",
                    status.as_u16()
                )));
            }
            stream.resume(response);
        }
    }

    fn resumable_after(&self, stream: &EventStream) -> Option<HeaderValue> {
        let id = stream.last_id().filter(|_| self.era() == Era::Legacy)?;
        HeaderValue::from_bytes(id).ok()
    }
}
