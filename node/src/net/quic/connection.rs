//! One QUIC connection as a muxer of substreams.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use quinn::{ConnectionError, RecvStream, SendStream, VarInt};

use super::upgrade::Stands;

/// How often, and how long apart, it is looked whether the last packet of a connection has gone out.
const CLOSE_SENT_LOOKS: u32 = 100;
const CLOSE_SENT_LOOK: Duration = Duration::from_millis(1);

type Opening = BoxFuture<'static, Result<(SendStream, RecvStream), ConnectionError>>;

/// Substreams over one connection.
pub(super) struct Connection {
    connection: quinn::Connection,
    inbound: Option<Opening>,
    outbound: Option<Opening>,
    closed: Option<BoxFuture<'static, ConnectionError>>,
    /// Dropped with the connection.
    _standing: Stands,
}

impl Connection {
    pub(super) fn new(connection: quinn::Connection, standing: Stands) -> Self {
        Self {
            connection,
            _standing: standing,
            inbound: None,
            outbound: None,
            closed: None,
        }
    }
}

/// Polls what opens a substream; the next one is another future.
fn poll_opening(
    opening: &mut Option<Opening>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Substream>> {
    let Some(future) = opening else {
        return Poll::Pending;
    };
    let opened = ready!(future.as_mut().poll(cx));
    *opening = None;
    let (send, receive) = opened?;
    Poll::Ready(Ok(Substream {
        send,
        receive,
        closed: None,
    }))
}

impl StreamMuxer for Connection {
    type Substream = Substream;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Substream>> {
        if self.inbound.is_none() {
            let connection = self.connection.clone();
            self.inbound = Some(Box::pin(async move { connection.accept_bi().await }));
        }
        poll_opening(&mut self.inbound, cx)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Substream>> {
        if self.outbound.is_none() {
            let connection = self.connection.clone();
            self.outbound = Some(Box::pin(async move { connection.open_bi().await }));
        }
        poll_opening(&mut self.outbound, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.connection.clone();
        let closed = self
            .closed
            .get_or_insert_with(|| Box::pin(close(connection)));
        match ready!(closed.as_mut().poll(cx)) {
            ConnectionError::LocallyClosed => Poll::Ready(Ok(())),
            error => Poll::Ready(Err(error.into())),
        }
    }

    /// The connection's own task drives it; there is nothing to do here.
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Poll::Pending
    }
}

/// Closes the connection, and lets the packet out that says so: a process that ends takes with it what was not sent,
/// and the other end would wait for silence.
async fn close(connection: quinn::Connection) -> ConnectionError {
    let sent = |connection: &quinn::Connection| connection.stats().udp_tx.datagrams;
    let before = sent(&connection);
    connection.close(VarInt::from_u32(0), &[]);
    let cause = connection.closed().await;
    for _ in 0..CLOSE_SENT_LOOKS {
        let said = sent(&connection) > before;
        if said || !matches!(cause, ConnectionError::LocallyClosed) {
            break;
        }
        tokio::time::sleep(CLOSE_SENT_LOOK).await;
    }
    cause
}

/// One substream: two streams of QUIC, one for each direction.
pub(crate) struct Substream {
    send: SendStream,
    receive: RecvStream,
    /// How closing ended: a second close says the same.
    closed: Option<Result<(), io::ErrorKind>>,
}

impl AsyncRead for Substream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if matches!(self.closed, Some(Err(_))) {
            return Poll::Ready(Ok(0));
        }
        AsyncRead::poll_read(Pin::new(&mut self.receive), cx, buffer)
    }
}

impl AsyncWrite for Substream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.send), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.send), cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(closed) = self.closed {
            return Poll::Ready(closed.map_err(Into::into));
        }
        let closed = ready!(AsyncWrite::poll_close(Pin::new(&mut self.send), cx));
        self.closed = Some(closed.as_ref().copied().map_err(io::Error::kind));
        Poll::Ready(closed)
    }
}
