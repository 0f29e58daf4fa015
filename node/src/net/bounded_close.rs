//! A muxer that closes within a bound, even when the other end reads nothing any more.
//!
//! Without it a frozen peer with full TCP buffers would hold a dead connection, and every call on it, for minutes.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::muxing::{
    StreamMuxer, StreamMuxerBox, StreamMuxerEvent, StreamMuxerExt, SubstreamBox,
};
use tokio::time::Sleep;

/// How long closing may take before the connection is dropped as it is.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// Wraps a muxer; everything but closing passes through.
pub(crate) struct BoundedClose {
    muxer: StreamMuxerBox,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl BoundedClose {
    /// Bounds how long `muxer` may take to close.
    pub(crate) fn new(muxer: StreamMuxerBox) -> Self {
        Self {
            muxer,
            deadline: None,
        }
    }
}

impl StreamMuxer for BoundedClose {
    type Substream = SubstreamBox;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<SubstreamBox>> {
        self.muxer.poll_inbound_unpin(cx)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<SubstreamBox>> {
        self.muxer.poll_outbound_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(closed) = self.muxer.poll_close_unpin(cx) {
            return Poll::Ready(closed);
        }
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(CLOSE_MAX)));
        deadline.as_mut().poll(cx).map(Ok)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        self.muxer.poll_unpin(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A muxer whose other end never answers.
    struct Frozen;

    impl StreamMuxer for Frozen {
        type Substream = futures::io::Cursor<Vec<u8>>;
        type Error = io::Error;

        fn poll_inbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<io::Result<Self::Substream>> {
            Poll::Pending
        }

        fn poll_outbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<io::Result<Self::Substream>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_frozen_connection_is_closed_within_the_bound() {
        let started = tokio::time::Instant::now();
        let muxer = BoundedClose::new(StreamMuxerBox::new(Frozen));
        assert!(muxer.close().await.is_ok());
        assert_eq!(started.elapsed().as_secs(), CLOSE_MAX.as_secs());
    }
}
