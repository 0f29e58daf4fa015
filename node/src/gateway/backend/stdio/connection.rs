//! One connection to a child process: many requests at once over one pair of pipes.
//!
//! A reader task brings messages to those who wait, in the order in which they came; it waits for nobody. A writer
//! task is the only one to write.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use peerage_protocol::id::ServerName;
use peerage_protocol::limits::BODY_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::lines::{LineError, Lines, LongLine};
use super::outbox::{Closed, Outbox, Outflow, outbox};
use super::pending::{Caller, Outcome, Pending};
use super::requests::ASKING_MAX;
use crate::gateway::backend::announcements::Announcements;
use crate::gateway::backend::client_news::{Audience, ClientNews};
use crate::gateway::backend::followed::Followed;
use crate::gateway::backend::greeting::{
    ServerCapabilities, with_modern_meta, without_modern_meta,
};
use crate::gateway::backend::handshake::Ask;
use crate::gateway::backend::incoming::{Incoming, NotAMessage};
use crate::gateway::backend::open_requests::OpenRequests;
use crate::gateway::backend::origin::Origin;
use crate::gateway::backend::outgoing::{Outgoing, on_one_line};
use crate::gateway::backend::spoiled::spoiled_answer;
use crate::gateway::call::{Call, CallError, Era, Reply};

/// The two pipes of a child, and everything that waits on them.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) server: ServerName,
    era: OnceLock<Era>,
    pub(super) outbox: Outbox,
    pub(super) pending: Pending,
    capabilities: OnceLock<ServerCapabilities>,
    pub(super) announcements: Announcements,
    pub(super) followed: Followed,
    garbage: AtomicU64,
    /// Requests that were refused because several callers could be meant.
    pub(super) ambiguous: AtomicU64,
    pub(super) asking: Arc<Semaphore>,
    pub(super) open_requests: OpenRequests,
    pub(super) client_news: ClientNews,
    /// Stops both tasks.
    pub(super) stop: CancellationToken,
    /// The reader has ended, and why.
    read_out: CancellationToken,
    break_reason: Mutex<Option<Break>>,
}

/// Why a connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Break {
    /// The child reads no more.
    #[error("its standard input is closed: {0}")]
    Input(std::io::ErrorKind),
    /// What the child writes cannot be read.
    #[error(transparent)]
    Output(LineError),
}

impl Connection {
    /// Starts the reader and the writer.
    pub(crate) fn open(
        server: ServerName,
        stdin: impl AsyncWrite + Send + Unpin + 'static,
        stdout: impl AsyncRead + Send + Unpin + 'static,
    ) -> Arc<Self> {
        let (outbox, outflow) = outbox();
        let connection = Arc::new(Self {
            server,
            era: OnceLock::new(),
            outbox,
            pending: Pending::default(),
            capabilities: OnceLock::new(),
            announcements: Announcements::default(),
            followed: Followed::default(),
            garbage: AtomicU64::new(0),
            ambiguous: AtomicU64::new(0),
            asking: Arc::new(Semaphore::new(ASKING_MAX)),
            open_requests: OpenRequests::default(),
            client_news: ClientNews::new(Audience::Many),
            stop: CancellationToken::new(),
            read_out: CancellationToken::new(),
            break_reason: Mutex::new(None),
        });
        tokio::spawn(Arc::clone(&connection).write_until_stopped(outflow, stdin));
        tokio::spawn(Arc::clone(&connection).read_until_stopped(stdout));
        connection
    }

    /// Fixes the era in which calls are passed on.
    pub(crate) fn settle_era(&self, era: Era) {
        let _ = self.era.set(era);
    }

    /// Keeps what the child says it can do.
    pub(crate) fn keep_capabilities(&self, capabilities: ServerCapabilities) {
        let _ = self.capabilities.set(capabilities);
    }

    /// The changes of its lists that the child announces.
    pub(crate) fn announcements(&self) -> &Announcements {
        &self.announcements
    }

    /// The resources of the child that somebody follows.
    pub(crate) fn followed(&self) -> &Followed {
        &self.followed
    }

    /// Waits until the child's output has ended; why, unless it simply ended.
    pub(crate) async fn broken(&self) -> Option<Break> {
        self.read_out.cancelled().await;
        let reason = self.break_reason.lock();
        *reason.unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the child's standard input; whoever waits gets `error`.
    pub(crate) fn close(&self, error: &CallError) {
        self.pending.close(error);
        self.stop.cancel();
    }

    /// Passes a call on and waits for its answer. Dropping the future cancels the call at the child. It keeps what has to
    /// be sent, not the call.
    pub(crate) fn call(
        self: Arc<Self>,
        call: Call,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let era = self.era();
        let level = self.hear_client(&call);
        let connection = level.map(|_| Arc::clone(&self));
        let prepared = self.prepare(call);
        async move {
            let (mut request, message) = prepared?;
            if let Some((connection, level)) = connection.zip(level) {
                Box::pin(connection.set_level(level)).await;
            }
            request.put(message).await?;
            let body = request.answer().await?;
            Ok(Reply { era, body })
        }
    }

    /// Enters a call; its request, and the message that makes it.
    fn prepare(
        self: Arc<Self>,
        mut call: Call,
    ) -> Result<(Request<Arc<Self>>, Outgoing), CallError> {
        let token = call.params.progress_token().map(Bytes::copy_from_slice);
        let remap = token.is_some();
        let caller = Caller {
            origin: Origin::of(&call, call.params.raw()),
            token,
        };
        let (id, answered) = self.pending.enter(Some(caller))?;
        if remap {
            call.params.set_progress_token(id.to_string().as_bytes());
        }
        let params = match (self.era(), call.era) {
            (Era::Modern, Era::Legacy) => with_modern_meta(call.params.to_bytes(), &call.client),
            (Era::Legacy, Era::Modern) => without_modern_meta(&call.params.to_bytes()),
            _ => call.params.to_bytes(),
        };
        let message = Outgoing::request(id, &call.method, on_one_line(params));
        Ok((Request::new(self, id, answered), message))
    }

    /// Tells something of our own, before any request that is made later.
    pub(crate) fn tell(&self, method: &str, params: Bytes) -> Result<(), CallError> {
        match self.outbox.note(Outgoing::notification(method, params)) {
            true => Ok(()),
            false => Err(self.lost()),
        }
    }

    fn lost(&self) -> CallError {
        CallError::UpstreamDown {
            server: self.server.to_string(),
            why: "it closed its standard input".to_owned(),
        }
    }

    async fn read_until_stopped(self: Arc<Self>, stdout: impl AsyncRead + Unpin) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.clone().read_all(stdout) => {}
        }
        self.read_out.cancel();
    }

    async fn write_until_stopped(
        self: Arc<Self>,
        outflow: Outflow,
        stdin: impl AsyncWrite + Unpin,
    ) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            result = outflow.write_to(stdin, &self.pending) => self.note_written_out(result),
        }
    }

    /// A child that no longer reads is of no use, whether or not it still writes.
    fn note_written_out(&self, result: std::io::Result<()>) {
        if let Err(error) = result {
            self.note_break(Break::Input(error.kind()));
            self.read_out.cancel();
        }
    }

    async fn read_all(self: Arc<Self>, stdout: impl AsyncRead + Unpin) {
        let mut lines = Lines::new(stdout, BODY_BYTES_MAX, LongLine::Refuse);
        loop {
            match lines.next().await {
                Ok(Some(line)) => self.take(&line),
                Ok(None) => return,
                Err(error) => return self.note_break(Break::Output(error)),
            }
        }
    }

    fn note_break(&self, reason: Break) {
        let mut noted = self
            .break_reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *noted = Some(reason);
    }

    fn take(self: &Arc<Self>, line: &Bytes) {
        match Incoming::read(line) {
            Ok(Incoming::Answer { id: Some(id), body }) => {
                if !self.pending.settle(id, Ok(body.cut_from(line))) {
                    tracing::debug!(target: "upstream", server = %self.server, id, "a late answer");
                }
            }
            Ok(Incoming::Answer { id: None, .. }) => self.note_garbage("an answer to no request"),
            Ok(Incoming::Request { id, method, params }) => {
                let params = params.map(|raw| line.slice_ref(raw.get().as_bytes()));
                self.take_request(id.get(), &method, params);
            }
            Ok(Incoming::Notification { method, .. }) => self.take_notification(&method, line),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(error) => self.take_unreadable(line, error),
        }
    }

    /// Whoever waits for an answer that cannot be read is told so at once: no other will come.
    fn take_unreadable(&self, line: &Bytes, error: NotAMessage) {
        if let Some(id) = spoiled_answer(line) {
            self.pending.settle(id, Err(self.unreadable(error)));
        }
        self.note_garbage(&error.to_string());
    }

    fn unreadable(&self, error: NotAMessage) -> CallError {
        CallError::UpstreamDown {
            server: self.server.to_string(),
            why: format!("its answer cannot be read: {error}"),
        }
    }

    /// Sends what the child can do without, unless it has not read for long.
    pub(super) fn note(&self, message: Outgoing) {
        if !self.outbox.note(message) {
            tracing::debug!(target: "upstream", server = %self.server, "it does not read its input");
        }
    }

    fn note_garbage(&self, what: &str) {
        let count = self.garbage.fetch_add(1, Ordering::Relaxed);
        let count = count + 1;
        if is_power_of_ten(count) {
            tracing::warn!(target: "upstream", server = %self.server, count, "skipped output: {what}");
        }
    }
}

/// Garbage is logged ever more rarely: a child that prints nothing else must not fill the disk.
pub(super) fn is_power_of_ten(count: u64) -> bool {
    count == 10_u64.pow(count.max(1).ilog10())
}

impl Ask for Connection {
    fn server(&self) -> &ServerName {
        &self.server
    }

    /// Legacy until it is settled.
    fn era(&self) -> Era {
        self.era.get().copied().unwrap_or(Era::Legacy)
    }

    fn capabilities(&self) -> ServerCapabilities {
        self.capabilities.get().copied().unwrap_or_default()
    }

    async fn ask(&self, method: &str, params: Bytes) -> Outcome {
        let (id, answered) = self.pending.enter(None)?;
        let mut request = Request::new(self, id, answered);
        request
            .put(Outgoing::request(id, method, on_one_line(params)))
            .await?;
        request.answer().await
    }
}

/// One request to the child; dropped unanswered, it is cancelled there and forgotten here.
struct Request<C: Deref<Target = Connection>> {
    connection: C,
    id: u64,
    answered: oneshot::Receiver<Outcome>,
    sent: bool,
}

impl<C: Deref<Target = Connection>> Request<C> {
    fn new(connection: C, id: u64, answered: oneshot::Receiver<Outcome>) -> Self {
        Self {
            connection,
            id,
            answered,
            sent: false,
        }
    }

    async fn put(&mut self, message: Outgoing) -> Result<(), CallError> {
        let put = self.connection.outbox.request(self.id, message).await;
        put.map_err(|Closed| self.connection.lost())?;
        self.sent = true;
        Ok(())
    }

    async fn answer(&mut self) -> Outcome {
        let answered = (&mut self.answered).await;
        answered.unwrap_or_else(|_| Err(self.connection.lost()))
    }
}

impl<C: Deref<Target = Connection>> Drop for Request<C> {
    fn drop(&mut self) {
        if self.connection.pending.forget(self.id) && self.sent {
            self.connection.note(Outgoing::cancelled(self.id));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;
    use tokio::io::{AsyncBufReadExt, BufReader, duplex};

    use super::*;
    use crate::gateway::backend::test_upstream::{call, until};

    #[tokio::test]
    async fn two_hundred_calls_given_up_leave_nothing_behind_and_are_all_cancelled() {
        let (stdin, childs_stdin) = duplex(1024);
        let (stdout, _childs_stdout) = duplex(1024);
        let connection = Connection::open("x".parse().unwrap(), stdin, stdout);
        let mut heard = BufReader::new(childs_stdin).lines();
        let calls: Vec<_> = (0..200)
            .map(|_| {
                let connection = Arc::clone(&connection);
                tokio::spawn(async move { connection.call(call("sleep", json!({})).0).await })
            })
            .collect();
        for _ in 0..200 {
            assert!(
                heard
                    .next_line()
                    .await
                    .unwrap()
                    .unwrap()
                    .contains("tools/call")
            );
        }
        assert_eq!(connection.pending.len(), 200);
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        until(|| connection.pending.len() == 0).await;
        for _ in 0..200 {
            assert!(
                heard
                    .next_line()
                    .await
                    .unwrap()
                    .unwrap()
                    .contains("cancelled")
            );
        }
    }
}
