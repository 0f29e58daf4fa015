//! The answering end of a substream: hears the question, then writes what precedes the answer, and the answer with
//! its END.
//!
//! The asking end keeps its half open while it waits, and answers on it what the upstream asks meanwhile. A CANCEL
//! frame, any other frame, or the end of that half before the answer drops what is in progress. After an answer that
//! says so, the next question may follow.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use peerage_protocol::wire::frame::{Frame, FrameError, FrameKind};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::byte_share::ByteShare;
use super::door::Offence;
use super::framed::{FrameReader, FrameWriter, ReadError, WriteError, split};
use crate::gateway::aside::Aside;
use crate::gateway::call::{ASIDES_WAITING_MAX, Notification};
use crate::gateway::mcp::asked::Asked;
use crate::gateway::mcp::envelope::{self, Incoming};

/// How long a refusal may take to be written.
const REFUSAL_DEADLINE: Duration = Duration::from_secs(5);

/// A substream that a peer opened.
pub struct Answering<S> {
    reader: FrameReader<ReadHalf<S>>,
    writer: FrameWriter<WriteHalf<S>>,
}

impl<S: AsyncRead + AsyncWrite> Answering<S> {
    /// Answers on `stream` whose questions are within `share`.
    pub fn new(stream: S, share: ByteShare) -> Self {
        let (mut reader, writer) = split(stream);
        reader.count_against(share);
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

    /// The first frame of the next question, until `deadline`. What the caller still answers to requests of the
    /// question before comes too late for anybody.
    pub async fn hear_next(&mut self, deadline: Instant) -> Result<Frame, HearError> {
        self.reader.forget_count();
        loop {
            let frame = self.hear(deadline).await?;
            if frame.kind != FrameKind::Response {
                return Ok(frame);
            }
        }
    }

    /// Answers with what `answer` comes to, after what the upstream says before; gives up when the caller does, or at
    /// `end`. Closes this half unless `again`, when another question may be heard. Whether all was written.
    pub async fn serve(
        &mut self,
        answer: impl Future<Output = Vec<Frame>>,
        asides: mpsc::Receiver<Aside>,
        end: Instant,
        again: bool,
    ) -> bool {
        let asked = Mutex::default();
        let answered = until_answer(&mut self.writer, answer, asides, &asked);
        let answered = tokio::select! {
            biased;
            answered = timeout_at(end, answered) => answered,
            () = caller_gone(&mut self.reader, &asked) => {
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

impl HearError {
    /// What a member whose question was not heard has done, if anything.
    pub(crate) fn offence(&self) -> Option<Offence> {
        match self {
            Self::Read(ReadError::Frame(FrameError::Truncated) | ReadError::Broken(_)) => None,
            Self::Read(ReadError::Frame(_)) => Some(Offence::BadFrames),
            Self::Read(ReadError::Share(_)) => Some(Offence::CallFlood),
            Self::Ended | Self::Silent => None,
        }
    }
}

/// Resolves once the caller cancels, closes its half, or says something that has no place in a call. What it answers
/// to the upstream's requests is brought there meanwhile.
async fn caller_gone<R: AsyncRead + Unpin>(reader: &mut FrameReader<R>, asked: &Mutex<Asked>) {
    loop {
        match reader.read_frame().await {
            Ok(Some(frame)) if frame.kind == FrameKind::Response => take_response(&frame, asked),
            Ok(Some(frame)) => return tracing::trace!(kind = ?frame.kind, "a caller cancels"),
            Ok(None) => return tracing::trace!("a caller closed its half"),
            Err(error) => return tracing::trace!(%error, "a caller is lost"),
        }
    }
}

fn take_response(frame: &Frame, asked: &Mutex<Asked>) {
    match envelope::read(&frame.payload) {
        Ok(Incoming::Response { id, body }) => {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.answered(&id, body);
        }
        _ => tracing::debug!("a response frame holds no response"),
    }
}

/// Writes asides as they come; the answer, with what waits before it, is left to be written.
async fn until_answer<W: AsyncWrite + Unpin>(
    writer: &mut FrameWriter<W>,
    answer: impl Future<Output = Vec<Frame>>,
    mut asides: mpsc::Receiver<Aside>,
    asked: &Mutex<Asked>,
) -> Result<Vec<Frame>, WriteError> {
    let mut answer = pin!(answer);
    let answer = loop {
        tokio::select! {
            biased;
            Some(first) = asides.recv() => {
                writer.write_frames(&waiting(Some(first), &mut asides, asked)).await?;
            }
            answer = &mut answer => break answer,
        }
    };
    let mut frames = waiting(None, &mut asides, asked);
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

/// `first` and the asides that wait behind it.
fn waiting(
    first: Option<Aside>,
    asides: &mut mpsc::Receiver<Aside>,
    asked: &Mutex<Asked>,
) -> Vec<Frame> {
    let more = std::iter::from_fn(|| asides.try_recv().ok());
    first
        .into_iter()
        .chain(more.take(ASIDES_WAITING_MAX))
        .filter_map(|aside| frame(aside, asked))
        .collect()
}

fn frame(aside: Aside, asked: &Mutex<Asked>) -> Option<Frame> {
    match aside {
        Aside::Notification(Notification(message)) => {
            Some(Frame::new(FrameKind::Notification, message))
        }
        Aside::Request(request) => {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            let message = asked.ask(None, request)?;
            Some(Frame::new(FrameKind::Request, message))
        }
        Aside::Withdrawn(withdrawn) => {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            let message = asked.withdrawn(&withdrawn)?;
            Some(Frame::new(FrameKind::Notification, message))
        }
    }
}
