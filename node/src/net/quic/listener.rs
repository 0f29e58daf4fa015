//! One UDP socket on which QUIC is listened: each arrival is shown to the door before anything is computed for it.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::future::BoxFuture;
use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;
use libp2p::core::transport::{ListenerId, TransportEvent};
use quinn::{Endpoint, Incoming, VarInt};

use super::address::address_of;
use super::{QuicError, Upgrade, Ways, upgrade};
use crate::net::door::{Door, Source};

/// Arrivals that are turned away in a row before others have their turn.
const TURNED_AWAY_IN_A_ROW: usize = 32;

type Event = TransportEvent<Upgrade, QuicError>;

/// A listening endpoint.
pub(super) struct Listener {
    pub(super) id: ListenerId,
    pub(super) ways: Ways,
    /// Kept to punch holes from the same port.
    pub(super) socket: std::net::UdpSocket,
    local: SocketAddr,
    door: Door,
    accept: BoxFuture<'static, Option<Incoming>>,
    /// Tells of interfaces where the socket is bound to all of them.
    interfaces: Option<IfWatcher>,
    addresses: HashSet<IpAddr>,
    /// What is told before anything else.
    first: Option<Event>,
    closed: bool,
}

impl Listener {
    pub(super) fn new(
        id: ListenerId,
        ways: Ways,
        socket: std::net::UdpSocket,
        door: Door,
    ) -> io::Result<Self> {
        let local = socket.local_addr()?;
        let everywhere = local.ip().is_unspecified();
        let interfaces = everywhere.then(IfWatcher::new).transpose()?;
        let one = (!everywhere).then_some(local.ip());
        Ok(Self {
            id,
            accept: accept(&ways.endpoint),
            ways,
            socket,
            local,
            door,
            interfaces,
            addresses: one.into_iter().collect(),
            first: one.map(|_| TransportEvent::NewAddress {
                listener_id: id,
                listen_addr: address_of(local),
            }),
            closed: false,
        })
    }

    /// Stops to listen; connections that stand go on.
    pub(super) fn close(&mut self) {
        if self.closed {
            return;
        }
        self.closed = true;
        self.ways.endpoint.close(VarInt::from_u32(0), &[]);
        self.first = Some(TransportEvent::ListenerClosed {
            listener_id: self.id,
            reason: Ok(()),
        });
    }

    /// Whether a dial to `target` may go out here.
    pub(super) fn reaches(&self, target: SocketAddr) -> bool {
        let loopback = || self.addresses.iter().any(IpAddr::is_loopback);
        !self.closed
            && self.local.is_ipv4() == target.is_ipv4()
            && (!target.ip().is_loopback() || loopback())
    }

    fn poll_interfaces(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let Some(interfaces) = &mut self.interfaces else {
            return Poll::Pending;
        };
        loop {
            let (ip, is_up) = match std::task::ready!(interfaces.poll_if_event(cx)) {
                Ok(IfEvent::Up(network)) => (network.addr(), true),
                Ok(IfEvent::Down(network)) => (network.addr(), false),
                Err(error) => {
                    return Poll::Ready(TransportEvent::ListenerError {
                        listener_id: self.id,
                        error: error.into(),
                    });
                }
            };
            if ip.is_ipv4() != self.local.is_ipv4() {
                continue;
            }
            let listener_id = self.id;
            let listen_addr = address_of(SocketAddr::new(ip, self.local.port()));
            return Poll::Ready(if is_up {
                self.addresses.insert(ip);
                TransportEvent::NewAddress {
                    listener_id,
                    listen_addr,
                }
            } else {
                self.addresses.remove(&ip);
                TransportEvent::AddressExpired {
                    listener_id,
                    listen_addr,
                }
            });
        }
    }

    /// Lets an arrival begin its handshake, or turns it away; `None` if there is nothing to tell.
    fn receive(&self, incoming: Incoming) -> Option<Event> {
        if !incoming.remote_address_validated() && incoming.may_retry() && self.door.is_wary() {
            // Costs next to nothing, and an error says that it cannot be asked.
            let _ = incoming.retry();
            return None;
        }
        let remote = incoming.remote_address();
        let source = Source {
            host: remote.ip(),
            udp_port: Some(remote.port()),
        };
        let place = match self.door.knock(source) {
            Ok(place) => place,
            Err(refused) => {
                tracing::trace!(%remote, %refused, "turned away at the door");
                // An answer would cost more than it is worth to whoever comes too often.
                incoming.ignore();
                return None;
            }
        };
        let listener_id = self.id;
        match incoming.accept() {
            Ok(connecting) => Some(TransportEvent::Incoming {
                listener_id,
                upgrade: upgrade(connecting, Some(place), self.door.clone()),
                local_addr: address_of(self.local),
                send_back_addr: address_of(remote),
            }),
            Err(error) => {
                // Noise that looks like a beginning: the listener itself is well.
                tracing::trace!(%remote, %error, "not the beginning of a connection");
                None
            }
        }
    }
}

fn accept(endpoint: &Endpoint) -> BoxFuture<'static, Option<Incoming>> {
    let endpoint = endpoint.clone();
    Box::pin(async move { endpoint.accept().await })
}

impl Stream for Listener {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(event) = self.first.take() {
            return Poll::Ready(Some(event));
        }
        if self.closed {
            return Poll::Ready(None);
        }
        if let Poll::Ready(event) = self.poll_interfaces(cx) {
            return Poll::Ready(Some(event));
        }
        for _ in 0..TURNED_AWAY_IN_A_ROW {
            let Some(incoming) = std::task::ready!(self.accept.as_mut().poll(cx)) else {
                self.close();
                return Poll::Ready(self.first.take());
            };
            self.accept = accept(&self.ways.endpoint);
            if let Some(event) = self.receive(incoming) {
                return Poll::Ready(Some(event));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
