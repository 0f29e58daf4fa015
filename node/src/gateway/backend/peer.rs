//! Calls to another member's servers: one substream per call, which rests for the next one when the other node offers it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use peerage_protocol::id::{AgentName, NodeId, NodeName, ServerName};
use peerage_protocol::limits::{BODY_BYTES_MAX, CALL_TIME_LEFT_MAX, HOPS_MAX};
use peerage_protocol::wire::call::{
    self as wire, CallHeader, METHOD_BYTES_MAX, Opening, TRACE_BYTES_MAX,
};
use peerage_protocol::wire::frame::{Frame, FrameKind};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::Backend;
use crate::gateway::aside::AsideSender;
use crate::gateway::call::{
    ASIDES_WAITING_MAX, Call, CallError, Caller, Era, Reply, ReplyBody, Replying,
};
use crate::gateway::client::Client;
use crate::gateway::failure;
use crate::gateway::mcp::splice::Params;
use crate::gateway::router::subscriptions::Updates;
use crate::net::OpenError;
use crate::net::asking::{Answer, Heard, ask};
use crate::net::substream::OpenSubstream;

/// One server of another member.
#[derive(Debug)]
pub struct PeerBackend<O> {
    own: NodeId,
    node: NodeId,
    node_name: NodeName,
    server: ServerName,
    opener: Arc<O>,
}

impl<O: OpenSubstream> PeerBackend<O> {
    /// The server `server` of `node`, which goes by `node_name`; `own` is the node that calls.
    pub fn new(
        own: NodeId,
        node: NodeId,
        node_name: NodeName,
        server: ServerName,
        opener: Arc<O>,
    ) -> Self {
        Self {
            own,
            node,
            node_name,
            server,
            opener,
        }
    }

    /// Asks, and keeps of the call only what is to be sent.
    fn ask(self: Arc<Self>, call: Call) -> impl Future<Output = Result<Reply, CallError>> + Send {
        let deadline = call.deadline;
        let prepared = self.prepare(call);
        async move {
            let asked = timeout_at(deadline, self.ask_in_time(deadline, prepared?)).await;
            asked.unwrap_or_else(|_| {
                Err(CallError::DeadlineExceeded {
                    target: format!("{} on {}", self.server, self.node_name),
                })
            })
        }
    }

    fn prepare(&self, call: Call) -> Result<Prepared, CallError> {
        let params = call.params.to_bytes();
        check(&call, &params)?;
        Ok(Prepared {
            header: self.header(&call),
            params,
            asides: call.asides,
        })
    }

    async fn ask_in_time(&self, deadline: Instant, call: Prepared) -> Result<Reply, CallError> {
        let stream = self.opener.open(self.node).await;
        let stream = stream.map_err(|error| self.not_opened(error))?;
        let (question, asides) = call.question(deadline);
        match ask(stream, &question, Some(&asides)).await {
            Ok(Heard { answer, rested }) => {
                if let Some(stream) = rested {
                    self.opener.give_back(stream);
                }
                self.reply(answer)
            }
            Err(error) => Err(self.unreachable(error.to_string())),
        }
    }

    /// What is said before the params.
    fn header(&self, call: &Call) -> CallHeader {
        let mut via = call.via.clone();
        via.push(self.own);
        CallHeader {
            server: self.server.clone(),
            method: call.method.to_string(),
            agent: agent(&call.caller),
            era: call.era.into(),
            time_left_ms: 0,
            trace: call.trace.as_deref().and_then(bounded_trace),
            via,
            client: client(&call.client),
        }
    }

    fn reply(&self, answer: Answer) -> Result<Reply, CallError> {
        let (era, body) = match answer {
            Answer::Result { era, json } => (era, ReplyBody::Result(json)),
            Answer::Error { era, json } => (era, ReplyBody::Error(json)),
            Answer::Failure(failure) => return Err(failure::from_wire(failure, &self.node_name)),
            Answer::Busy => return Err(self.busy()),
            Answer::Data(_) => {
                return Err(self.unreachable("it answered another question".to_owned()));
            }
        };
        Ok(Reply {
            era: era.into(),
            body,
        })
    }

    fn not_opened(&self, error: OpenError) -> CallError {
        match error {
            OpenError::Busy { .. } => CallError::Busy {
                what: format!("the link to {}: {error}", self.node_name),
            },
            OpenError::NotConnected { .. } | OpenError::Failed { .. } => {
                self.unreachable(error.to_string())
            }
        }
    }

    fn busy(&self) -> CallError {
        CallError::Busy {
            what: format!("{} has too many calls of this node", self.node_name),
        }
    }

    fn unreachable(&self, why: String) -> CallError {
        CallError::PeerUnreachable {
            node: self.node_name.to_string(),
            why,
        }
    }
}

impl<O: OpenSubstream> Backend for PeerBackend<O> {
    fn follow(&self, uri: String) -> BoxFuture<'_, Result<Updates, CallError>> {
        let backend = Self::new(
            self.own,
            self.node,
            self.node_name.clone(),
            self.server.clone(),
            self.opener.clone(),
        );
        Box::pin(follow(Arc::new(backend), uri))
    }

    fn call(self: Arc<Self>, call: Call) -> Replying {
        Box::pin(self.ask(call))
    }
}

/// A call as it is sent.
struct Prepared {
    header: CallHeader,
    params: Bytes,
    asides: AsideSender,
}

impl Prepared {
    /// The frames that ask; the time left until `deadline` is read now, after the substream was opened.
    fn question(mut self, deadline: Instant) -> ([Frame; 2], AsideSender) {
        let left = deadline.saturating_duration_since(Instant::now());
        self.header.time_left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let opening = Opening::Call(self.header).encode();
        let question = [
            Frame::new(FrameKind::Opening, opening.into()),
            Frame::new(FrameKind::Params, self.params),
        ];
        (question, self.asides)
    }
}

/// Follows a resource by a call that lasts: acknowledged once the other node follows it, given up when it is dropped.
async fn follow<O: OpenSubstream>(
    backend: Arc<PeerBackend<O>>,
    uri: String,
) -> Result<Updates, CallError> {
    let (asides, mut told) = mpsc::channel(ASIDES_WAITING_MAX);
    let params = json!({"notifications": {"resourceSubscriptions": [uri]}}).to_string();
    let params = Params::scan(params.into()).map_err(|error| CallError::InvalidParams {
        what: error.to_string(),
    })?;
    let call = Call {
        caller: Caller::Owner,
        era: Era::Modern,
        method: "subscriptions/listen".into(),
        params,
        deadline: Instant::now() + CALL_TIME_LEFT_MAX,
        via: Vec::new(),
        trace: None,
        client: Client::Stateless,
        asides,
    };
    let mut lasting = backend.ask(call).boxed();
    tokio::select! {
        biased;
        _acknowledged = told.recv() => {}
        ended = &mut lasting => {
            ended?;
        }
    }
    let updates = stream::unfold((lasting, told), |(mut lasting, mut told)| async move {
        tokio::select! {
            biased;
            update = told.recv() => update.map(|_| ((), (lasting, told))),
            _ = &mut lasting => None,
        }
    });
    Ok(updates.boxed())
}

/// Refuses here what the other node would refuse.
fn check(call: &Call, params: &Bytes) -> Result<(), CallError> {
    if call.via.len() >= HOPS_MAX {
        return Err(CallError::Loop);
    }
    let too_large = |what: &str, limit| {
        Err(CallError::TooLarge {
            what: what.to_owned(),
            limit,
        })
    };
    if call.method.len() > METHOD_BYTES_MAX {
        return too_large("the method's name", METHOD_BYTES_MAX);
    }
    if params.len() > BODY_BYTES_MAX {
        return too_large("the request", BODY_BYTES_MAX);
    }
    Ok(())
}

/// The agent of this node that asks, in the eyes of another node.
fn agent(caller: &Caller) -> Option<AgentName> {
    match caller {
        Caller::Agent(name) => Some(name.clone()),
        Caller::Guest | Caller::Owner | Caller::Peer { .. } => None,
    }
}

/// What a session's client has said of itself; a modern one says it in each request.
fn client(client: &Client) -> Option<wire::Client> {
    let Client::Session(session) = client else {
        return None;
    };
    let text = |raw: &Bytes| String::from_utf8(raw.to_vec()).ok();
    Some(wire::Client {
        session: session.number(),
        capabilities: text(session.capabilities())?,
        info: session.info().and_then(text),
        log_level: session.log_level().map(|level| level.as_str().to_owned()),
        roots_version: session.roots_version(),
    })
}

/// A trace context beyond its bound is not carried on, as W3C Trace Context allows.
fn bounded_trace(trace: &str) -> Option<String> {
    (trace.len() <= TRACE_BYTES_MAX).then(|| trace.to_owned())
}
