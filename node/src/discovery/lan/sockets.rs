//! The multicast sockets: one that hears the group on every interface, and one for each interface that speaks there.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use if_addrs::IfAddr;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::ranges::Network;

/// The group of multicast DNS (RFC 6762, 3).
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

/// Its port.
pub(super) const PORT: u16 = 5353;

/// Packets of the group stay on the local network whatever this says; RFC 6762, 11 asks for it.
const HOPS: u32 = 255;

/// Interfaces that are spoken on at most.
const INTERFACES_MAX: usize = 32;

/// The sockets of a node on its local networks.
pub(super) struct Sockets {
    listener: UdpSocket,
    speakers: BTreeMap<Ipv4Addr, UdpSocket>,
}

impl Sockets {
    /// Hears nobody until [`Sockets::follow_interfaces`] is called.
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
        Ok(Self {
            listener: UdpSocket::from_std(socket.into())?,
            speakers: BTreeMap::new(),
        })
    }

    /// Joins the group where an address is new and forgets those that are gone; whether any is new.
    pub(super) fn follow_interfaces(&mut self) -> bool {
        let present = addresses();
        self.speakers.retain(|address, _| present.contains(address));
        let mut news = false;
        for address in present {
            if self.speakers.contains_key(&address) {
                continue;
            }
            match self.join(address) {
                Ok(speaker) => {
                    self.speakers.insert(address, speaker);
                    news = true;
                }
                Err(error) => tracing::debug!(%address, %error, "no multicast on an interface"),
            }
        }
        news
    }

    fn join(&self, address: Ipv4Addr) -> io::Result<UdpSocket> {
        if let Err(error) = self.listener.join_multicast_v4(GROUP, address) {
            // Of two addresses of one interface the first has joined for both.
            if error.kind() != io::ErrorKind::AddrInUse {
                return Err(error);
            }
        }
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((address, 0)).into())?;
        socket.set_multicast_if_v4(&address)?;
        socket.set_multicast_loop_v4(true)?;
        socket.set_multicast_ttl_v4(HOPS)?;
        UdpSocket::from_std(socket.into())
    }

    /// Says this on every interface; one that cannot take it hears the next.
    pub(super) fn say(&self, packet: &[u8]) {
        for (address, speaker) in &self.speakers {
            if let Err(error) = speaker.try_send_to(packet, SocketAddr::from((GROUP, PORT))) {
                tracing::debug!(%address, %error, "an interface did not take a packet");
            }
        }
    }

    /// Says this to one who asked.
    pub(super) fn reply(&self, packet: &[u8], to: SocketAddr) {
        if let Err(error) = self.listener.try_send_to(packet, to) {
            tracing::debug!(%to, %error, "an answer was not taken");
        }
    }

    /// The next packet, to the group or to this machine, from anybody.
    pub(super) async fn hear(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.listener.recv_from(buffer).await
    }
}

/// The networks of this machine.
pub(super) fn networks() -> Vec<Network> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let networks = interfaces
        .into_iter()
        .filter_map(|interface| match interface.addr {
            IfAddr::V4(address) if !address.ip.is_loopback() => Some(Network {
                own: address.ip,
                mask: address.netmask,
            }),
            IfAddr::V4(_) | IfAddr::V6(_) => None,
        });
    networks.take(INTERFACES_MAX).collect()
}

/// The addresses of this machine on networks that others may be on.
fn addresses() -> Vec<Ipv4Addr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces
        .into_iter()
        .filter_map(|interface| match interface.ip() {
            IpAddr::V4(ip) if !ip.is_loopback() => Some(ip),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        });
    addresses.take(INTERFACES_MAX).collect()
}
