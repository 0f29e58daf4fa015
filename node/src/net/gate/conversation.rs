//! One raw substream of a fresh muxer, on which the gate's messages are exchanged.
//!
//! The muxer is polled whenever a message is waited for: yamux makes no progress otherwise.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use peerage_protocol::wire::hello::{
    GateMessage, LENGTH_PREFIX_BYTES, body_length, decode, encode,
};

use super::GateError;

/// How long the end that refuses waits for the other to read it and go.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// What is read and thrown away while the other end goes.
const FAREWELL_BYTES_MAX: usize = 16 * 1024;

/// The handshake's substream and the muxer that carries it.
pub(super) struct Conversation<'m> {
    muxer: &'m mut StreamMuxerBox,
    substream: SubstreamBox,
}

impl<'m> Conversation<'m> {
    /// Opens the substream; the dialer's part.
    pub(super) async fn open(muxer: &'m mut StreamMuxerBox) -> Result<Self, GateError> {
        let substream = poll_fn(|cx| poll_with(muxer, cx, StreamMuxerExt::poll_outbound_unpin));
        let substream = substream.await?;
        Ok(Self { muxer, substream })
    }

    /// Takes the first substream the other end opens; the listener's part.
    pub(super) async fn accept(muxer: &'m mut StreamMuxerBox) -> Result<Self, GateError> {
        let substream = poll_fn(|cx| poll_with(muxer, cx, StreamMuxerExt::poll_inbound_unpin));
        let substream = substream.await?;
        Ok(Self { muxer, substream })
    }

    /// Says one message, flushed.
    pub(super) async fn say<M: GateMessage>(&mut self, message: &M) -> Result<(), GateError> {
        let bytes = encode(message)?;
        let substream = &mut self.substream;
        let write = async {
            substream.write_all(&bytes).await?;
            substream.flush().await
        };
        Ok(with_muxer(self.muxer, write).await??)
    }

    /// Hears one message; its length is checked before anything is allocated for it.
    pub(super) async fn hear<M: GateMessage>(&mut self) -> Result<M, GateError> {
        let substream = &mut self.substream;
        let read = async {
            let mut prefix = [0; LENGTH_PREFIX_BYTES];
            substream.read_exact(&mut prefix).await?;
            let mut body = vec![0; body_length(prefix)?];
            substream.read_exact(&mut body).await?;
            Ok(decode(&body)?)
        };
        with_muxer(self.muxer, read).await?
    }

    /// Waits for `future` and keeps the connection going meanwhile.
    pub(super) async fn meanwhile<F: Future>(&mut self, future: F) -> Result<F::Output, GateError> {
        Ok(with_muxer(self.muxer, future).await?)
    }

    /// Says that nothing more will be said.
    pub(super) async fn finish(&mut self) -> Result<(), GateError> {
        Ok(with_muxer(self.muxer, self.substream.close()).await??)
    }

    /// After the last message to somebody who must go: gives them time to read it, for a dropped QUIC connection
    /// takes unread data with it.
    pub(super) async fn see_off(mut self) -> Result<(), GateError> {
        self.finish().await?;
        let mut rest = (&mut self.substream).take(FAREWELL_BYTES_MAX as u64);
        let mut sink = futures::io::sink();
        let gone = with_muxer(self.muxer, futures::io::copy(&mut rest, &mut sink));
        // Whether they went by closing, by breaking off or not at all makes no difference here.
        let _ = tokio::time::timeout(FAREWELL_MAX, gone).await;
        Ok(())
    }
}

fn poll_with<T>(
    muxer: &mut StreamMuxerBox,
    cx: &mut Context<'_>,
    poll: impl Fn(&mut StreamMuxerBox, &mut Context<'_>) -> Poll<io::Result<T>>,
) -> Poll<io::Result<T>> {
    if let Poll::Ready(outcome) = poll(muxer, cx) {
        return Poll::Ready(outcome);
    }
    match poll_muxer(muxer, cx) {
        Ok(()) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error)),
    }
}

/// Polls `future` and the muxer; when the muxer ends, `future` gets a last chance, for what it waits for may have
/// arrived just before.
async fn with_muxer<F: Future>(muxer: &mut StreamMuxerBox, future: F) -> io::Result<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let Err(error) = poll_muxer(muxer, cx) else {
            return Poll::Pending;
        };
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => Poll::Ready(Err(error)),
        }
    })
    .await
}

/// Lets the muxer work; a change of address does not matter to a handshake.
fn poll_muxer(muxer: &mut StreamMuxerBox, cx: &mut Context<'_>) -> io::Result<()> {
    match muxer.poll_unpin(cx) {
        Poll::Ready(Ok(_)) => {
            cx.waker().wake_by_ref();
            Ok(())
        }
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => Ok(()),
    }
}
