//! QUIC as libp2p speaks it (libp2p's specifications, `quic` and `tls`), directly over quinn.
//!
//! libp2p's own transport computes the handshake of everybody who comes, and gives a stranger a member's windows at
//! once. Here the door is asked first, the windows are small until the gate has been passed, and dials go out from
//! the port on which this node listens, by which the door at the other end knows it.

mod address;
mod config;
mod connection;
mod error;
mod flood;
mod kernel;
mod listener;
#[cfg(target_os = "linux")]
mod packet_filter;
mod punch;
mod sifted;
mod socket;
mod upgrade;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::StreamExt;
use futures::stream::SelectAll;
use libp2p::core::Endpoint as Role;
use libp2p::core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};
use quinn::{Endpoint, TokioRuntime};
use tokio::sync::oneshot;

use address::socket_of;
use config::Config;
pub use config::ConfigError;
use error::HANDSHAKE_DEADLINE;
pub use error::QuicError;
use listener::Listener;
use sifted::Sifted;
pub(crate) use upgrade::Windows;
use upgrade::{Upgrade, upgrade};

use super::credit::Arrival;
use super::door::Door;

/// The name that libp2p's TLS asks for: any will do, but there must be one.
const SERVER_NAME: &str = "l";

/// Listens and dials.
pub(crate) struct QuicTransport {
    config: Config,
    door: Door,
    listeners: SelectAll<Listener>,
    /// What dials go out from where nothing listens: one of IPv4, one of IPv6.
    dialers: HashMap<bool, Ways>,
    /// Dials that wait to be dialed from where their holes are punched.
    punches: HashMap<SocketAddr, oneshot::Sender<Upgrade>>,
    waker: Option<Waker>,
}

/// One UDP socket: QUIC over it, and the door before it.
#[derive(Clone)]
struct Ways {
    endpoint: Endpoint,
    sifted: Arc<Sifted>,
}

impl QuicTransport {
    pub(crate) fn new(keypair: &Keypair, door: Door) -> Result<Self, ConfigError> {
        Ok(Self {
            config: Config::new(keypair)?,
            door,
            listeners: SelectAll::new(),
            dialers: HashMap::new(),
            punches: HashMap::new(),
            waker: None,
        })
    }

    fn ways(&self, socket: std::net::UdpSocket, listens: bool) -> io::Result<Ways> {
        let server = listens.then(|| self.config.server.clone());
        let runtime = Arc::new(TokioRuntime);
        let sifted = Arc::new(Sifted::new(socket, &*runtime, self.door.clone())?);
        let config = self.config.endpoint.clone();
        let endpoint = Endpoint::new_with_abstract_socket(config, server, sifted.clone(), runtime)?;
        Ok(Ways { endpoint, sifted })
    }

    /// What a dial to `target` goes out from.
    fn dialer(&mut self, target: SocketAddr) -> io::Result<Ways> {
        if let Some(listener) = self.listeners.iter().find(|one| one.reaches(target)) {
            return Ok(listener.ways.clone());
        }
        if let Some(dialer) = self.dialers.get(&target.is_ipv4()) {
            return Ok(dialer.clone());
        }
        let socket = socket::bound(socket::anywhere_for(target))?;
        let dialer = self.ways(socket, false)?;
        self.dialers.insert(target.is_ipv4(), dialer.clone());
        Ok(dialer)
    }

    fn connect(&mut self, target: SocketAddr) -> Result<Upgrade, QuicError> {
        let Ways { endpoint, sifted } = self.dialer(target)?;
        let (client, door) = (self.config.client.clone(), self.door.clone());
        door.dials(target);
        sifted.refresh();
        Ok(Box::pin(async move {
            let connecting = endpoint.connect_with(client, target, SERVER_NAME)?;
            upgrade(connecting, None, door).await
        }))
    }

    /// Waits to be dialed by `peer` from `target`, and opens the way for it meanwhile.
    fn await_dial(&mut self, peer: PeerId, target: SocketAddr) -> Result<Upgrade, QuicError> {
        let listener = self.listeners.iter().find(|one| one.reaches(target));
        let listener = listener.ok_or(QuicError::NoListener)?;
        let (socket, sifted) = (listener.socket.try_clone()?, listener.ways.sifted.clone());
        self.punches.retain(|_, dial| !dial.is_closed());
        if self.punches.contains_key(&target) {
            return Err(QuicError::PunchUnderWay { target });
        }
        let (dialed, dial) = oneshot::channel();
        self.punches.insert(target, dialed);
        self.door.dials(target);
        sifted.refresh();
        Ok(Box::pin(async move {
            let dial = async {
                let dial = dial.await.map_err(|_| QuicError::NoListener)?;
                let (obtained, arrival) = dial.await?;
                match obtained == peer {
                    true => Ok((obtained, arrival)),
                    false => Err(QuicError::OtherPeer { obtained }),
                }
            };
            tokio::select! {
                outcome = dial => outcome,
                error = punch::punch(socket, target) => Err(error.into()),
                () = tokio::time::sleep(HANDSHAKE_DEADLINE) => Err(QuicError::Deadline),
            }
        }))
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Transport for QuicTransport {
    type Output = (PeerId, Arrival);
    type Error = QuicError;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<QuicError>> {
        let (local, _) =
            socket_of(&address).ok_or(TransportError::MultiaddrNotSupported(address))?;
        let other = |error: io::Error| TransportError::Other(error.into());
        let socket = socket::bound(local).map_err(other)?;
        let kept = socket.try_clone().map_err(other)?;
        let ways = self.ways(socket, true).map_err(other)?;
        let listener = Listener::new(id, ways, kept, self.door.clone()).map_err(other)?;
        self.listeners.push(listener);
        self.dialers.remove(&local.is_ipv4());
        self.wake();
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let listener = self.listeners.iter_mut().find(|listener| listener.id == id);
        let found = listener.map(Listener::close).is_some();
        self.wake();
        found
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Upgrade, TransportError<QuicError>> {
        let target = socket_of(&address)
            .filter(|(target, _)| target.port() != 0 && !target.ip().is_unspecified());
        let dial = match (target, options.role) {
            (Some((target, _)), Role::Dialer) => self.connect(target),
            (Some((target, Some(peer))), Role::Listener) => self.await_dial(peer, target),
            _ => return Err(TransportError::MultiaddrNotSupported(address)),
        };
        dial.map_err(TransportError::Other)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Upgrade, QuicError>> {
        while let Poll::Ready(Some(event)) = self.listeners.poll_next_unpin(cx) {
            let TransportEvent::Incoming {
                listener_id,
                mut upgrade,
                local_addr,
                send_back_addr,
            } = event
            else {
                return Poll::Ready(event);
            };
            let awaited =
                socket_of(&send_back_addr).and_then(|(from, _)| self.punches.remove(&from));
            if let Some(awaited) = awaited {
                match awaited.send(upgrade) {
                    Ok(()) => continue,
                    Err(unawaited) => upgrade = unawaited,
                }
            }
            return Poll::Ready(TransportEvent::Incoming {
                listener_id,
                upgrade,
                local_addr,
                send_back_addr,
            });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
