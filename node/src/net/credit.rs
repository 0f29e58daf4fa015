//! What a connection may bring before its other end is known: little, until the gate opens the credit.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxerBox;
use peerage_protocol::limits::GATE_MESSAGE_BYTES_MAX;

use super::door::Place;
use super::quic;

/// Bytes that a byte stream brings before the gate has been passed: two messages and what the muxer puts around them.
const GATE_BYTES_MAX: usize = 4 * GATE_MESSAGE_BYTES_MAX;

/// A secure channel whose other end has shown nothing yet but its key.
pub(crate) struct Arrival {
    /// Its substreams.
    pub(crate) muxer: StreamMuxerBox,
    /// What it may bring.
    pub(crate) credit: Credit,
    /// Its place at the door; `None` of a dial, and of a channel within this process.
    pub(crate) place: Option<Place>,
}

/// Opens what may be received on one connection.
pub(crate) enum Credit {
    /// Of a QUIC connection, which has windows.
    Windows(quic::Windows),
    /// Of a byte stream, which is read only so far.
    Bytes(Allowance),
}

impl Credit {
    /// The other end is a member: it may send as much as a member may.
    pub(crate) fn open(&self) {
        match self {
            Self::Windows(windows) => windows.open(),
            Self::Bytes(allowance) => allowance.open(),
        }
    }
}

/// How much of a byte stream may still be read.
#[derive(Clone)]
pub(crate) struct Allowance {
    shared: Arc<Shared>,
}

struct Shared {
    /// [`OPEN`] once there is no bound any more.
    left: AtomicUsize,
    opened: AtomicWaker,
}

const OPEN: usize = usize::MAX;

impl Allowance {
    fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                left: AtomicUsize::new(GATE_BYTES_MAX),
                opened: AtomicWaker::new(),
            }),
        }
    }

    fn open(&self) {
        self.shared.left.store(OPEN, Ordering::Release);
        self.shared.opened.wake();
    }

    fn left(&self) -> usize {
        self.shared.left.load(Ordering::Acquire)
    }

    /// Only the stream's reader takes, so that between two looks it can only have been opened.
    fn take(&self, bytes: usize) {
        let left = &self.shared.left;
        // An error says that it was opened meanwhile.
        let _ = left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
            (left != OPEN).then(|| left.saturating_sub(bytes))
        });
    }
}

/// What happens when the allowance is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// The stream fails: a stranger has no more to say.
    Fails,
    /// The stream waits: a listener may speak as soon as it has let this node in.
    Waits,
}

/// A byte stream of which only so much is read until its allowance is opened.
pub(crate) struct Limited<S> {
    stream: S,
    allowance: Allowance,
    beyond: Beyond,
}

impl<S> Limited<S> {
    pub(crate) fn new(stream: S, beyond: Beyond) -> Self {
        let allowance = Allowance::new();
        Self {
            stream,
            allowance,
            beyond,
        }
    }

    pub(crate) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    /// How much may be read now.
    fn poll_left(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match (self.allowance.left(), self.beyond) {
            (0, Beyond::Fails) => Poll::Ready(Err(io::Error::other(TooMuchForTheGate))),
            (0, Beyond::Waits) => {
                self.allowance.shared.opened.register(cx.waker());
                match self.allowance.left() {
                    0 => Poll::Pending,
                    left => Poll::Ready(Ok(left)),
                }
            }
            (left, _) => Poll::Ready(Ok(left)),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let left = std::task::ready!(self.poll_left(cx))?;
        if left == OPEN {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let most = buffer.len().min(left);
        let read =
            std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer[..most]))?;
        self.allowance.take(read);
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// More came before the gate was passed than anybody has to say there.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("more than {GATE_BYTES_MAX} bytes before the gate was passed")]
pub(crate) struct TooMuchForTheGate;

impl TooMuchForTheGate {
    /// Whether `error` says so, however deep inside.
    pub(crate) fn is_behind(error: &io::Error) -> bool {
        let mut inner = error.get_ref().map(|error| error as &dyn std::error::Error);
        while let Some(error) = inner {
            if error.is::<Self>() {
                return true;
            }
            let io = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            inner = io
                .map(|error| error as &dyn std::error::Error)
                .or_else(|| error.source());
        }
        false
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::AsyncReadExt;
    use futures::FutureExt;
    use futures::io::Cursor;

    use super::*;

    fn stream(beyond: Beyond) -> Limited<Cursor<Vec<u8>>> {
        Limited::new(Cursor::new(vec![0; 3 * GATE_BYTES_MAX]), beyond)
    }

    #[tokio::test]
    async fn a_stranger_is_read_so_far_and_then_the_stream_fails() {
        let mut stream = stream(Beyond::Fails);
        let mut gate = vec![0; GATE_BYTES_MAX];
        stream.read_exact(&mut gate).await.unwrap();
        let error = stream.read(&mut gate).await.unwrap_err();
        assert!(TooMuchForTheGate::is_behind(&error));
        assert!(TooMuchForTheGate::is_behind(&io::Error::other(error)));
    }

    #[tokio::test]
    async fn what_a_listener_says_early_waits_until_it_is_trusted() {
        let mut stream = stream(Beyond::Waits);
        let allowance = stream.allowance();
        let mut gate = vec![0; GATE_BYTES_MAX];
        stream.read_exact(&mut gate).await.unwrap();
        assert!(stream.read(&mut gate).now_or_never().is_none());
        allowance.open();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest.len(), 2 * GATE_BYTES_MAX);
    }

    #[tokio::test]
    async fn a_member_is_read_without_bound() {
        let mut stream = stream(Beyond::Fails);
        stream.allowance().open();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), 3 * GATE_BYTES_MAX);
    }
}
