//! A place at the door: one handshake under way, from the first packet to the gate's verdict.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::sync::oneshot;

use super::{Door, Offence, Source};

/// Held while a handshake goes on; dropped, it is free.
pub(crate) struct Place {
    door: Door,
    number: u64,
    source: Source,
    evicted: oneshot::Receiver<()>,
}

impl Place {
    pub(super) fn new(
        door: Door,
        number: u64,
        source: Source,
        evicted: oneshot::Receiver<()>,
    ) -> Self {
        Self {
            door,
            number,
            source,
            evicted,
        }
    }

    /// What `handshake` comes to; `None` where it took so long that somebody else was given the place.
    pub(crate) async fn within<F: Future>(&mut self, handshake: F) -> Option<F::Output> {
        let mut handshake = std::pin::pin!(handshake);
        poll_fn(|cx| {
            if let Poll::Ready(output) = handshake.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            Pin::new(&mut self.evicted).poll(cx).map(|_| None)
        })
        .await
    }

    /// The handshake ended in an offence.
    pub(crate) fn offended(self, offence: Offence) {
        self.door.stranger_offended(self.source, offence);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.leave(self.number);
    }
}
