//! Shows whoever comes over a byte stream to the door, before a byte of the handshake is read.
//!
//! Accepting costs too: when many are turned away, the rest wait in the kernel's queue, which is bounded.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use libp2p::core::transport::{
    Boxed, DialOpts, ListenerId, Transport, TransportError, TransportEvent,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Sleep;

use super::credit::{Arrival, TooMuchForTheGate};
use super::door::{Door, Offence, Place, Source};

/// Arrivals turned away in a row before this waits for [`PAUSE`]: few, as members' calls wait meanwhile.
const TURNED_AWAY_IN_A_ROW: u32 = 4;

/// How long nothing is accepted then.
const PAUSE: Duration = Duration::from_millis(5);

type Upgrade = BoxFuture<'static, io::Result<(PeerId, Arrival)>>;

/// A transport of byte streams with the door before it.
pub(crate) struct Attended {
    inner: Boxed<(PeerId, Arrival)>,
    door: Door,
    turned_away: u32,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Attended {
    pub(crate) fn new(inner: Boxed<(PeerId, Arrival)>, door: Door) -> Self {
        Self {
            inner,
            door,
            turned_away: 0,
            pause: None,
        }
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            std::task::ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// A place for whoever comes from `address`; `Ok(None)` for what needs none.
    fn knock(&mut self, address: &Multiaddr) -> Result<Option<Place>, ()> {
        let Some(source) = Source::of(address) else {
            return Ok(None);
        };
        match self.door.knock(source) {
            Ok(place) => {
                self.turned_away = 0;
                Ok(Some(place))
            }
            Err(refused) => {
                tracing::trace!(from = %address, %refused, "turned away at the door");
                self.turned_away += 1;
                if self.turned_away == TURNED_AWAY_IN_A_ROW {
                    self.turned_away = 0;
                    self.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
                }
                Err(())
            }
        }
    }
}

impl Transport for Attended {
    type Output = (PeerId, Arrival);
    type Error = io::Error;
    type ListenerUpgrade = Upgrade;
    type Dial = <Boxed<(PeerId, Arrival)> as Transport>::Dial;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        self.inner.dial(address, options)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Upgrade, io::Error>> {
        loop {
            std::task::ready!(self.poll_pause(cx));
            let event = std::task::ready!(Pin::new(&mut self.inner).poll(cx));
            let (upgrade, event) = match event {
                TransportEvent::Incoming {
                    listener_id,
                    upgrade,
                    local_addr,
                    send_back_addr,
                } => (upgrade, (listener_id, local_addr, send_back_addr)),
                other => {
                    return Poll::Ready(other.map_upgrade(|upgrade| Box::pin(upgrade) as Upgrade));
                }
            };
            let (listener_id, local_addr, send_back_addr) = event;
            if let Ok(place) = self.knock(&send_back_addr) {
                return Poll::Ready(TransportEvent::Incoming {
                    listener_id,
                    upgrade: Box::pin(in_place(upgrade, place)),
                    local_addr,
                    send_back_addr,
                });
            }
        }
    }
}

/// Waits for the secure channel; an arrival holds its place meanwhile.
async fn in_place(
    upgrade: impl Future<Output = io::Result<(PeerId, Arrival)>>,
    place: Option<Place>,
) -> io::Result<(PeerId, Arrival)> {
    let Some(mut place) = place else {
        return upgrade.await;
    };
    match place.within(upgrade).await {
        Some(Ok((peer, arrival))) => {
            let place = Some(place);
            Ok((peer, Arrival { place, ..arrival }))
        }
        Some(Err(error)) => {
            place.offended(offence(&error));
            Err(error)
        }
        None => Err(io::Error::new(io::ErrorKind::TimedOut, Dawdled)),
    }
}

/// What a stranger has done with whom no secure channel came about.
pub(super) fn offence(error: &io::Error) -> Offence {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    if TooMuchForTheGate::is_behind(error) {
        return Offence::Flood;
    }
    match broken(error) {
        Some(TimedOut | UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe) => {
            Offence::HalfOpen
        }
        _ => Offence::Garbage,
    }
}

/// How the stream broke, if that is behind `error`; a handshake of which nothing is left wraps it more than once.
fn broken(error: &io::Error) -> Option<io::ErrorKind> {
    let mut kind = Some(error.kind()).filter(|kind| *kind != io::ErrorKind::Other);
    let mut inner = error
        .get_ref()
        .map(|error| error as &(dyn std::error::Error + 'static));
    while let (None, Some(error)) = (kind, inner) {
        let io = error.downcast_ref::<io::Error>();
        kind = io
            .map(io::Error::kind)
            .filter(|kind| *kind != io::ErrorKind::Other);
        let deeper = io.and_then(io::Error::get_ref);
        inner = deeper
            .map(|error| error as &(dyn std::error::Error + 'static))
            .or_else(|| error.source());
    }
    kind
}

/// The handshake took long, and somebody else needed the place.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the handshake took too long while others waited")]
struct Dawdled;
