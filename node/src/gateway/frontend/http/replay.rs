//! Streams that a legacy client can take up again where it lost them (`Last-Event-ID`; 2025-11-25, "Resumability and
//! Redelivery").
//!
//! Each response that became a stream has a number in its session, and each of its events a number in the stream; the
//! id of an event is both. Events are kept within bounds; what is no longer kept cannot be taken up again.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use futures::future::ready;
use futures::stream::{self, BoxStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::answering::Event;
use crate::gateway::mcp::sse;

/// Streams of one session whose events are kept.
const STREAMS_KEPT_MAX: usize = 64;
/// Events kept of one stream.
const EVENTS_KEPT_MAX: usize = 256;
/// Bytes of kept events of all sessions, whole KiB each.
pub(super) const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Events of one stream that may wait for its client to read.
const EVENTS_WAITING_MAX: usize = 16;
/// What one permit of the budget stands for.
const PERMIT: usize = 1024;

/// The stream of a session itself, which GET opens.
pub(super) const SESSION_STREAM: u64 = 0;

/// Which event of which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventId {
    /// The stream; [`SESSION_STREAM`], or one response's.
    pub(super) stream: u64,
    /// The event; 0 is the one before all others.
    pub(super) event: u64,
}

/// The streams of one session, oldest first.
#[derive(Default)]
pub(super) struct Streams {
    last: u64,
    kept: BTreeMap<u64, Arc<ReplayableStream>>,
}

/// The response to one request, as far as it went over a stream.
pub(super) struct ReplayableStream {
    number: u64,
    state: Mutex<State>,
}

struct State {
    /// Whether the response is a stream at all: most are one answer, and need no keeping.
    streaming: bool,
    next: u64,
    kept: VecDeque<Kept>,
    client: Option<Client>,
}

/// Who reads the stream now.
#[derive(Clone)]
struct Client {
    events: mpsc::Sender<Numbered>,
    /// Another reads instead: this one is waited for no longer.
    replaced: CancellationToken,
}

struct Kept {
    number: u64,
    message: Bytes,
    _permit: OwnedSemaphorePermit,
}

/// An event and its number in its stream, counted from 1.
pub(super) type Numbered = (u64, Event);

/// What writes to a stream; dropped, it ends it.
pub(super) struct Writer {
    stream: Arc<ReplayableStream>,
    room: Arc<Semaphore>,
}

/// What a client reads that takes a stream up again: first what it missed, then what is new.
pub(super) struct Resumed {
    /// The number of the stream.
    pub(super) stream: u64,
    /// Events that are kept, in order.
    pub(super) missed: Vec<(u64, Bytes)>,
    /// Events that come; those that were missed may come again.
    pub(super) coming: mpsc::Receiver<Numbered>,
}

impl Streams {
    /// Begins a stream for one response; its oldest predecessor makes room.
    pub(super) fn begin(&mut self, room: &Arc<Semaphore>) -> (Writer, mpsc::Receiver<Numbered>) {
        let (client, coming) = Client::new();
        self.last += 1;
        let state = State {
            streaming: false,
            next: 1,
            kept: VecDeque::new(),
            client: Some(client),
        };
        let stream = Arc::new(ReplayableStream {
            number: self.last,
            state: Mutex::new(state),
        });
        self.kept.insert(self.last, stream.clone());
        while self.kept.len() > STREAMS_KEPT_MAX {
            self.kept.pop_first();
        }
        let room = room.clone();
        (Writer { stream, room }, coming)
    }

    /// Takes a stream up after the event `id`; `None` when that, or what follows it, is not kept.
    pub(super) fn resume(&self, id: EventId) -> Option<Resumed> {
        self.kept.get(&id.stream)?.resume(id.event)
    }
}

impl Resumed {
    /// What the client gets: nothing twice, nothing left out.
    pub(super) fn frames(self) -> BoxStream<'static, Bytes> {
        let stream = self.stream;
        let frame =
            move |event, message: &Bytes| sse::event_with_id(EventId { stream, event }, message);
        let last_missed = self.missed.last().map_or(0, |(number, _)| *number);
        let missed = stream::iter(self.missed);
        let coming = stream::unfold(self.coming, |mut coming| async move {
            coming.recv().await.map(|event| (event, coming))
        });
        let new = coming.filter(move |(number, _)| ready(*number > last_missed));
        let missed = missed.map(move |(number, message)| frame(number, &message));
        let new = new.map(move |(number, event)| frame(number, event.message()));
        missed.chain(new).boxed()
    }
}

impl ReplayableStream {
    fn resume(&self, after: u64) -> Option<Resumed> {
        let mut state = self.state();
        let first_kept = state.kept.front().map_or(state.next, |kept| kept.number);
        if !state.streaming || after >= state.next || after + 1 < first_kept {
            return None;
        }
        let missed = state.kept.iter().filter(|kept| kept.number > after);
        let missed = missed
            .map(|kept| (kept.number, kept.message.clone()))
            .collect();
        let (client, coming) = Client::new();
        // A stream that has ended has no client any more, and this one hears the end at once.
        if let Some(former) = &mut state.client {
            former.replaced.cancel();
            *former = client;
        }
        Some(Resumed {
            stream: self.number,
            missed,
            coming,
        })
    }

    /// A panic elsewhere leaves the state whole: every change to it is one step.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    fn new() -> (Self, mpsc::Receiver<Numbered>) {
        let (events, coming) = mpsc::channel(EVENTS_WAITING_MAX);
        let replaced = CancellationToken::new();
        (Self { events, replaced }, coming)
    }
}

impl Writer {
    /// The stream's number in its session.
    pub(super) fn stream(&self) -> Arc<ReplayableStream> {
        self.stream.clone()
    }

    /// Sends an event to whoever reads now, and keeps it if the response is a stream; false when nobody reads.
    pub(super) async fn send(&self, event: Event) -> bool {
        let (number, client) = {
            let mut state = self.stream.state();
            let number = state.next;
            state.next += 1;
            // An answer that comes first, and soon, is sent by itself and not as a stream.
            if state.streaming || number > 1 || matches!(event, Event::Notification(_)) {
                state.keep(number, event.message().clone(), &self.room);
            }
            (number, state.client.clone())
        };
        let Some(client) = client else {
            return false;
        };
        tokio::select! {
            sent = client.events.send((number, event)) => sent.is_ok(),
            () = client.replaced.cancelled() => true,
        }
    }
}

impl ReplayableStream {
    /// The response has become a stream: from now on everything is kept. Gives the stream's number.
    pub(super) fn begin_streaming(&self) -> u64 {
        self.state().streaming = true;
        self.number
    }
}

impl State {
    /// Without room for it, the stream cannot be taken up before this event any more.
    fn keep(&mut self, number: u64, message: Bytes, room: &Arc<Semaphore>) {
        if self.kept.len() >= EVENTS_KEPT_MAX {
            self.kept.pop_front();
        }
        let permits = u32::try_from(message.len().div_ceil(PERMIT)).unwrap_or(u32::MAX);
        match room.clone().try_acquire_many_owned(permits) {
            Ok(permit) => self.kept.push_back(Kept {
                number,
                message,
                _permit: permit,
            }),
            Err(_) => self.kept.clear(),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stream.state().client = None;
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream, self.event)
    }
}

impl FromStr for EventId {
    type Err = NotAnEventId;

    fn from_str(text: &str) -> Result<Self, NotAnEventId> {
        let (stream, event) = text.split_once('-').ok_or(NotAnEventId)?;
        Ok(Self {
            stream: stream.parse().map_err(|_| NotAnEventId)?,
            event: event.parse().map_err(|_| NotAnEventId)?,
        })
    }
}

/// Text that is no id of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id that this node gave to an event")]
pub(super) struct NotAnEventId;
