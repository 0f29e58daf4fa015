//! What waits to be written to a child: requests in one lane, small messages before them in another.
//!
//! A child that reads slowly holds up requests, whose callers wait and may give up; it must not lose the word that
//! they did. A request that was given up before it was written is not written at all.

use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::pending::Pending;
use crate::gateway::backend::desk::IN_FLIGHT_MAX;
use crate::gateway::backend::outgoing::Outgoing;

/// Requests that wait for the child to read them; who comes later waits before the queue.
const REQUESTS_MAX: usize = 64;
/// Small messages that wait: one cancellation for every call that may be in flight.
const NOTES_MAX: usize = IN_FLIGHT_MAX;
/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 64 * 1024;

/// The end into which messages are put.
#[derive(Debug)]
pub(super) struct Outbox {
    requests: mpsc::Sender<(u64, Outgoing)>,
    notes: mpsc::Sender<Outgoing>,
}

/// The end from which they are written.
#[derive(Debug)]
pub(super) struct Outflow {
    requests: mpsc::Receiver<(u64, Outgoing)>,
    notes: mpsc::Receiver<Outgoing>,
}

/// The child reads no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed;

/// Both ends.
pub(super) fn outbox() -> (Outbox, Outflow) {
    let (put_requests, requests) = mpsc::channel(REQUESTS_MAX);
    let (put_notes, notes) = mpsc::channel(NOTES_MAX);
    let outbox = Outbox {
        requests: put_requests,
        notes: put_notes,
    };
    (outbox, Outflow { requests, notes })
}

impl Outbox {
    /// Puts in request `id`, once there is room.
    pub(super) async fn request(&self, id: u64, message: Outgoing) -> Result<(), Closed> {
        let put = self.requests.send((id, message)).await;
        put.map_err(|_| Closed)
    }

    /// Puts in a response to the child, once there is room; one to a child that reads no more is lost with it.
    pub(super) async fn respond(&self, message: Outgoing) {
        let _ = self.notes.send(message).await;
    }

    /// Puts in a small message; whether there was room.
    pub(super) fn note(&self, message: Outgoing) -> bool {
        self.notes.try_send(message).is_ok()
    }
}

impl Outflow {
    /// Writes to `stdin` until it is closed, or nothing can come any more.
    pub(super) async fn write_to(
        mut self,
        stdin: impl AsyncWrite + Unpin,
        pending: &Pending,
    ) -> std::io::Result<()> {
        let mut stdin = BufWriter::with_capacity(WRITE_BYTES, stdin);
        while let Some(next) = self.next().await {
            next.write_to(&mut stdin, pending).await?;
            while let Some(next) = self.next_ready() {
                next.write_to(&mut stdin, pending).await?;
            }
            stdin.flush().await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Option<Next> {
        tokio::select! {
            biased;
            Some(note) = self.notes.recv() => Some(Next::Note(note)),
            Some(request) = self.requests.recv() => Some(Next::Request(request)),
            else => None,
        }
    }

    fn next_ready(&mut self) -> Option<Next> {
        match self.notes.try_recv() {
            Ok(note) => Some(Next::Note(note)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                self.requests.try_recv().ok().map(Next::Request)
            }
        }
    }
}

enum Next {
    Note(Outgoing),
    Request((u64, Outgoing)),
}

impl Next {
    async fn write_to(
        self,
        stdin: &mut (impl AsyncWrite + Unpin),
        pending: &Pending,
    ) -> std::io::Result<()> {
        let message = match self {
            Next::Note(note) => note,
            Next::Request((id, _)) if !pending.waits(id) => return Ok(()),
            Next::Request((_, request)) => request,
        };
        stdin.write_all(&message.head).await?;
        stdin.write_all(&message.raw).await?;
        stdin.write_all(Outgoing::TAIL).await?;
        stdin.write_all(b"\n").await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn notes_go_first_and_what_nobody_waits_for_is_not_written() {
        let pending = Pending::default();
        let (outbox, outflow) = outbox();
        let (given_up, _answer) = pending.enter(None).unwrap();
        let (waiting, _answer) = pending.enter(None).unwrap();
        let request = |id| Outgoing::request(id, "ping", Bytes::from_static(b"{}"));
        outbox.request(given_up, request(given_up)).await.unwrap();
        outbox.request(waiting, request(waiting)).await.unwrap();
        pending.forget(given_up);
        assert!(outbox.note(Outgoing::cancelled(given_up)));
        drop(outbox);
        let mut written = Vec::new();
        outflow.write_to(&mut written, &pending).await.unwrap();
        assert_eq!(
            String::from_utf8(written).unwrap(),
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n\
             {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\",\"params\":{}}\n"
        );
    }
}
