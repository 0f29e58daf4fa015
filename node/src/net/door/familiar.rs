//! Addresses from which, or at which, a member passed the gate: what arrives from there has places of its own.
//!
//! A UDP address with its port is a member's listening socket, which nobody else on its machine can take; of a TCP
//! connection only the host is known.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};

/// Addresses of each kind that are remembered, the latest.
const REMEMBERED_MAX: usize = 4_096;

/// What is known of whoever comes from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Familiarity {
    /// This very socket was a member's.
    Socket,
    /// A member came from this host.
    Host,
    /// Nothing.
    None,
}

/// Where members were of late.
#[derive(Default)]
pub(super) struct Familiar {
    sockets: Latest<SocketAddr>,
    hosts: Latest<IpAddr>,
}

impl Familiar {
    /// A member passed the gate from `host`, over UDP from this port.
    pub(super) fn remember(&mut self, host: IpAddr, udp_port: Option<u16>) {
        self.hosts.remember(host);
        if let Some(port) = udp_port {
            self.sockets.remember(SocketAddr::new(host, port));
        }
    }

    /// Whether `socket` was a member's.
    pub(super) fn knows(&self, socket: SocketAddr) -> bool {
        self.sockets.contains(&socket)
    }

    /// The sockets that were members', the latest first.
    pub(super) fn sockets(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.order.iter().rev().copied()
    }

    /// What is known of `host` and, if it comes over UDP, of this port.
    pub(super) fn of(&self, host: IpAddr, udp_port: Option<u16>) -> Familiarity {
        let socket = udp_port.map(|port| SocketAddr::new(host, port));
        if socket.is_some_and(|socket| self.knows(socket)) {
            Familiarity::Socket
        } else if self.hosts.contains(&host) {
            Familiarity::Host
        } else {
            Familiarity::None
        }
    }
}

/// A bounded set: the oldest goes first.
struct Latest<T> {
    known: HashSet<T>,
    order: VecDeque<T>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self {
            known: HashSet::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T: Copy + Eq + Hash> Latest<T> {
    fn contains(&self, item: &T) -> bool {
        self.known.contains(item)
    }

    fn remember(&mut self, item: T) {
        if !self.known.insert(item) {
            return;
        }
        self.order.push_back(item);
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn a_members_socket_is_told_from_others_on_its_host() {
        let mut familiar = Familiar::default();
        assert_eq!(familiar.of(HOST, Some(7)), Familiarity::None);
        familiar.remember(HOST, Some(7));
        assert_eq!(familiar.of(HOST, Some(7)), Familiarity::Socket);
        assert_eq!(familiar.of(HOST, Some(8)), Familiarity::Host);
        assert_eq!(familiar.of(HOST, None), Familiarity::Host);
    }

    #[test]
    fn memory_is_bounded_and_the_latest_stay_known() {
        let mut latest = Latest::default();
        for n in 0..REMEMBERED_MAX + 10 {
            latest.remember(n);
        }
        assert_eq!(latest.known.len(), REMEMBERED_MAX);
        assert!(!latest.contains(&0));
        assert!(latest.contains(&(REMEMBERED_MAX + 9)));
    }
}
