//! Substreams to members: who opens them, and the exchange of one question for one answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::io::{AsyncRead, AsyncWrite};
use peerage_protocol::id::NodeId;
use peerage_protocol::wire::call::{Exchange, Opening};
use peerage_protocol::wire::failure::Failure;
use peerage_protocol::wire::frame::{Frame, FrameKind};

use super::asking::{Answer, AnswerError, ask};
use super::calls::{CallSubstream, Links, OpenError};
use super::fused::Fused;

/// Opens substreams to members; the swarm's handle.
pub trait OpenSubstream: Send + Sync + 'static {
    /// What is opened: dropping it ends both directions.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Opens a substream to `node` over the best connection there is: a fresh one, or one that was given back.
    /// Dropping the future opens nothing.
    fn open(&self, node: NodeId) -> BoxFuture<'_, Result<Self::Stream, OpenError>>;

    /// Takes back a substream on which the far end takes another question; where none are kept, it ends.
    fn give_back(&self, stream: Self::Stream) {
        drop(stream);
    }
}

impl<O: OpenSubstream> OpenSubstream for Arc<O> {
    type Stream = O::Stream;

    fn open(&self, node: NodeId) -> BoxFuture<'_, Result<Self::Stream, OpenError>> {
        self.as_ref().open(node)
    }

    fn give_back(&self, stream: O::Stream) {
        self.as_ref().give_back(stream);
    }
}

impl OpenSubstream for Links {
    type Stream = Fused<CallSubstream>;

    fn open(&self, node: NodeId) -> BoxFuture<'_, Result<Self::Stream, OpenError>> {
        async move { Links::open(self, node).await.map(Fused::new) }.boxed()
    }

    fn give_back(&self, stream: Self::Stream) {
        if let Some(substream) = stream.into_unfailed() {
            substream.rest();
        }
    }
}

/// Asks `node` the question `body` of the given `kind` and waits for the answer for at most `patience`.
pub async fn exchange<O: OpenSubstream>(
    opener: &O,
    node: NodeId,
    kind: &str,
    body: Vec<u8>,
    patience: Duration,
) -> Result<Bytes, ExchangeError> {
    let opening = Opening::Exchange(Exchange {
        kind: kind.to_owned(),
        body,
    });
    let question = [Frame::new(FrameKind::Opening, opening.encode().into())];
    let asked = async {
        let stream = opener.open(node).await?;
        match ask(stream, &question, None).await?.answer {
            Answer::Data(body) => Ok(body),
            Answer::Failure(failure) => Err(ExchangeError::Refused(failure)),
            Answer::Busy => Err(ExchangeError::Busy),
            Answer::Result { .. } | Answer::Error { .. } => Err(ExchangeError::NotData),
        }
    };
    tokio::time::timeout(patience, asked)
        .await
        .unwrap_or(Err(ExchangeError::TimedOut { patience }))
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No substream.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The conversation broke off.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The other node said why not.
    #[error("it refused: {} {}", String::from(.0.kind.clone()), .0.detail)]
    Refused(Failure),
    /// The other node takes no more substreams from here now.
    #[error("it has too much in progress for this node")]
    Busy,
    /// The answer of a call to a question that is none.
    #[error("it answered as if it had been called")]
    NotData,
    /// No answer in time.
    #[error("no answer within {patience:?}")]
    TimedOut {
        /// How long it was waited for.
        patience: Duration,
    },
}
