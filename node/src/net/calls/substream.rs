//! One substream of a call or an exchange; while it lives, its connection is in use.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};
use libp2p::Stream;

use super::open_count::OpenGuard;
use super::spares::Spares;

/// A substream to a member; dropping it ends both directions.
#[derive(Debug)]
pub struct CallSubstream {
    stream: Stream,
    _open: OpenGuard,
    /// Where it rests between two calls; those the other end opened do not.
    spares: Option<Spares>,
}

impl CallSubstream {
    pub(super) fn new(stream: Stream, open: OpenGuard) -> Self {
        Self {
            stream,
            _open: open,
            spares: None,
        }
    }

    /// The same, but kept in `spares` when it rests.
    pub(super) fn resting_in(self, spares: Spares) -> Self {
        Self {
            spares: Some(spares),
            ..self
        }
    }

    /// Keeps it for another call on its connection, which is not in use by it any more.
    pub fn rest(self) {
        if let Some(spares) = self.spares {
            spares.put(self.stream);
        }
    }
}

impl AsyncRead for CallSubstream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read_vectored(cx, buffers)
    }
}

impl AsyncWrite for CallSubstream {
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
