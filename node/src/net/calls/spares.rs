//! Substreams of one connection that have carried a call and wait for another: it costs no opening, no negotiation and
//! no closing.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use futures::AsyncRead;
use libp2p::Stream;
use peerage_protocol::limits::{SUBSTREAM_REST_MAX, SUBSTREAMS_RESTING_MAX};
use tokio::time::Instant;

/// The resting substreams of one connection; clones share them.
#[derive(Debug)]
pub(super) struct Spares<S = Stream>(Arc<Mutex<VecDeque<Spare<S>>>>);

#[derive(Debug)]
struct Spare<S> {
    stream: S,
    since: Instant,
}

impl<S> Clone for Spares<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> Default for Spares<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S: AsyncRead + Unpin> Spares<S> {
    /// Keeps `stream`; beyond the bound, the one that rests longest ends.
    pub(super) fn put(&self, stream: S) {
        let since = Instant::now();
        let mut spares = self.lock();
        spares.push_back(Spare { stream, since });
        if spares.len() > SUBSTREAMS_RESTING_MAX {
            spares.pop_front();
        }
    }

    /// The one that rested last, unless it has rested too long: then all have, and end.
    pub(super) fn take(&self) -> Option<S> {
        let mut spares = self.lock();
        while let Some(mut spare) = spares.pop_back() {
            if spare.since.elapsed() > SUBSTREAM_REST_MAX {
                spares.clear();
                return None;
            }
            if is_silent(&mut spare.stream) {
                return Some(spare.stream);
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Spare<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nothing has come, not even an end: what rests has nothing to say.
fn is_silent<S: AsyncRead + Unpin>(stream: &mut S) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    let mut byte = [0];
    Pin::new(stream)
        .poll_read(&mut context, &mut byte)
        .is_pending()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::{AsyncReadExt, AsyncWriteExt};
    use tokio::io::{DuplexStream, duplex};
    use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

    use super::*;

    fn pair() -> (Compat<DuplexStream>, Compat<DuplexStream>) {
        let (near, far) = duplex(16);
        (near.compat(), far.compat())
    }

    #[tokio::test]
    async fn what_was_put_in_is_taken_out_once_and_still_works() {
        let spares = Spares::default();
        let (near, mut far) = pair();
        spares.put(near);
        let mut near = spares.take().unwrap();
        assert!(spares.take().is_none());
        far.write_all(b"answer").await.unwrap();
        let mut heard = [0; 6];
        near.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"answer");
    }

    #[tokio::test]
    async fn one_that_has_ended_or_speaks_unasked_is_passed_over() {
        let spares = Spares::default();
        let (good, _far) = pair();
        let (ended, gone) = pair();
        let (talkative, mut talker) = pair();
        drop(gone);
        talker.write_all(b"!").await.unwrap();
        for stream in [good, ended, talkative] {
            spares.put(stream);
        }
        assert!(spares.take().is_some());
        assert!(spares.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_have_rested_too_long_end() {
        let spares = Spares::default();
        let mut pairs = [pair(), pair()].map(|(near, far)| {
            spares.put(near);
            far
        });
        tokio::time::advance(SUBSTREAM_REST_MAX * 2).await;
        assert!(spares.take().is_none());
        for far in &mut pairs {
            assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn beyond_the_bound_the_oldest_ends() {
        let spares = Spares::default();
        let fars: Vec<_> = (0..=SUBSTREAMS_RESTING_MAX)
            .map(|_| {
                let (near, far) = pair();
                spares.put(near);
                far
            })
            .collect();
        assert_eq!(spares.lock().len(), SUBSTREAMS_RESTING_MAX);
        let mut oldest = fars.into_iter().next().unwrap();
        assert_eq!(oldest.read(&mut [0]).await.unwrap(), 0);
    }
}
