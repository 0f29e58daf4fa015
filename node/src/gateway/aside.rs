//! What an upstream says to a caller besides the answer: notifications, and requests of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::call::{Notification, ReplyBody};

/// Something for the caller, before the answer to its call or outside of any.
#[derive(Debug)]
pub enum Aside {
    /// To be told.
    Notification(Notification),
    /// To be answered.
    Request(ServerRequest),
    /// Not to be answered any more.
    Withdrawn(Withdrawn),
}

/// A request of an upstream to its client: sampling, elicitation, roots.
#[derive(Debug)]
pub struct ServerRequest {
    /// Tells it from every other request of this node's upstreams.
    pub number: u64,
    /// Its method.
    pub method: Box<str>,
    /// Its raw params.
    pub params: Option<Bytes>,
    /// Where the client's answer goes; dropped, there is none.
    pub answer: oneshot::Sender<ReplyBody>,
}

/// A request that its upstream gives up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// The [`number`](ServerRequest::number) of the request.
    pub request: u64,
    /// The upstream's whole `notifications/cancelled`, which names the request by the upstream's id.
    pub message: Bytes,
}

/// Carries the asides of one call to its frontend.
pub type AsideSender = mpsc::Sender<Aside>;

impl Aside {
    /// A whole JSON-RPC notification.
    pub const fn notification(message: Bytes) -> Self {
        Self::Notification(Notification(message))
    }
}

impl ServerRequest {
    /// A request, and where its answer will come.
    pub fn new(
        method: impl Into<Box<str>>,
        params: Option<Bytes>,
    ) -> (Self, oneshot::Receiver<ReplyBody>) {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let (answer, answered) = oneshot::channel();
        let request = Self {
            number: LAST.fetch_add(1, Ordering::Relaxed),
            method: method.into(),
            params,
            answer,
        };
        (request, answered)
    }

    /// Answers that the client cannot do that.
    pub fn refuse(self, why: &str) {
        let _ = self.answer.send(ReplyBody::Error(refusal(why)));
    }
}

/// The raw `error` that says that a client does not answer a request.
pub fn refusal(why: &str) -> Bytes {
    serde_json::json!({"code": -32601, "message": why})
        .to_string()
        .into()
}
