//! One call under way: its notifications as they come, then its answer, never the other way round.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, stream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};

use super::Frontend;
use super::request::Exchange;
use super::service::Service;
use crate::gateway::call::{Call, CallError, Era, NOTIFICATIONS_WAITING_MAX, Notification, Reply};
use crate::gateway::mcp::answer::Answer;
use crate::gateway::mcp::envelope::{self, Request, RequestId};
use crate::gateway::mcp::era::LOG_LEVEL_KEY;
use crate::gateway::mcp::splice::{CacheHint, CacheScope};

/// How long a client of HTTP waits for an answer, progress or not: HTTP requests carry no deadline of their own.
pub const CALL_DEADLINE: Duration = Duration::from_secs(5 * 60);

/// A list may change at any time, and is one caller's.
const LIST_HINT: CacheHint = CacheHint {
    ttl_ms: 0,
    scope: CacheScope::Private,
};

/// Something to tell the client.
#[derive(Debug)]
pub(super) enum Event {
    /// A notification that belongs to the request.
    Notification(Bytes),
    /// Its answer: the last event.
    Answer(Answer),
}

/// A call under way. Dropping it cancels the call.
pub(super) struct Answering {
    id: RequestId,
    era: Era,
    hint: Option<CacheHint>,
    /// Whether log messages may be sent: a modern client must have named a level (2026-07-28, "Logging").
    logs: bool,
    deadline: Instant,
    call: Option<BoxFuture<'static, Result<Reply, CallError>>>,
    notifications: mpsc::Receiver<Notification>,
    answer: Option<Answer>,
    _permit: OwnedSemaphorePermit,
}

impl Answering {
    /// Starts the call, or says why not.
    pub(super) fn begin(
        frontend: &Frontend,
        exchange: &Exchange<'_>,
        era: Era,
        request: Request,
    ) -> Result<Self, Answer> {
        let refused = |error| Answer::refusal(Some(&request.id), &error);
        let via = exchange
            .via
            .clone()
            .map_err(|error| refused((&error).into()))?;
        let permit = frontend.calls.clone().try_acquire_owned().map_err(|_| {
            let what = format!("{} calls are under way at this node", super::CALLS_MAX);
            refused((&CallError::Busy { what }).into())
        })?;
        let deadline = Instant::now() + CALL_DEADLINE;
        let (sender, notifications) = mpsc::channel(NOTIFICATIONS_WAITING_MAX);
        let hint = (&*request.method == "tools/list").then_some(LIST_HINT);
        let logs = era == Era::Legacy || request.params.meta_raw(LOG_LEVEL_KEY).is_some();
        let trace = request.params.meta_str("traceparent");
        let trace = trace.map(|trace| trace.into_owned().into());
        let call = Call {
            caller: exchange.credential.caller.clone(),
            era,
            method: request.method,
            params: request.params,
            deadline,
            via,
            trace,
            notifications: sender,
        };
        Ok(Self {
            id: request.id,
            era,
            hint,
            logs,
            deadline,
            call: Some(in_time(frontend.service.clone(), call).boxed()),
            notifications,
            answer: None,
            _permit: permit,
        })
    }

    /// The request that is being answered.
    pub(super) fn id(&self) -> &RequestId {
        &self.id
    }

    /// When the client stops waiting.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The next event; `None` after the answer. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Event> {
        while let Some(Notification(message)) = self.notification().await {
            if self.logs || !is_log_message(&message) {
                return Some(Event::Notification(message));
            }
        }
        self.answer.take().map(Event::Answer)
    }

    /// All events.
    pub(super) fn events(self) -> impl Stream<Item = Event> + Send + 'static {
        stream::unfold(self, |mut answering| async move {
            answering.next().await.map(|event| (event, answering))
        })
    }

    /// The next notification; `None` when the call has ended and all are out.
    async fn notification(&mut self) -> Option<Notification> {
        while let Some(call) = &mut self.call {
            tokio::select! {
                biased;
                Some(notification) = self.notifications.recv() => return Some(notification),
                reply = call => self.keep(&reply),
            }
        }
        self.notifications.try_recv().ok()
    }

    fn keep(&mut self, reply: &Result<Reply, CallError>) {
        self.call = None;
        self.answer = Some(Answer::reply(&self.id, self.era, reply, self.hint));
    }
}

fn is_log_message(message: &[u8]) -> bool {
    let method = envelope::parse(message).map(|envelope| envelope.method);
    method.is_ok_and(|method| method.as_deref() == Some("notifications/message"))
}

async fn in_time(service: Arc<dyn Service>, call: Call) -> Result<Reply, CallError> {
    let deadline = call.deadline;
    let target = call.params.name().map(|name| name.into_owned());
    let target = target.unwrap_or_else(|| call.method.to_string());
    match timeout_at(deadline, service.call(call)).await {
        Ok(reply) => reply,
        Err(_) => Err(CallError::DeadlineExceeded { target }),
    }
}
