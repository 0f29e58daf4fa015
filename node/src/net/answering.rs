//! The answering end of a substream: hears the question, then writes what precedes the answer, and the answer with
//! its END.
//!
//! The asking end keeps its half open while it waits. A CANCEL frame, any other frame, or the end of that half before
//! the answer drops what is in progress. After an answer that says so, the next question may follow.

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
    /// Closes this half unless `again`, when another question may be heard. Whether all was written.
    pub async fn serve(
        &mut self,
        answer: impl Future<Output = Vec<Frame>>,
        notifications: mpsc::Receiver<Notification>,
        end: Instant,
        again: bool,
    ) -> bool {
        let answered = until_answer(&mut self.writer, answer, notifications);
        let answered = tokio::select! {
            biased;
            answered = timeout_at(end, answered) => answered,
            () = caller_gone(&mut self.reader) => {
                tracing::debug!("a caller gave up");
                return false;
            }
        };
        // What the caller says from here on may be its next question already.
        let outcome = match answered {
            Ok(Ok(frames)) => timeout_at(end, self.write(&frames, again)).await,
            Ok(Err(error)) => Ok(Err(error)),
            Err(late) => Err(late),
        };
        match &outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an answer could not be written"),
            Err(_) => tracing::debug!("a caller did not take its answer in time"),
        }
        matches!(outcome, Ok(Ok(())))
    }

    async fn write(&mut self, frames: &[Frame], again: bool) -> Result<(), WriteError> {
        match again {
            true => self.writer.write_frames(frames).await,
            false => write_last(&mut self.writer, frames).await,
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

/// Writes notifications as they come; the answer, with what waits before it, is left to be written.
async fn until_answer<W: AsyncWrite + Unpin>(
    writer: &mut FrameWriter<W>,
    answer: impl Future<Output = Vec<Frame>>,
    mut notifications: mpsc::Receiver<Notification>,
) -> Result<Vec<Frame>, WriteError> {
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
    Ok(frames)
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
