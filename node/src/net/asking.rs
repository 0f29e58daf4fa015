//! The asking end of a substream: sends a question, hears what precedes the answer, answers what the upstream asks
//! meanwhile, and takes the answer once it is complete.
//!
//! The answer may come while the question is still being sent (a busy node does not read it), and counts even when
//! sending failed. Giving up before the answer is complete cancels at the far end: by a CANCEL frame where one can
//! still be written, else by the stream that ends.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use peerage_protocol::wire::CborError;
use peerage_protocol::wire::call::{Era, ReplyHeader};
use peerage_protocol::wire::failure::Failure;
use peerage_protocol::wire::frame::{Frame, FrameError, FrameKind};
use serde_json::value::RawValue;
use tokio::runtime::Handle;

use super::framed::{FrameReader, FrameWriter, ReadError, WriteError, split};
use crate::gateway::aside::{Aside, AsideSender, ServerRequest, Withdrawn, refusal};
use crate::gateway::call::ReplyBody;
use crate::gateway::mcp::envelope;
use crate::gateway::mcp::splice::request_id_of;

/// How long a CANCEL frame may take to be written before the stream is dropped without it.
const CANCEL_DEADLINE: Duration = Duration::from_secs(1);

/// How a request that was passed on is taken back.
const CANCELLED: &str = "notifications/cancelled";

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

/// Sends `question` on `stream` and waits for the answer. What the upstream says before it goes to `asides`, in order
/// and before the answer is returned; where there is nowhere for it to go it is refused.
pub async fn ask<S>(
    stream: S,
    question: &[Frame],
    asides: Option<&AsideSender>,
) -> Result<Heard<S>, AnswerError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (reader, writer) = split(stream);
    let mut asked = Asked(None);
    let Halves { reader, writer } = asked.0.insert(Halves { reader, writer });
    let mut hearing = Hearing::new(asides);
    let answer = match hearing.while_sending(reader, writer, question).await? {
        Some(answer) => answer,
        None => hearing.until_answered(reader, writer).await?,
    };
    let again = hearing.header.is_some_and(|header| header.again);
    let halves = asked.settle().filter(|_| again);
    Ok(Heard {
        answer,
        rested: halves.and_then(Halves::rested),
    })
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

/// A response of the caller to one of the upstream's requests, once it is there; with our number of the request.
type Responding = BoxFuture<'static, (u64, Frame)>;

/// What has been heard of an answer so far.
struct Hearing<'a> {
    asides: Option<&'a AsideSender>,
    responding: FuturesUnordered<Responding>,
    /// Requests that were passed on and are not answered: the far node's raw id of each, and our number of it.
    passed_on: Vec<(Bytes, u64)>,
    header: Option<ReplyHeader>,
    answer: Option<Answer>,
}

impl<'a> Hearing<'a> {
    fn new(asides: Option<&'a AsideSender>) -> Self {
        Self {
            asides,
            responding: FuturesUnordered::new(),
            passed_on: Vec::new(),
            header: None,
            answer: None,
        }
    }

    /// Sends the question; the answer, where it comes before all of that is sent.
    async fn while_sending<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &mut self,
        reader: &mut FrameReader<R>,
        writer: &mut FrameWriter<W>,
        question: &[Frame],
    ) -> Result<Option<Answer>, AnswerError> {
        let mut sending = pin!(writer.write_frames(question));
        let sent = loop {
            let frame = tokio::select! {
                biased;
                sent = &mut sending => break sent,
                frame = reader.read_frame() => frame?.ok_or(AnswerError::Empty)?,
            };
            if let Some(answer) = self.hear(frame).await? {
                return Ok(Some(answer));
            }
        };
        match sent {
            Err(WriteError::Frame(error)) => Err(AnswerError::Question(error)),
            Ok(()) | Err(WriteError::Broken(_) | WriteError::Torn) => Ok(None),
        }
    }

    async fn until_answered<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &mut self,
        reader: &mut FrameReader<R>,
        writer: &mut FrameWriter<W>,
    ) -> Result<Answer, AnswerError> {
        loop {
            let frame = tokio::select! {
                biased;
                Some((number, response)) = self.responding.next(), if !self.responding.is_empty() => {
                    self.passed_on.retain(|(_, open)| *open != number);
                    // A stream that does not take it is about to say why.
                    let _ = writer.write_frames(&[response]).await;
                    continue;
                }
                frame = reader.read_frame() => frame?.ok_or(AnswerError::Empty)?,
            };
            if let Some(answer) = self.hear(frame).await? {
                return Ok(answer);
            }
        }
    }

    /// Takes the next frame; the answer, once it is complete.
    async fn hear(&mut self, frame: Frame) -> Result<Option<Answer>, AnswerError> {
        match (frame.kind, &self.answer) {
            (FrameKind::Busy, None) => return Ok(Some(Answer::Busy)),
            (FrameKind::End, _) => return self.answer.take().map(Some).ok_or(AnswerError::Empty),
            (FrameKind::Notification | FrameKind::Request, None) => self.pass_on(frame).await?,
            (_, None) => self.take(frame)?,
            (kind, Some(_)) => return Err(AnswerError::Unexpected { kind }),
        }
        Ok(None)
    }

    /// Waits while the caller is slow: the far end then waits too, and refuses once its own queue is full.
    async fn pass_on(&mut self, Frame { kind, payload }: Frame) -> Result<(), AnswerError> {
        let asides = self.asides.ok_or(AnswerError::Unexpected { kind })?;
        let aside = match kind {
            FrameKind::Request => match self.request(&payload) {
                Some(request) => Aside::Request(request),
                None => return Err(AnswerError::Unexpected { kind }),
            },
            _ => self.notification(payload),
        };
        if asides.send(aside).await.is_err() {
            tracing::debug!("an upstream spoke to a caller that no longer listens");
        }
        Ok(())
    }

    /// The upstream's request in a frame; its response is sent once it is there.
    fn request(&mut self, payload: &Bytes) -> Option<ServerRequest> {
        let message = envelope::parse(payload).ok()?;
        let own = |raw: &RawValue| payload.slice_ref(raw.get().as_bytes());
        let (id, method) = (own(message.id?), message.method?);
        let (request, answered) = ServerRequest::new(&*method, message.params.map(own));
        let number = request.number;
        self.passed_on.push((id.clone(), number));
        self.responding
            .push(async move { (number, response(&id, answered.await.ok())) }.boxed());
        Some(request)
    }

    /// A notification for the caller, or the end of a request that it was asked: such a one names the request by the
    /// far node's id.
    fn notification(&mut self, message: Bytes) -> Aside {
        let passed_on = match self.passed_on.is_empty() || !is_cancellation(&message) {
            true => None,
            false => request_id_of(&message).and_then(|id| {
                let mut passed_on = self.passed_on.iter();
                passed_on.position(|(known, _)| known == id)
            }),
        };
        match passed_on {
            None => Aside::notification(message),
            Some(place) => Aside::Withdrawn(Withdrawn {
                request: self.passed_on.swap_remove(place).1,
                message,
            }),
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

fn is_cancellation(message: &[u8]) -> bool {
    let method = envelope::parse(message).ok().and_then(|read| read.method);
    method.is_some_and(|method| method == CANCELLED)
}

fn response(id: &[u8], answer: Option<ReplyBody>) -> Frame {
    let (member, raw) = match answer {
        Some(ReplyBody::Result(raw)) => ("result", raw),
        Some(ReplyBody::Error(raw)) => ("error", raw),
        None => ("error", refusal("the client gave no answer")),
    };
    let mut message = Vec::with_capacity(raw.len() + id.len() + 40);
    message.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    message.extend_from_slice(id);
    message.extend_from_slice(format!(",\"{member}\":").as_bytes());
    message.extend_from_slice(&raw);
    message.push(b'}');
    Frame::new(FrameKind::Response, message.into())
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
