//! One end of a channel on which everything takes a while: bytes come in order, and as late as the link is long.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

/// Bytes under way; more wait at the sender.
const UNDER_WAY_MAX: usize = 4 * 1024 * 1024;

/// Bytes taken from the channel at once.
const CHUNK: usize = 4 * 1024;

/// Delays what is read; what is written is delayed by the other end.
pub(super) struct Delayed<S> {
    channel: S,
    latency: Duration,
    under_way: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// When the end of the channel arrives.
    end: Option<(Instant, io::Result<()>)>,
    arrival: Pin<Box<Sleep>>,
}

impl<S> Delayed<S> {
    pub(super) fn new(channel: S, latency: Duration) -> Self {
        Self {
            channel,
            latency,
            under_way: VecDeque::new(),
            bytes: 0,
            end: None,
            arrival: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }

    /// Hands out what has arrived; `None` while nothing has.
    fn arrived(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        let (due, bytes) = self.under_way.front_mut()?;
        if *due > now {
            return None;
        }
        let taken = bytes.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&bytes[..taken]);
        bytes.drain(..taken);
        if bytes.is_empty() {
            self.under_way.pop_front();
        }
        self.bytes -= taken;
        Some(taken)
    }

    /// When the next thing arrives.
    fn next_due(&self) -> Option<Instant> {
        let bytes = self.under_way.front().map(|(due, _)| *due);
        bytes.or_else(|| self.end.as_ref().map(|(due, _)| *due))
    }
}

impl<S: AsyncRead + Unpin> Delayed<S> {
    /// Takes whatever the sender has sent by now.
    fn take_in(&mut self, cx: &mut Context<'_>, now: Instant) {
        let mut chunk = [0; CHUNK];
        while self.end.is_none() && self.bytes < UNDER_WAY_MAX {
            let due = now + self.latency;
            match Pin::new(&mut self.channel).poll_read(cx, &mut chunk) {
                Poll::Ready(Ok(0)) => self.end = Some((due, Ok(()))),
                Poll::Ready(Err(error)) => self.end = Some((due, Err(error))),
                Poll::Ready(Ok(taken)) => {
                    self.bytes += taken;
                    self.under_way.push_back((due, chunk[..taken].to_vec()));
                }
                Poll::Pending => return,
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Delayed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let now = Instant::now();
            self.take_in(cx, now);
            if let Some(taken) = self.arrived(now, buffer) {
                return Poll::Ready(Ok(taken));
            }
            if self.under_way.is_empty()
                && let Some((_, end)) = self.end.take_if(|(due, _)| *due <= now)
            {
                return Poll::Ready(end.map(|()| 0));
            }
            let Some(due) = self.next_due() else {
                return Poll::Pending;
            };
            self.arrival.as_mut().reset(due);
            if self.arrival.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Delayed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.channel).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;

    const LATENCY: Duration = Duration::from_millis(50);

    fn link() -> (impl AsyncWrite, Delayed<impl AsyncRead>) {
        let (near, far) = tokio::io::duplex(64 * 1024);
        (near.compat(), Delayed::new(far.compat(), LATENCY))
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_and_the_end_come_in_order_and_late() {
        let (mut near, mut far) = link();
        let sent = Instant::now();
        near.write_all(b"first").await.unwrap();
        let mut heard = [0; 5];
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"first");
        assert!(sent.elapsed() >= LATENCY, "{:?}", sent.elapsed());
        let closed = Instant::now();
        near.write_all(b"last").await.unwrap();
        near.close().await.unwrap();
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"last");
        assert!(closed.elapsed() >= LATENCY);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_together_arrives_together() {
        let (mut near, mut far) = link();
        let reading = tokio::spawn(async move {
            let mut heard = vec![0; 200_000];
            far.read_exact(&mut heard).await.unwrap();
            heard
        });
        let sent = Instant::now();
        near.write_all(&vec![7; 200_000]).await.unwrap();
        assert!(reading.await.unwrap().iter().all(|byte| *byte == 7));
        assert!(sent.elapsed() < LATENCY * 2, "{:?}", sent.elapsed());
    }
}
