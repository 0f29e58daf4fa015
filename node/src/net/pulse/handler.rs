//! One connection's pulse: the dialer opens the substream, both ends beat on it, both ends listen to it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::core::util::unreachable;
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol};
use libp2p::{Stream, StreamProtocol};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::PROTOCOL;
use super::silence::{Due, Silence, TICK};

/// One sign of life.
const BEAT: [u8; 1] = [1];

/// The other end was silent for too long.
#[derive(Debug)]
pub(crate) struct Silent;

/// Lives as long as its connection.
pub(crate) struct Handler {
    open_due: bool,
    substream: Option<Stream>,
    beat_due: bool,
    silence: Silence,
    ticks: Interval,
    reported: bool,
}

impl Handler {
    /// `dialer` opens the substream; the other end waits for it, and counts its absence as silence.
    pub(super) fn new(dialer: bool) -> Self {
        let mut ticks = tokio::time::interval_at(Instant::now() + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            open_due: dialer,
            substream: None,
            beat_due: false,
            silence: Silence::default(),
            ticks,
            reported: false,
        }
    }

    fn take(&mut self, substream: Stream) {
        self.substream = Some(substream);
        self.beat_due = true;
    }

    /// Reads all signs of life there are; what they say does not matter. A broken substream stays silent.
    fn listen(&mut self, cx: &mut Context<'_>) {
        let mut heard = [0; 64];
        let Some(substream) = &mut self.substream else {
            return;
        };
        match Pin::new(substream).poll_read(cx, &mut heard) {
            Poll::Ready(Ok(1..)) => {
                self.silence.broken();
                // There may be more; a turn of its own, so that a flood does not keep this connection busy.
                cx.waker().wake_by_ref();
            }
            Poll::Ready(Ok(0) | Err(_)) => self.substream = None,
            Poll::Pending => {}
        }
    }

    /// Sends the sign of life that is due; one at most is ever waiting.
    fn beat(&mut self, cx: &mut Context<'_>) {
        let Some(substream) = &mut self.substream else {
            return;
        };
        let mut substream = Pin::new(substream);
        if self.beat_due {
            match substream.as_mut().poll_write(cx, &BEAT) {
                Poll::Ready(Ok(_)) => self.beat_due = false,
                Poll::Ready(Err(_)) => return self.substream = None,
                Poll::Pending => return,
            }
        }
        if let Poll::Ready(Err(_)) = substream.poll_flush(cx) {
            self.substream = None;
        }
    }

    /// Whether the other end is dead.
    fn watch(&mut self, cx: &mut Context<'_>) -> bool {
        while self.ticks.poll_tick(cx).is_ready() {
            match self.silence.tick() {
                Due::Nothing => {}
                Due::Beat => self.beat_due = true,
                Due::Death => return true,
            }
        }
        false
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Silent;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Silent>> {
        if std::mem::take(&mut self.open_due) {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        if self.reported {
            return Poll::Pending;
        }
        self.listen(cx);
        if self.watch(cx) {
            self.reported = true;
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Silent));
        }
        self.beat(cx);
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        unreachable(event)
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            })
            | ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol, ..
            }) => self.take(protocol),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use peerage_protocol::limits::LINK_SILENCE_MAX;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_sign_of_life_is_reported_once() {
        let started = Instant::now();
        let mut handler = Handler::new(false);
        let event = poll_fn(|cx| handler.poll(cx)).await;
        assert!(matches!(
            event,
            ConnectionHandlerEvent::NotifyBehaviour(Silent)
        ));
        assert_eq!(started.elapsed(), LINK_SILENCE_MAX);
        let again = tokio::time::timeout(LINK_SILENCE_MAX * 2, poll_fn(|cx| handler.poll(cx)));
        assert!(again.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_this_node_did_not_run_is_not_held_against_the_other() {
        let mut handler = Handler::new(false);
        tokio::time::advance(LINK_SILENCE_MAX * 4).await;
        let dead = poll_fn(|cx| Poll::Ready(handler.watch(cx))).await;
        assert!(!dead);
    }

    #[tokio::test]
    async fn only_the_dialer_opens_the_substream() {
        let mut dialer = Handler::new(true);
        let event = poll_fn(|cx| dialer.poll(cx)).await;
        assert!(matches!(
            event,
            ConnectionHandlerEvent::OutboundSubstreamRequest { .. }
        ));
        let mut listener = Handler::new(false);
        let event = poll_fn(|cx| Poll::Ready(listener.poll(cx))).await;
        assert!(event.is_pending());
    }
}
