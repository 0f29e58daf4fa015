//! The answering end of a substream: hears the question, then writes what precedes the answer, and the answer with
//! its END.
//!
//! The asking end keeps its half open while it waits. A CANCEL frame, any other frame, or the end of that half before
//! the answer drops what is in progress.

use std::pin::pin;
use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use peerage_protocol::wire::frame::{Frame, FrameKind};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::framed::{FrameReader, FrameWriter, ReadError, WriteError, split};
use crate::gateway::call::{NOTIFICATIONS_WAITING_MAX, Notification};

/// How long a refusal may take to be written.
const REFUSAL_DEADLINE: Duration = Duration::from_secs(5);

/// A substream that a peer opened.
pub struct Answering<S> {
    reader: FrameReader<ReadHalf<S>>,
    writer: FrameWriter<WriteHalf<S>>,
}

impl<S: AsyncRead + AsyncWrite> Answering<S> {
    /// Answers on `stream`.
    pub fn new(stream: S) -> Self {
        let (reader, writer) = split(stream);
        Self { reader, writer }
    }

    /// The next frame of the question, until `deadline`.
    pub async fn hear(&mut self, deadline: Instant) -> Result<Frame, HearError> {
        match timeout_at(deadline, self.reader.read_frame()).await {
            Ok(Ok(frame)) => frame.ok_or(HearError::Ended),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(HearError::Silent),
        }
    }

    /// Answers with what `answer` comes to, after its notifications; gives up when the caller does, or at `end`.
    pub async fn serve(
        &mut self,
        answer: impl Future<Output = Vec<Frame>>,
        notifications: mpsc::Receiver<Notification>,
        end: Instant,
    ) {
        let written = write_answer(&mut self.writer, answer, notifications);
        let outcome = tokio::select! {
            biased;
            outcome = timeout_at(end, written) => outcome,
            () = caller_gone(&mut self.reader) => return tracing::debug!("a caller gave up"),
        };
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an answer could not be written"),
            Err(_) => tracing::debug!("a caller did not take its answer in time"),
        }
    }

    /// Answers with `frames` and nothing else.
    pub async fn say(&mut self, frames: &[Frame]) {
        let writing = write_last(&mut self.writer, frames);
        if !matches!(timeout(REFUSAL_DEADLINE, writing).await, Ok(Ok(()))) {
            tracing::debug!("a refusal could not be written");
        }
    }
}

/// Why a question was not heard.
#[derive(Debug, thiserror::Error)]
pub enum HearError {
    /// The stream broke.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The asking end ended its half.
    #[error("the question ended before it was complete")]
    Ended,
    /// Nothing came in time.
    #[error("the question did not come in time")]
    Silent,
}

/// Resolves once the caller cancels, closes its half, or says something that has no place in a call.
async fn caller_gone<R: AsyncRead + Unpin>(reader: &mut FrameReader<R>) {
    match reader.read_frame().await {
        Ok(Some(frame)) => tracing::trace!(kind = ?frame.kind, "a caller cancels"),
        Ok(None) => tracing::trace!("a caller closed its half"),
        Err(error) => tracing::trace!(%error, "a caller is lost"),
    }
}

/// Writes notifications as they come and the answer last, in one message with what waits before it.
async fn write_answer<W: AsyncWrite + Unpin>(
    writer: &mut FrameWriter<W>,
    answer: impl Future<Output = Vec<Frame>>,
    mut notifications: mpsc::Receiver<Notification>,
) -> Result<(), WriteError> {
    let mut answer = pin!(answer);
    let answer = loop {
        tokio::select! {
            biased;
            Some(first) = notifications.recv() => {
                writer.write_frames(&waiting(Some(first), &mut notifications)).await?;
            }
            answer = &mut answer => break answer,
        }
    };
    let mut frames = waiting(None, &mut notifications);
    frames.extend(answer);
    write_last(writer, &frames).await
}

async fn write_last<W: AsyncWrite + Unpin>(
    writer: &mut FrameWriter<W>,
    frames: &[Frame],
) -> Result<(), WriteError> {
    writer.write_frames(frames).await?;
    Ok(writer.close().await?)
}

/// `first` and the notifications that wait behind it.
fn waiting(
    first: Option<Notification>,
    notifications: &mut mpsc::Receiver<Notification>,
) -> Vec<Frame> {
    let more = std::iter::from_fn(|| notifications.try_recv().ok());
    first
        .into_iter()
        .chain(more.take(NOTIFICATIONS_WAITING_MAX))
        .map(|Notification(message)| Frame::new(FrameKind::Notification, message))
        .collect()
}
