//! The legacy sessions: bound to their callers' tokens, bounded in number, forgotten when idle for long.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::refusal::HttpRefusal;
use super::replay::{EventId, Numbered, Resumed, Streams, Writer};
use super::service::Credential;
use crate::gateway::aside::Aside;
use crate::gateway::mcp::envelope::{Incoming, RequestId};
use crate::gateway::mcp::era::{LegacyVersion, RoutingHeaders};
use crate::gateway::mcp::session::{Loss, Output, Session};

/// Sessions that may be open at a time; the one longest unused makes room, if any is idle.
pub const SESSIONS_MAX: usize = 4_096;
/// How long a session lives without a request, a call or a stream.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// How often the idle ones are looked for; a session found idle by its client is refused at once all the same.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// All sessions of one node.
pub(super) struct Sessions {
    table: Mutex<Table>,
}

struct Table {
    sessions: HashMap<Box<str>, Arc<LegacySession>>,
    next_sweep: Instant,
}

/// One session.
pub(super) struct LegacySession {
    credential: Credential,
    version: LegacyVersion,
    state: Mutex<State>,
    /// The number of the stream that is current; each new one closes the one before.
    stream: watch::Sender<u64>,
    /// What the client is told outside of its calls; the current stream holds it.
    unasked: Arc<tokio::sync::Mutex<Option<mpsc::Receiver<Aside>>>>,
}

struct State {
    engine: Session,
    streams: Streams,
    calls: BTreeMap<RequestId, AbortHandle>,
    open_streams: usize,
    last_used: Instant,
}

/// A session's stream; the session is not idle while it is open.
pub(super) struct OpenStream {
    talking: Talking,
    closing: Closing,
}

/// Learns when a stream is to end.
pub(super) struct Closing {
    number: u64,
    current: watch::Receiver<u64>,
}

/// Learns what the client is to be told on its stream.
struct Talking {
    session: Arc<LegacySession>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        let table = Table {
            sessions: HashMap::new(),
            next_sweep: Instant::now() + SWEEP_INTERVAL,
        };
        Self {
            table: Mutex::new(table),
        }
    }

    /// Takes in a session that `credential` has just initialized, and names it.
    pub(super) fn open(
        &self,
        credential: Credential,
        version: LegacyVersion,
        mut engine: Session,
    ) -> Result<Box<str>, HttpRefusal> {
        let id = random_id()?;
        let unasked = Arc::new(tokio::sync::Mutex::new(engine.take_unasked()));
        let now = Instant::now();
        let state = State {
            engine,
            streams: Streams::default(),
            calls: BTreeMap::new(),
            open_streams: 0,
            last_used: now,
        };
        let session = LegacySession {
            credential,
            version,
            state: Mutex::new(state),
            stream: watch::Sender::new(0),
            unasked,
        };
        let mut table = lock(&self.table);
        table.make_room(now)?;
        table.sessions.insert(id.clone(), Arc::new(session));
        Ok(id)
    }

    /// The session `id`, if it was opened with `credential` and is alive.
    pub(super) fn find(
        &self,
        id: &str,
        credential: &Credential,
    ) -> Result<Arc<LegacySession>, HttpRefusal> {
        let mut table = lock(&self.table);
        let session = table.sessions.get(id).ok_or(HttpRefusal::SessionUnknown)?;
        if session.credential != *credential {
            return Err(HttpRefusal::SessionUnknown);
        }
        let now = Instant::now();
        if session.is_expired(now) {
            table.sessions.remove(id);
            return Err(HttpRefusal::SessionUnknown);
        }
        lock(&session.state).last_used = now;
        Ok(session.clone())
    }

    /// Ends the session `id` and all its calls.
    pub(super) fn close(&self, id: &str, credential: &Credential) -> Result<(), HttpRefusal> {
        let session = self.find(id, credential)?;
        lock(&self.table).sessions.remove(id);
        session.end();
        Ok(())
    }
}

impl Table {
    fn make_room(&mut self, now: Instant) -> Result<(), HttpRefusal> {
        if now >= self.next_sweep || self.sessions.len() >= SESSIONS_MAX {
            self.sessions.retain(|_, session| !session.is_expired(now));
            self.next_sweep = now + SWEEP_INTERVAL;
        }
        if self.sessions.len() < SESSIONS_MAX {
            return Ok(());
        }
        let idle = self
            .sessions
            .iter()
            .filter_map(|(id, session)| Some((session.idle_since()?, id)));
        let oldest = idle.min().map(|(_, id)| id.clone());
        let id = oldest.ok_or(HttpRefusal::SessionsFull)?;
        self.sessions.remove(&id);
        Ok(())
    }
}

impl LegacySession {
    /// The version that `initialize` settled.
    pub(super) fn version(&self) -> LegacyVersion {
        self.version
    }

    /// Hears the client; a cancelled call is stopped here.
    pub(super) fn message(&self, incoming: Incoming, headers: &RoutingHeaders<'_>) -> Output {
        let mut state = lock(&self.state);
        let output = state.engine.message(incoming, Some(headers));
        if let Output::Cancel(id) = &output {
            state.abort(id);
        }
        output
    }

    /// The message for something that an upstream says during the call `call`, or outside of any.
    pub(super) fn told(&self, call: Option<&RequestId>, aside: Aside) -> Option<Bytes> {
        lock(&self.state).engine.told(call, aside)
    }

    /// Starts the task that answers `id`; `start` must not block.
    pub(super) fn run(&self, id: &RequestId, start: impl FnOnce() -> AbortHandle) {
        // The lock is held while the task starts, so that it cannot end before it is entered.
        let mut state = lock(&self.state);
        let task = start();
        state.calls.insert(id.clone(), task);
    }

    /// Begins the stream of one response, whose events count against `room`.
    pub(super) fn begin_stream(&self, room: &Arc<Semaphore>) -> (Writer, mpsc::Receiver<Numbered>) {
        lock(&self.state).streams.begin(room)
    }

    /// Takes a response up again after the event `id`; `None` when its events are not kept.
    pub(super) fn resume(&self, id: EventId) -> Option<Resumed> {
        lock(&self.state).streams.resume(id)
    }

    /// The call `id` has ended; false when it was cancelled before.
    pub(super) fn answered(&self, id: &RequestId) -> bool {
        let mut state = lock(&self.state);
        state.last_used = Instant::now();
        state.calls.remove(id);
        state.engine.answered(id)
    }

    /// The response that would carry the answer to `id` is gone; false when the call is to stop.
    pub(super) fn goes_on_without_stream(&self, id: &RequestId) -> bool {
        matches!(lock(&self.state).engine.stream_lost(id), Loss::Resume)
    }

    /// Opens the session's stream, and closes the one before.
    pub(super) fn open_stream(self: &Arc<Self>) -> OpenStream {
        let mut state = lock(&self.state);
        state.open_streams += 1;
        self.stream.send_modify(|number| *number += 1);
        let mut current = self.stream.subscribe();
        let number = *current.borrow_and_update();
        OpenStream {
            talking: Talking {
                session: self.clone(),
            },
            closing: Closing { number, current },
        }
    }

    fn end(&self) {
        let mut state = lock(&self.state);
        for id in state.engine.end() {
            state.abort(&id);
        }
        self.stream.send_modify(|number| *number += 1);
    }

    fn idle_since(&self) -> Option<Instant> {
        let state = lock(&self.state);
        (state.engine.is_idle() && state.open_streams == 0).then_some(state.last_used)
    }

    fn is_expired(&self, now: Instant) -> bool {
        let idle_since = self.idle_since();
        idle_since.is_some_and(|since| now.saturating_duration_since(since) >= SESSION_IDLE_MAX)
    }
}

impl State {
    fn abort(&mut self, id: &RequestId) {
        if let Some(task) = self.calls.remove(id) {
            task.abort();
        }
    }
}

impl OpenStream {
    /// The end of the stream, and what the client is to be told on it.
    pub(super) fn split(self) -> (Closing, BoxStream<'static, Bytes>) {
        let messages = stream::unfold(self.talking, |talking| async move {
            Some((talking.unasked().await, talking))
        });
        (self.closing, messages.boxed())
    }
}

impl Talking {
    /// The next message for the client outside of its calls; for ever, where there is none. Waits until the stream
    /// before this one has ended. Cancel-safe.
    async fn unasked(&self) -> Bytes {
        let mut told = self.session.unasked.lock().await;
        while let Some(unasked) = told.as_mut() {
            match unasked.recv().await {
                Some(aside) => {
                    if let Some(message) = self.session.told(None, aside) {
                        return message;
                    }
                }
                None => *told = None,
            }
        }
        drop(told);
        std::future::pending().await
    }
}

impl Closing {
    /// Waits until the session ends or opens another stream.
    pub(super) async fn closed(&mut self) {
        let number = self.number;
        // The session, which this holds, owns the sender: it cannot be gone.
        let _ = self.current.wait_for(|current| *current != number).await;
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        let mut state = lock(&self.session.state);
        state.open_streams -= 1;
        state.last_used = Instant::now();
    }
}

/// A panic elsewhere leaves these tables whole: every change to them is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 192 random bits, in visible ASCII as the specification demands.
pub(super) fn random_id() -> Result<Box<str>, HttpRefusal> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|_| HttpRefusal::NoRandomness)?;
    Ok(data_encoding::BASE64URL_NOPAD.encode(&bytes).into())
}
