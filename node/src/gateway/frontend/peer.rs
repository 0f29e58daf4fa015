//! Serves one substream that a member opened: a call of this node's own shared servers, or an exchange.
//!
//! The caller keeps its half open while it waits. A CANCEL frame, any other frame, or the end of that half before the
//! answer drops what is in progress. Every answer ends with END.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use peerage_protocol::id::{NodeId, NodeName, ServerName};
use peerage_protocol::limits::{BODY_BYTES_MAX, HOPS_MAX, OPENING_DEADLINE};
use peerage_protocol::wire::call::{CallHeader, Exchange, Opening, ReplyHeader};
use peerage_protocol::wire::frame::{Frame, FrameKind};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::admission::Admission;
use crate::gateway::call::{
    Call, CallError, Caller, NOTIFICATIONS_WAITING_MAX, Notification, Reply, ReplyBody,
};
use crate::gateway::failure;
use crate::gateway::mcp::splice::Params;
use crate::net::framed::{FrameReader, FrameWriter, WriteError, split};

/// How long an exchange may take.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(30);
/// How long after a call's deadline its answer may still be on its way.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// Answers calls of this node's own shared servers; the router. Dropping the future cancels the call.
pub trait CallService: Send + Sync + 'static {
    /// Answers `call`, which is for `server`; refused and unknown look the same.
    fn call(&self, server: ServerName, call: Call) -> BoxFuture<'_, Result<Reply, CallError>>;
}

/// Answers exchanges; control. Dropping the future gives the exchange up.
pub trait ExchangeService: Send + Sync + 'static {
    /// Answers the question `body` of `from`; a `kind` that it does not know is [`CallError::UnknownMethod`].
    fn exchange(
        &self,
        from: NodeId,
        kind: String,
        body: Bytes,
    ) -> BoxFuture<'_, Result<Bytes, CallError>>;
}

/// The member that opened a substream, as the secure channel and its certificate prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id.
    pub node: NodeId,
    /// Its name.
    pub name: NodeName,
}

/// Serves the substreams of all members.
#[derive(Clone)]
pub struct PeerFrontend {
    own: NodeId,
    admission: Arc<Admission>,
    calls: Arc<dyn CallService>,
    exchanges: Arc<dyn ExchangeService>,
}

impl PeerFrontend {
    /// The frontend of the node `own`.
    pub fn new(
        own: NodeId,
        admission: Arc<Admission>,
        calls: Arc<dyn CallService>,
        exchanges: Arc<dyn ExchangeService>,
    ) -> Self {
        Self {
            own,
            admission,
            calls,
            exchanges,
        }
    }

    /// Serves `stream`, which `peer` opened, to its end.
    pub async fn serve<S: AsyncRead + AsyncWrite>(&self, peer: Peer, stream: S) {
        let (reader, writer) = split(stream);
        let mut substream = Substream { reader, writer };
        let Some(_place) = self.admission.enter(peer.node) else {
            return substream.refuse(FrameKind::Busy).await;
        };
        match timeout(OPENING_DEADLINE, substream.reader.read_frame()).await {
            Ok(Ok(Some(frame))) => self.open(&peer, &mut substream, &frame).await,
            Ok(Ok(None)) => tracing::debug!(%peer.node, "a substream ended before its opening"),
            Ok(Err(error)) => tracing::debug!(%peer.node, %error, "a substream has no opening"),
            Err(_) => tracing::debug!(%peer.node, "a substream was opened and then silent"),
        }
    }

    async fn open<S: AsyncRead + AsyncWrite>(
        &self,
        peer: &Peer,
        substream: &mut Substream<S>,
        frame: &Frame,
    ) {
        let opening = match frame.kind {
            FrameKind::Opening => Opening::decode(&frame.payload).map_err(|e| e.to_string()),
            kind => Err(format!("a substream begins with an opening, not {kind:?}")),
        };
        match opening {
            Ok(Opening::Call(header)) => self.serve_call(peer, substream, header).await,
            Ok(Opening::Exchange(question)) => {
                self.serve_exchange(peer, substream, question).await;
            }
            Err(what) => substream.fail(CallError::InvalidParams { what }).await,
        }
    }

    async fn serve_call<S: AsyncRead + AsyncWrite>(
        &self,
        peer: &Peer,
        substream: &mut Substream<S>,
        header: CallHeader,
    ) {
        let deadline = Instant::now() + header.time_left();
        if header.via.contains(&self.own) || header.via.len() > HOPS_MAX {
            return substream.fail(CallError::Loop).await;
        }
        let Some(raw) = substream.read_params(deadline).await else {
            return tracing::debug!(%peer.node, "a call came without its params");
        };
        let params = match Params::scan(raw) {
            Ok(params) => params,
            Err(error) => {
                let what = error.to_string();
                return substream.fail(CallError::InvalidParams { what }).await;
            }
        };
        let (sender, notifications) = mpsc::channel(NOTIFICATIONS_WAITING_MAX);
        let server = header.server.clone();
        let call = Call {
            caller: Caller::Peer {
                node: peer.node,
                name: peer.name.clone(),
                agent: header.agent,
            },
            era: header.era.into(),
            method: header.method.into(),
            params,
            deadline,
            via: with_sender(header.via, peer.node),
            trace: header.trace.map(Into::into),
            notifications: sender,
        };
        let target = server.to_string();
        let answer = async {
            let reply = timeout_at(deadline, self.calls.call(server, call)).await;
            reply_frames(reply.unwrap_or(Err(CallError::DeadlineExceeded { target })))
        };
        let end = deadline + ANSWER_GRACE;
        substream.serve(answer, notifications, end).await;
    }

    async fn serve_exchange<S: AsyncRead + AsyncWrite>(
        &self,
        peer: &Peer,
        substream: &mut Substream<S>,
        Exchange { kind, body }: Exchange,
    ) {
        let deadline = Instant::now() + EXCHANGE_DEADLINE;
        let (_, notifications) = mpsc::channel(1);
        let target = kind.clone();
        let answer = async {
            let exchange = self.exchanges.exchange(peer.node, kind, body.into());
            let data = timeout_at(deadline, exchange).await;
            data_frames(data.unwrap_or(Err(CallError::DeadlineExceeded { target })))
        };
        let end = deadline + ANSWER_GRACE;
        substream.serve(answer, notifications, end).await;
    }
}

/// The nodes a request has passed, the one that sent it among them even where it left itself out.
fn with_sender(mut via: Vec<NodeId>, sender: NodeId) -> Vec<NodeId> {
    if !via.contains(&sender) {
        via.push(sender);
    }
    via
}

/// A substream at the end that answers.
struct Substream<S> {
    reader: FrameReader<ReadHalf<S>>,
    writer: FrameWriter<WriteHalf<S>>,
}

impl<S: AsyncRead + AsyncWrite> Substream<S> {
    async fn read_params(&mut self, deadline: Instant) -> Option<Bytes> {
        match timeout_at(deadline, self.reader.read_frame()).await {
            Ok(Ok(Some(frame))) if frame.kind == FrameKind::Params => Some(frame.payload),
            _ => None,
        }
    }

    /// Answers with what `answer` comes to, after its notifications; gives up when the caller does, or at `end`.
    async fn serve(
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

    async fn fail(&mut self, error: CallError) {
        let failure = failure_frame(error);
        self.say(&[failure, Frame::signal(FrameKind::End)]).await;
    }

    async fn refuse(&mut self, kind: FrameKind) {
        let frames = [Frame::signal(kind), Frame::signal(FrameKind::End)];
        self.say(&frames).await;
    }

    async fn say(&mut self, frames: &[Frame]) {
        let writing = write_last(&mut self.writer, frames);
        if !matches!(timeout(ANSWER_GRACE, writing).await, Ok(Ok(()))) {
            tracing::debug!("a refusal could not be written");
        }
    }
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

fn reply_frames(reply: Result<Reply, CallError>) -> Vec<Frame> {
    let end = Frame::signal(FrameKind::End);
    let (era, kind, body) = match reply {
        Ok(Reply { era, body }) => match body {
            ReplyBody::Result(json) => (era, FrameKind::Result, json),
            ReplyBody::Error(json) => (era, FrameKind::Error, json),
        },
        Err(error) => return vec![failure_frame(error), end],
    };
    let header = ReplyHeader { era: era.into() };
    match body_frame(kind, body) {
        Ok(frame) => vec![
            Frame::new(FrameKind::Reply, header.encode().into()),
            frame,
            end,
        ],
        Err(error) => vec![failure_frame(error), end],
    }
}

fn data_frames(data: Result<Bytes, CallError>) -> Vec<Frame> {
    let frame = data
        .and_then(|body| body_frame(FrameKind::Data, body))
        .unwrap_or_else(failure_frame);
    vec![frame, Frame::signal(FrameKind::End)]
}

fn body_frame(kind: FrameKind, body: Bytes) -> Result<Frame, CallError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(CallError::TooLarge {
            what: "the answer".to_owned(),
            limit: BODY_BYTES_MAX,
        });
    }
    Ok(Frame::new(kind, body))
}

fn failure_frame(error: CallError) -> Frame {
    let payload = failure::to_wire(error).encode();
    Frame::new(FrameKind::Failure, payload.into())
}
