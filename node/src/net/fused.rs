//! A substream that is not touched again once reading from it has failed.
//!
//! libp2p settles a substream's protocol lazily, with the first read; when that fails, the substream is left in a
//! state in which any further use panics (`multistream-select`, `Negotiated`).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};

/// Passes everything on until a read fails; from then on everything fails.
#[derive(Debug)]
pub struct Fused<S> {
    inner: S,
    failed: bool,
}

impl<S> Fused<S> {
    /// A substream that has not failed yet.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            failed: false,
        }
    }

    /// The substream itself, unless a read has failed.
    pub fn into_unfailed(self) -> Option<S> {
        (!self.failed).then_some(self.inner)
    }

    fn usable(&mut self) -> io::Result<&mut S> {
        if self.failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(&mut self.inner)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Fused<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(self.usable()?).poll_read(cx, buffer);
        self.failed = matches!(read, Poll::Ready(Err(_)));
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Fused<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.usable()?).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.usable()?).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.usable()?).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Fails its first read and panics at any use after it, as a lazily negotiated substream does.
    #[derive(Default)]
    struct Brittle {
        broken: bool,
    }

    impl Brittle {
        fn used(&self) {
            assert!(!self.broken, "used after it had failed");
        }
    }

    impl AsyncRead for Brittle {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.used();
            self.broken = true;
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }
    }

    impl AsyncWrite for Brittle {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.used();
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.used();
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.used();
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn after_a_failed_read_every_use_is_an_error_and_none_reaches_the_substream() {
        let mut substream = Fused::new(Brittle::default());
        substream.write_all(b"question").await.unwrap();
        let mut buffer = [0; 8];
        let first = substream.read(&mut buffer).await.unwrap_err();
        assert_eq!(first.kind(), io::ErrorKind::ConnectionReset);
        assert!(substream.read(&mut buffer).await.is_err());
        assert!(substream.write_all(b"cancel").await.is_err());
        assert!(substream.flush().await.is_err());
        assert!(substream.close().await.is_err());
    }
}
