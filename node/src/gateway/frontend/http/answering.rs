//! One call under way: what its upstream says as it comes, then its answer, never the other way round.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};

use super::Frontend;
use super::request::Exchange;
use super::service::Service;
use crate::gateway::aside::Aside;
use crate::gateway::call::{
    ASIDES_WAITING_MAX, Call, CallError, Era, Notification, Reply, Replying,
};
use crate::gateway::client::Client;
use crate::gateway::mcp::answer::Answer;
use crate::gateway::mcp::envelope::{self, Request, RequestId};
use crate::gateway::mcp::era::LOG_LEVEL_KEY;
use crate::gateway::mcp::splice::{CacheHint, CacheScope};

/// How long a client of HTTP waits for an answer, progress or not: HTTP requests carry no deadline of their own.
pub const CALL_DEADLINE: Duration = Duration::from_secs(5 * 60);

/// Methods whose results say how long they may be kept (2026-07-28, "Caching").
const HINTED: [&str; 5] = [
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
];

/// A list may change at any time, and is one caller's; so is a resource of which its server says nothing else.
const HINT: CacheHint = CacheHint {
    ttl_ms: 0,
    scope: CacheScope::Private,
};

/// Something to tell the client.
#[derive(Debug)]
pub(super) enum Event {
    /// A notification that belongs to the request, or a request of the upstream that the client is to answer.
    Notification(Bytes),
    /// Its answer: the last event.
    Answer(Answer),
}

impl Event {
    /// The whole JSON-RPC message.
    pub(super) fn message(&self) -> &Bytes {
        match self {
            Self::Notification(message) => message,
            Self::Answer(answer) => &answer.message,
        }
    }
}

/// Makes the message for a request of an upstream, or for one that it takes back; `None` where the client cannot be
/// asked.
pub(super) type Asker = Box<dyn FnMut(Aside) -> Option<Bytes> + Send>;

/// A call under way. Dropping it cancels the call.
pub(super) struct Answering {
    id: RequestId,
    era: Era,
    hint: Option<CacheHint>,
    /// Whether log messages may be sent: a modern client must have named a level (2026-07-28, "Logging").
    logs: bool,
    deadline: Instant,
    call: Option<Replying>,
    asides: mpsc::Receiver<Aside>,
    ask: Option<Asker>,
    answer: Option<Answer>,
    _permit: OwnedSemaphorePermit,
}

impl Answering {
    /// Starts the call, or says why not.
    pub(super) fn begin(
        frontend: &Frontend,
        exchange: &Exchange<'_>,
        era: Era,
        client: Client,
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
        let (sender, asides) = mpsc::channel(ASIDES_WAITING_MAX);
        let hint = HINTED.contains(&&*request.method).then_some(HINT);
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
            client,
            asides: sender,
        };
        Ok(Self {
            id: request.id,
            era,
            hint,
            logs,
            deadline,
            call: Some(in_time(frontend.service.clone(), call)),
            asides,
            ask: None,
            answer: None,
            _permit: permit,
        })
    }

    /// The same call of a client that can be asked.
    pub(super) fn asking(mut self, ask: Asker) -> Self {
        self.ask = Some(ask);
        self
    }

    fn asked(&mut self, aside: Aside) -> Option<Bytes> {
        match (&mut self.ask, aside) {
            (Some(ask), aside) => ask(aside),
            (None, Aside::Request(request)) => {
                request.refuse("this client cannot be asked now");
                None
            }
            (None, _) => None,
        }
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
        while let Some(aside) = self.aside().await {
            match aside {
                Aside::Notification(Notification(message)) => {
                    if self.logs || !is_log_message(&message) {
                        return Some(Event::Notification(message));
                    }
                }
                aside => {
                    if let Some(message) = self.asked(aside) {
                        return Some(Event::Notification(message));
                    }
                }
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

    /// What the upstream says next; `None` when the call has ended and all is out.
    async fn aside(&mut self) -> Option<Aside> {
        while let Some(call) = &mut self.call {
            tokio::select! {
                biased;
                Some(aside) = self.asides.recv() => return Some(aside),
                reply = call => self.keep(&reply),
            }
        }
        self.asides.try_recv().ok()
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

fn in_time(service: Arc<dyn Service>, call: Call) -> Replying {
    let target = call.params.name().map(|name| name.into_owned());
    let target = target.unwrap_or_else(|| call.method.to_string());
    let replying = timeout_at(call.deadline, service.call(call));
    Box::pin(async move {
        let late = |_| Err(CallError::DeadlineExceeded { target });
        replying.await.unwrap_or_else(late)
    })
}
