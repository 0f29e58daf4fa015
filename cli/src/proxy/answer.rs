//! What comes back for a message: passed on as it is, and an error of the proxy's own where nothing came.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use peerage_node::gateway::backend::http::body::{self, ContentKind, EventStream};
use peerage_node::gateway::mcp::answer::{Answer, Refusal};
use peerage_node::gateway::mcp::envelope::RequestId;
use peerage_protocol::limits::BODY_BYTES_MAX;
use serde::Deserialize;
use serde_json::json;

use super::output::Output;
use crate::client::error::ClientError;
use crate::client::message::Head;

/// The code of errors that the proxy itself reports: the first that JSON-RPC leaves to servers.
const PROXY_ERROR: i64 = -32000;

/// A response, as it can be read.
pub(super) enum Answers {
    /// One message after another.
    Events(EventStream),
    /// One message, or none.
    Whole(Incoming),
}

impl Answers {
    pub(super) fn of(response: Response<Incoming>) -> Self {
        match ContentKind::of(response.headers()) {
            ContentKind::Events => Self::Events(EventStream::new(response)),
            ContentKind::Json | ContentKind::Other => Self::Whole(response.into_body()),
        }
    }
}

/// The requests of one message that are not answered yet.
pub(super) struct Waiting {
    ids: BTreeSet<RequestId>,
}

impl Waiting {
    pub(super) fn of(heads: &[Head]) -> Self {
        let requests = heads.iter().filter(|head| head.is_request());
        Self {
            ids: requests.filter_map(|head| head.id.clone()).collect(),
        }
    }

    /// Passes everything on, in its order; whatever stays unanswered gets an error.
    pub(super) async fn pass_on(&mut self, response: Response<Incoming>, output: &Output) {
        let status = response.status();
        let ended = match Answers::of(response) {
            Answers::Events(events) => self.pass_events(events, output).await,
            Answers::Whole(body) => self.pass_whole(status, body, output).await,
        };
        if let Err(error) = ended {
            self.fail(&error, output).await;
        }
    }

    /// The same for an answer that was read already.
    pub(super) async fn pass_read(
        &mut self,
        read: Result<(StatusCode, Bytes), ClientError>,
        output: &Output,
    ) {
        let passed = match read {
            Ok((status, message)) => self.pass_message(status, message, output).await,
            Err(error) => Err(error),
        };
        if let Err(error) = passed {
            self.fail(&error, output).await;
        }
    }

    /// Answers every request that is left with `error`.
    pub(super) async fn fail(&mut self, error: &ClientError, output: &Output) {
        let refusal = match error {
            ClientError::Rpc { code, message } => Refusal::new(*code, message.clone()),
            error => Refusal {
                code: PROXY_ERROR,
                message: error.to_string(),
                data: Some(json!({"kind": error.kind()}).to_string()),
            },
        };
        for id in std::mem::take(&mut self.ids) {
            let answer = Answer::refusal(Some(&id), &refusal);
            output.send(answer.message).await;
        }
    }

    async fn pass_events(
        &mut self,
        mut events: EventStream,
        output: &Output,
    ) -> Result<(), ClientError> {
        while let Some(message) = events.next().await? {
            self.note(&message);
            output.send(message).await;
        }
        match self.ids.is_empty() {
            true => Ok(()),
            false => Err(ClientError::Lost),
        }
    }

    async fn pass_whole(
        &mut self,
        status: StatusCode,
        body: Incoming,
        output: &Output,
    ) -> Result<(), ClientError> {
        let message = body::whole(body, BODY_BYTES_MAX).await?;
        self.pass_message(status, message, output).await
    }

    async fn pass_message(
        &mut self,
        status: StatusCode,
        message: Bytes,
        output: &Output,
    ) -> Result<(), ClientError> {
        if self.note(&message) || (self.ids.is_empty() && !message.is_empty()) {
            output.send(message.clone()).await;
        }
        match self.ids.is_empty() {
            true => Ok(()),
            false => Err(refused(status, &message)),
        }
    }

    /// Whether `message` answers one of them, or several.
    fn note(&mut self, message: &[u8]) -> bool {
        let heads = Head::of_all(message);
        let answered = heads.iter().filter(|head| head.is_response());
        let mut any = false;
        for id in answered.filter_map(|head| head.id.as_ref()) {
            any |= self.ids.remove(id);
        }
        any
    }
}

/// The endpoint refused the message before it read whose it was: its reason is given under the request's own id.
fn refused(status: StatusCode, message: &[u8]) -> ClientError {
    #[derive(Deserialize)]
    struct Refused {
        error: Reason,
    }
    #[derive(Deserialize)]
    struct Reason {
        code: i64,
        message: String,
    }
    match serde_json::from_slice::<Refused>(message) {
        Ok(Refused { error }) => ClientError::Rpc {
            code: error.code,
            message: error.message,
        },
        Err(error) => ClientError::NotMcp {
            status: status.as_u16(),
            detail: error.to_string(),
        },
    }
}
