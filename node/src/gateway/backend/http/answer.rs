//! From a response to the answer it holds: one JSON message, or the last of a stream of them.

use bytes::Bytes;
use http::Response;
use hyper::body::Incoming as Body;
use peerage_protocol::limits::BODY_BYTES_MAX;

use super::body::{BodyError, ContentKind, EventStream, whole};
use super::session::{Failure, Session};
use crate::gateway::backend::incoming::{Answer, Incoming};
use crate::gateway::call::{CallError, ReplyBody};

/// Bytes of a refusal's body that are read for the error in it.
const REFUSAL_BYTES_MAX: usize = 1024 * 1024;

/// What comes on a stream before the answer.
#[derive(Debug)]
pub(super) enum Aside {
    /// A notification, whole.
    Notification {
        /// Its method.
        method: String,
    },
    /// A request of the server to its client.
    Request {
        /// Its raw id.
        id: String,
        /// Its method.
        method: String,
        /// Its raw params.
        params: Option<Bytes>,
    },
}

impl Session {
    /// Reads the answer to request `id`. Whatever else comes on the stream is given to `aside` with its whole
    /// message; the stream is not read on before that is done.
    pub(super) async fn read_answer<F>(
        &self,
        response: Response<Body>,
        id: u64,
        mut aside: impl FnMut(Aside, Bytes) -> F + Send,
    ) -> Result<ReplyBody, Failure>
    where
        F: Future<Output = ()> + Send,
    {
        let status = response.status();
        if !status.is_success() {
            return self.read_refusal(response).await;
        }
        match ContentKind::of(response.headers()) {
            ContentKind::Json => self.read_json(response, id).await,
            ContentKind::Events => {
                let mut stream = EventStream::new(response);
                loop {
                    let message = self.next_message(&mut stream).await?;
                    match sort(&message, id) {
                        Sorted::Answer(body) => return Ok(body),
                        Sorted::Aside(kind) => aside(kind, message).await,
                        Sorted::Nothing => {}
                    }
                }
            }
            ContentKind::Other => Err(self.down(format!(
                "it answered HTTP {} with neither JSON nor an event stream; is the url right?",
                status.as_u16()
            ))),
        }
    }

    async fn read_json(&self, response: Response<Body>, id: u64) -> Result<ReplyBody, Failure> {
        let body = whole(response.into_body(), BODY_BYTES_MAX).await;
        let body = body.map_err(|error| self.unread(error))?;
        match sort(&body, id) {
            Sorted::Answer(answer) => Ok(answer),
            Sorted::Aside(_) | Sorted::Nothing => {
                Err(self.down("its answer is no answer to the request"))
            }
        }
    }

    /// A JSON-RPC error in the body of a refusal is the answer; otherwise the status is.
    async fn read_refusal(&self, response: Response<Body>) -> Result<ReplyBody, Failure> {
        let status = response.status();
        let body = whole(response.into_body(), REFUSAL_BYTES_MAX).await;
        let body = body.unwrap_or_default();
        match Incoming::read(&body) {
            Ok(Incoming::Answer {
                body: answer @ Answer::Error(_),
                ..
            }) => Ok(answer.cut_from(&body)),
            _ => Err(self.down(format!("it answered with HTTP {}", status.as_u16()))),
        }
    }

    pub(super) fn unread(&self, error: BodyError) -> Failure {
        match error {
            BodyError::TooLong { limit } => Failure::Call(CallError::TooLarge {
                what: format!("the answer of {}", self.server),
                limit,
            }),
            BodyError::Lost => {
                self.suspect.notify_one();
                self.down(error.to_string())
            }
        }
    }

    pub(super) fn unanswered(&self) -> Failure {
        self.suspect.notify_one();
        self.down("it closed the stream before the answer")
    }
}

enum Sorted {
    Answer(ReplyBody),
    Aside(Aside),
    Nothing,
}

fn sort(message: &Bytes, ours: u64) -> Sorted {
    match Incoming::read(message) {
        Ok(Incoming::Answer { id: Some(id), body }) if id == ours => {
            Sorted::Answer(body.cut_from(message))
        }
        Ok(Incoming::Notification { method, .. }) => Sorted::Aside(Aside::Notification {
            method: method.into_owned(),
        }),
        Ok(Incoming::Request { id, method, params }) => Sorted::Aside(Aside::Request {
            id: id.get().to_owned(),
            method: method.into_owned(),
            params: params.map(|raw| message.slice_ref(raw.get().as_bytes())),
        }),
        _ => Sorted::Nothing,
    }
}
