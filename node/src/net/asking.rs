//! The asking end of a substream: sends a question, hears what precedes the answer, and takes the answer once it is
//! complete.
//!
//! The answer may come while the question is still being sent (a busy node does not read it), and counts even when
//! sending failed. Giving up before the answer is complete cancels at the far end: by a CANCEL frame where one can
//! still be written, else by the stream that ends.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use peerage_protocol::wire::CborError;
use peerage_protocol::wire::call::{Era, ReplyHeader};
use peerage_protocol::wire::failure::Failure;
use peerage_protocol::wire::frame::{Frame, FrameError, FrameKind};
use tokio::runtime::Handle;

use super::framed::{FrameReader, FrameWriter, ReadError, WriteError, split};
use crate::gateway::call::{Notification, NotificationSender};

/// How long a CANCEL frame may take to be written before the stream is dropped without it.
const CANCEL_DEADLINE: Duration = Duration::from_secs(1);

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The upstream's raw `result`.
    Result {
        /// How the upstream speaks MCP.
        era: Era,
        /// The raw JSON.
        json: Bytes,
    },
    /// The upstream's raw `error`.
    Error {
        /// How the upstream speaks MCP.
        era: Era,
        /// The raw JSON.
        json: Bytes,
    },
    /// The answer to an exchange.
    Data(Bytes),
    /// Why the far node has no answer.
    Failure(Failure),
    /// The far node takes no more substreams from here now.
    Busy,
}

/// What was answered, and the stream where the far end takes another question on it.
#[derive(Debug)]
pub struct Heard<S> {
    /// The answer.
    pub answer: Answer,
    /// The stream, if it can be used again.
    pub rested: Option<S>,
}

/// Sends `question` on `stream` and waits for the answer. Notifications go to `notifications`, in order and before
/// the answer is returned; where there is nowhere for them to go they are refused.
pub async fn ask<S>(
    stream: S,
    question: &[Frame],
    notifications: Option<&NotificationSender>,
) -> Result<Heard<S>, AnswerError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (reader, writer) = split(stream);
    let mut asked = Asked(None);
    let Halves { reader, writer } = asked.0.insert(Halves { reader, writer });
    let mut hearing = Hearing::default();
    let answer = hear_while_sending(
        writer.write_frames(question),
        hearing.hear(reader, notifications),
    )
    .await?;
    let again = hearing.header.is_some_and(|header| header.again);
    let halves = asked.settle().filter(|_| again);
    Ok(Heard {
        answer,
        rested: halves.and_then(Halves::rested),
    })
}

async fn hear_while_sending(
    sending: impl Future<Output = Result<(), WriteError>>,
    hearing: impl Future<Output = Result<Answer, AnswerError>>,
) -> Result<Answer, AnswerError> {
    let (mut sending, mut hearing) = (pin!(sending), pin!(hearing));
    let sent = tokio::select! {
        biased;
        sent = &mut sending => sent,
        answer = &mut hearing => return answer,
    };
    match sent {
        Err(WriteError::Frame(error)) => Err(AnswerError::Question(error)),
        Ok(()) | Err(WriteError::Broken(_) | WriteError::Torn) => hearing.await,
    }
}

struct Halves<S> {
    reader: FrameReader<ReadHalf<S>>,
    writer: FrameWriter<WriteHalf<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Halves<S> {
    /// The stream, when nothing is under way on either half.
    fn rested(self) -> Option<S> {
        let (reader, writer) = (self.reader.into_rested()?, self.writer.into_rested()?);
        reader.reunite(writer).ok()
    }
}

/// A question that is cancelled when it is dropped before it is settled.
struct Asked<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(Option<Halves<S>>);

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Asked<S> {
    /// The answer is complete: there is nothing left to cancel.
    fn settle(mut self) -> Option<Halves<S>> {
        self.0.take()
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Drop for Asked<S> {
    fn drop(&mut self) {
        let Some(halves) = self.0.take() else {
            return;
        };
        if halves.writer.is_torn() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(cancel(halves));
        }
    }
}

async fn cancel<S: AsyncRead + AsyncWrite + Unpin>(mut halves: Halves<S>) {
    let frames = [Frame::signal(FrameKind::Cancel)];
    let written = tokio::time::timeout(CANCEL_DEADLINE, halves.writer.write_frames(&frames)).await;
    if !matches!(written, Ok(Ok(()))) {
        tracing::debug!("a substream was dropped without a CANCEL frame");
    }
}

/// What has been heard of an answer so far.
#[derive(Default)]
struct Hearing {
    header: Option<ReplyHeader>,
    answer: Option<Answer>,
}

impl Hearing {
    async fn hear<R: AsyncRead + Unpin>(
        &mut self,
        reader: &mut FrameReader<R>,
        notifications: Option<&NotificationSender>,
    ) -> Result<Answer, AnswerError> {
        loop {
            let frame = reader.read_frame().await?.ok_or(AnswerError::Empty)?;
            match (frame.kind, &self.answer) {
                (FrameKind::Busy, None) => return Ok(Answer::Busy),
                (FrameKind::End, _) => return self.answer.take().ok_or(AnswerError::Empty),
                (FrameKind::Notification, None) => notify(notifications, frame).await?,
                (_, None) => self.take(frame)?,
                (kind, Some(_)) => return Err(AnswerError::Unexpected { kind }),
            }
        }
    }

    fn take(&mut self, Frame { kind, payload }: Frame) -> Result<(), AnswerError> {
        let answer = match kind {
            FrameKind::Reply => {
                self.header = Some(ReplyHeader::decode(&payload)?);
                return Ok(());
            }
            FrameKind::Result => Answer::Result {
                era: self.era(kind)?,
                json: payload,
            },
            FrameKind::Error => Answer::Error {
                era: self.era(kind)?,
                json: payload,
            },
            FrameKind::Failure => Answer::Failure(Failure::decode(&payload)?),
            FrameKind::Data => Answer::Data(payload),
            _ => return Err(AnswerError::Unexpected { kind }),
        };
        self.answer = Some(answer);
        Ok(())
    }

    fn era(&self, kind: FrameKind) -> Result<Era, AnswerError> {
        let header = self.header.ok_or(AnswerError::Unexpected { kind })?;
        Ok(header.era)
    }
}

/// Waits while the caller is slow: the far end then waits too, and refuses once its own queue is full.
async fn notify(
    notifications: Option<&NotificationSender>,
    Frame { kind, payload }: Frame,
) -> Result<(), AnswerError> {
    let notifications = notifications.ok_or(AnswerError::Unexpected { kind })?;
    if notifications.send(Notification(payload)).await.is_err() {
        tracing::debug!("a notification came for a caller that no longer listens");
    }
    Ok(())
}

/// Why there is no complete answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The question is over a bound; nothing was sent.
    #[error("the question cannot be sent: {0}")]
    Question(FrameError),
    /// The stream broke or was cut off.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A frame that has no place where it came.
    #[error("it sent a frame that does not belong there ({kind:?})")]
    Unexpected {
        /// Which.
        kind: FrameKind,
    },
    /// A frame that cannot be read.
    #[error("it sent an answer that cannot be read: {0}")]
    Unreadable(#[from] CborError),
    /// The stream ended properly, without an answer.
    #[error("it ended the stream without an answer")]
    Empty,
}
