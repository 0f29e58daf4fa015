//! Serves one substream that a member opened: a call of this node's own shared servers, or an exchange.
//!
//! A caller that gives up drops what is in progress; every answer ends with END. After a call, a substream may carry
//! another: it rests meanwhile, and takes no place among those in progress.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::io::{AsyncRead, AsyncWrite};
use peerage_protocol::id::{NodeId, NodeName, ServerName};
use peerage_protocol::limits::{
    BODY_BYTES_MAX, HOPS_MAX, OPENING_DEADLINE, SUBSTREAM_AGE_MAX, SUBSTREAM_REST_DEADLINE,
    SUBSTREAMS_RESTING_MAX,
};
use peerage_protocol::wire::call::{self as wire, CallHeader, Exchange, Opening, ReplyHeader};
use peerage_protocol::wire::frame::{Frame, FrameKind};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::admission::{Admission, Admitted};
use crate::gateway::call::{ASIDES_WAITING_MAX, Call, CallError, Caller, Era, Reply, ReplyBody};
use crate::gateway::client::{Client, ClientSession, LogLevel};
use crate::gateway::failure;
use crate::gateway::mcp::splice::Params;
use crate::net::answering::{Answering, HearError};
use crate::net::byte_share::ByteShares;
use crate::net::framed::ReadError;
use crate::net::{Door, Offence};

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
    resting: Arc<Admission>,
    bytes: Arc<ByteShares>,
    door: Door,
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
        door: Door,
    ) -> Self {
        Self {
            own,
            admission,
            resting: Arc::new(Admission::new(SUBSTREAMS_RESTING_MAX)),
            bytes: Arc::default(),
            door,
            calls,
            exchanges,
        }
    }

    /// Serves `stream`, which `peer` opened, to its end.
    pub async fn serve<S: AsyncRead + AsyncWrite>(&self, peer: Peer, stream: S) {
        let mut substream = Answering::new(stream, self.bytes.of(peer.node));
        let Some(place) = self.admission.enter(peer.node) else {
            self.door.member_offended(peer.node, Offence::CallFlood);
            return turn_away(&mut substream).await;
        };
        let too_old = Instant::now() + SUBSTREAM_AGE_MAX;
        let frame = match substream.hear(Instant::now() + OPENING_DEADLINE).await {
            Ok(frame) => frame,
            Err(error) => {
                self.note(&peer, &error);
                return tracing::debug!(node = %peer.node, %error, "a substream has no opening");
            }
        };
        let mut rest = self.resting.enter(peer.node);
        let mut again = self
            .open(&peer, &mut substream, &frame, rest.is_some())
            .await;
        drop(place);
        while again {
            // An asking node that needs the substream no more ends it.
            let deadline = Instant::now() + SUBSTREAM_REST_DEADLINE;
            let Ok(frame) = substream.hear_next(deadline).await else {
                return;
            };
            let Some(_place) = self.admission.enter(peer.node) else {
                return turn_away(&mut substream).await;
            };
            rest = rest.filter(|_: &Admitted| Instant::now() < too_old);
            again = self
                .open(&peer, &mut substream, &frame, rest.is_some())
                .await;
        }
    }

    /// Notes what a member did whose question was not heard.
    fn note(&self, peer: &Peer, error: &HearError) {
        if let Some(offence) = error.offence() {
            self.door.member_offended(peer.node, offence);
        }
    }

    /// Serves what an opening asks for; whether another may follow, which is offered if it `may_rest`.
    async fn open<S: AsyncRead + AsyncWrite>(
        &self,
        peer: &Peer,
        substream: &mut Answering<S>,
        frame: &Frame,
        may_rest: bool,
    ) -> bool {
        let opening = match frame.kind {
            FrameKind::Opening => Opening::decode(&frame.payload).map_err(|e| e.to_string()),
            kind => Err(format!("a substream begins with an opening, not {kind:?}")),
        };
        match opening {
            Ok(Opening::Call(header)) => {
                return self.serve_call(peer, substream, header, may_rest).await;
            }
            Ok(Opening::Exchange(question)) => {
                self.serve_exchange(peer, substream, question).await;
            }
            Err(what) => fail(substream, CallError::InvalidParams { what }).await,
        }
        false
    }

    async fn serve_call<S: AsyncRead + AsyncWrite>(
        &self,
        peer: &Peer,
        substream: &mut Answering<S>,
        header: CallHeader,
        may_rest: bool,
    ) -> bool {
        let deadline = Instant::now() + header.time_left();
        let params = match self.hear_params(peer, substream, &header, deadline).await {
            Ok(params) => params,
            Err(refusal) => {
                if let Some(error) = refusal {
                    fail(substream, error).await;
                }
                return false;
            }
        };
        let (sender, asides) = mpsc::channel(ASIDES_WAITING_MAX);
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
            client: client_of(header.client, header.era.into()),
            asides: sender,
        };
        let target = server.to_string();
        let answer = async {
            let reply = timeout_at(deadline, self.calls.call(server, call)).await;
            let reply = reply.unwrap_or(Err(CallError::DeadlineExceeded { target }));
            reply_frames(reply, may_rest)
        };
        let end = deadline + ANSWER_GRACE;
        let written = substream.serve(answer, asides, end, may_rest).await;
        written && may_rest
    }

    /// The params that follow the header; nothing to say to a caller that has none.
    async fn hear_params<S: AsyncRead + AsyncWrite>(
        &self,
        peer: &Peer,
        substream: &mut Answering<S>,
        header: &CallHeader,
        deadline: Instant,
    ) -> Result<Params, Option<CallError>> {
        if header.via.contains(&self.own) || header.via.len() > HOPS_MAX {
            return Err(Some(CallError::Loop));
        }
        let raw = match substream.hear(deadline).await {
            Ok(frame) if frame.kind == FrameKind::Params => frame.payload,
            Ok(frame) => return Err(Some(out_of_place(frame.kind))),
            Err(error) => {
                self.note(peer, &error);
                tracing::debug!(node = %peer.node, %error, "a call has no params");
                return Err(too_much(&error));
            }
        };
        Params::scan(raw).map_err(|error| {
            let what = error.to_string();
            Some(CallError::InvalidParams { what })
        })
    }

    async fn serve_exchange<S: AsyncRead + AsyncWrite>(
        &self,
        peer: &Peer,
        substream: &mut Answering<S>,
        Exchange { kind, body }: Exchange,
    ) {
        let deadline = Instant::now() + EXCHANGE_DEADLINE;
        let (_, asides) = mpsc::channel(1);
        let target = kind.clone();
        let answer = async {
            let exchange = self.exchanges.exchange(peer.node, kind, body.into());
            let data = timeout_at(deadline, exchange).await;
            data_frames(data.unwrap_or(Err(CallError::DeadlineExceeded { target })))
        };
        let end = deadline + ANSWER_GRACE;
        substream.serve(answer, asides, end, false).await;
    }
}

/// The client behind a call, as the calling node says. What it is told outside of calls goes another way.
fn client_of(said: Option<wire::Client>, era: Era) -> Client {
    let said = match (said, era) {
        (Some(said), _) => said,
        (None, Era::Modern) => return Client::Stateless,
        (None, Era::Legacy) => wire::Client {
            session: 0,
            capabilities: "{}".to_owned(),
            info: None,
            log_level: None,
            roots_version: 0,
        },
    };
    let info = said.info.map(Bytes::from);
    let (session, _) = ClientSession::numbered(said.session, said.capabilities.into(), info);
    if let Some(level) = said.log_level.as_deref().and_then(LogLevel::parse) {
        session.set_log_level(level);
    }
    session.set_roots_version(said.roots_version);
    Client::Session(session)
}

/// The nodes a request has passed, the one that sent it among them even where it left itself out.
fn with_sender(mut via: Vec<NodeId>, sender: NodeId) -> Vec<NodeId> {
    if !via.contains(&sender) {
        via.push(sender);
    }
    via
}

/// What a member is told that has more under way here than it may.
fn too_much(error: &HearError) -> Option<CallError> {
    match error {
        HearError::Read(ReadError::Share(full)) => Some(CallError::Busy {
            what: full.to_string(),
        }),
        _ => None,
    }
}

async fn turn_away<S: AsyncRead + AsyncWrite>(substream: &mut Answering<S>) {
    let busy = [FrameKind::Busy, FrameKind::End].map(Frame::signal);
    substream.say(&busy).await;
}

async fn fail<S: AsyncRead + AsyncWrite>(substream: &mut Answering<S>, error: CallError) {
    let frames = [failure_frame(error), Frame::signal(FrameKind::End)];
    substream.say(&frames).await;
}

fn out_of_place(kind: FrameKind) -> CallError {
    CallError::InvalidParams {
        what: format!("a call's opening is followed by its params, not by {kind:?}"),
    }
}

fn reply_frames(reply: Result<Reply, CallError>, again: bool) -> Vec<Frame> {
    let end = Frame::signal(FrameKind::End);
    let (era, kind, body) = match reply {
        Ok(Reply { era, body }) => match body {
            ReplyBody::Result(json) => (era, FrameKind::Result, json),
            ReplyBody::Error(json) => (era, FrameKind::Error, json),
        },
        Err(error) => return vec![failure_frame(error), end],
    };
    let header = ReplyHeader {
        era: era.into(),
        again,
    };
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
