//! Calls between two nodes, seen from both ends over an in-memory substream: the rig that the tests share.

#![allow(clippy::unwrap_used)]

mod answers;
mod endings;
mod reuse;
mod transports;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::io::{ReadHalf, WriteHalf};
use peerage_protocol::id::{NodeId, ServerName};
use peerage_protocol::limits::{BODY_BYTES_MAX, HOPS_MAX, OPENING_DEADLINE};
use peerage_protocol::wire::call as wire;
use peerage_protocol::wire::failure::{Failure, FailureKind};
use peerage_protocol::wire::frame::{Frame, FrameKind};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::aside::Aside;
use super::backend::Backend;
use super::backend::peer::PeerBackend;
use super::call::{
    ASIDES_WAITING_MAX, Call, CallError, Caller, Era, Notification, Reply, ReplyBody,
};
use super::client::Client;
use super::frontend::admission::Admission;
use super::frontend::peer::{CallService, ExchangeService, Peer, PeerFrontend};
use super::mcp::splice::Params;
use crate::net::framed::{FrameReader, FrameWriter, split};
use crate::net::substream::{ExchangeError, OpenSubstream, exchange};
use crate::net::{Door, OpenError};

type Substream = Compat<DuplexStream>;
type Served = BoxFuture<'static, Result<Reply, CallError>>;

fn caller_id() -> NodeId {
    NodeId::from_public_key([1; 32])
}

fn answerer_id() -> NodeId {
    NodeId::from_public_key([2; 32])
}

fn substream() -> (Substream, Substream) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    (near.compat(), far.compat())
}

/// A router made of one closure.
struct Service<F>(F);

impl<F> CallService for Service<F>
where
    F: Fn(ServerName, Call) -> Served + Send + Sync + 'static,
{
    fn call(&self, server: ServerName, call: Call) -> BoxFuture<'_, Result<Reply, CallError>> {
        (self.0)(server, call)
    }
}

/// Answers `echo` with the question.
struct Echo;

impl ExchangeService for Echo {
    fn exchange(
        &self,
        from: NodeId,
        kind: String,
        body: Bytes,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        assert_eq!(from, caller_id());
        let answer = match kind.as_str() {
            "echo" => Ok(body),
            _ => Err(CallError::UnknownMethod { method: kind }),
        };
        async move { answer }.boxed()
    }
}

/// A link to a node that serves every substream with a frontend.
struct Link {
    frontend: PeerFrontend,
}

impl OpenSubstream for Link {
    type Stream = Substream;

    fn open(&self, node: NodeId) -> BoxFuture<'_, Result<Substream, OpenError>> {
        assert_eq!(node, answerer_id());
        let (near, far) = substream();
        let frontend = self.frontend.clone();
        tokio::spawn(async move { frontend.serve(caller(), far).await });
        async move { Ok(near) }.boxed()
    }
}

/// A link whose far ends are handed to the test.
struct Scripted(mpsc::UnboundedSender<Substream>);

impl OpenSubstream for Scripted {
    type Stream = Substream;

    fn open(&self, node: NodeId) -> BoxFuture<'_, Result<Substream, OpenError>> {
        let (near, far) = substream();
        let opened = self.0.send(far).map(|()| near);
        async move { opened.map_err(|_| OpenError::NotConnected { node }) }.boxed()
    }
}

fn caller() -> Peer {
    Peer {
        node: caller_id(),
        name: "desk".parse().unwrap(),
    }
}

fn backend<O: OpenSubstream>(opener: O) -> Arc<PeerBackend<O>> {
    let names = ("laptop".parse().unwrap(), "files".parse().unwrap());
    Arc::new(PeerBackend::new(
        caller_id(),
        answerer_id(),
        names.0,
        names.1,
        Arc::new(opener),
    ))
}

fn frontend<F>(admission: &Arc<Admission>, service: F) -> PeerFrontend
where
    F: Fn(ServerName, Call) -> Served + Send + Sync + 'static,
{
    PeerFrontend::new(
        answerer_id(),
        Arc::clone(admission),
        Arc::new(Service(service)),
        Arc::new(Echo),
        Door::default(),
    )
}

fn linked<F>(service: F) -> Arc<PeerBackend<Link>>
where
    F: Fn(ServerName, Call) -> Served + Send + Sync + 'static,
{
    let frontend = frontend(&Arc::default(), service);
    backend(Link { frontend })
}

fn scripted() -> (
    Arc<PeerBackend<Scripted>>,
    mpsc::UnboundedReceiver<Substream>,
) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (backend(Scripted(sender)), receiver)
}

fn call_with(params: &[u8]) -> (Call, mpsc::Receiver<Aside>) {
    let (asides, heard) = mpsc::channel(ASIDES_WAITING_MAX);
    let call = Call {
        caller: Caller::Agent("claude".parse().unwrap()),
        era: Era::Modern,
        method: "tools/call".into(),
        params: Params::scan(Bytes::copy_from_slice(params)).unwrap(),
        deadline: Instant::now() + Duration::from_secs(60),
        via: vec![],
        trace: Some("00-trace-01".into()),
        client: Client::Stateless,
        asides,
    };
    (call, heard)
}

/// A JSON object of `length` bytes, no two stretches of which are alike.
fn object_of(length: usize) -> Vec<u8> {
    let letters = (0..length - 8).map(|n| b'a' + ((n * n / 97) % 26) as u8);
    let mut json = b"{\"x\":\"".to_vec();
    json.extend(letters);
    json.extend(b"\"}");
    assert_eq!(json.len(), length);
    json
}

/// What `future` comes to, well before any call's deadline.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, future).await.unwrap()
}

fn call() -> Call {
    call_with(b"{}").0
}

fn result(json: impl Into<Bytes>) -> Result<Reply, CallError> {
    Ok(Reply {
        era: Era::Legacy,
        body: ReplyBody::Result(json.into()),
    })
}

/// The notification in what an upstream said.
fn told(aside: Aside) -> Notification {
    match aside {
        Aside::Notification(notification) => notification,
        other => panic!("no notification: {other:?}"),
    }
}

fn notification(number: usize) -> Notification {
    Notification(format!("{{\"progress\":{number}}}").into())
}

/// A service that says when it was called, then never answers, and says when it was dropped.
fn endless() -> (
    impl Fn(ServerName, Call) -> Served,
    mpsc::UnboundedReceiver<&'static str>,
) {
    struct OnDrop(mpsc::UnboundedSender<&'static str>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    let service = move |_, call| {
        let guard = OnDrop(sender.clone());
        async move {
            let _call: Call = call;
            guard.0.send("called").unwrap();
            std::future::pending().await
        }
        .boxed()
    };
    (service, receiver)
}

type Reader = FrameReader<ReadHalf<Substream>>;
type Writer = FrameWriter<WriteHalf<Substream>>;

/// A frontend and the raw other end of a substream that it serves.
fn served<F>(admission: &Arc<Admission>, service: F) -> (Reader, Writer)
where
    F: Fn(ServerName, Call) -> Served + Send + Sync + 'static,
{
    let frontend = frontend(admission, service);
    let (near, far) = substream();
    tokio::spawn(async move { frontend.serve(caller(), far).await });
    split(near)
}

fn header() -> wire::CallHeader {
    wire::CallHeader {
        server: "files".parse().unwrap(),
        method: "tools/call".to_owned(),
        agent: None,
        era: wire::Era::Modern,
        time_left_ms: 60_000,
        trace: None,
        via: vec![caller_id()],
        client: None,
    }
}

fn question(header: wire::CallHeader) -> [Frame; 2] {
    let opening = wire::Opening::Call(header).encode();
    [
        Frame::new(FrameKind::Opening, opening.into()),
        Frame::new(FrameKind::Params, Bytes::from_static(b"{}")),
    ]
}

async fn heard_failure(reader: &mut Reader) -> Failure {
    let frame = reader.read_frame().await.unwrap().unwrap();
    assert_eq!(frame.kind, FrameKind::Failure);
    let end = reader.read_frame().await.unwrap();
    assert_eq!(end, Some(Frame::signal(FrameKind::End)));
    Failure::decode(&frame.payload).unwrap()
}
