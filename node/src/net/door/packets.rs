//! Which packets of QUIC are looked at, while strangers may send as many as their line carries.
//!
//! Packets of members' sockets, and of where this node dials, are taken without bound; of all others so many a second,
//! and only those with which a handshake goes on.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::rate::{Buckets, Rate};

/// Packets that are taken of all strangers together: several for each handshake that they may begin.
const OF_STRANGERS: Rate = Rate {
    burst: 2_048,
    refill: Duration::from_micros(500),
};

/// Sockets that are dialed at the moment and remembered for it; beyond that all are forgotten.
const DIALED_MAX: usize = 4_096;

/// How long an answer of a socket that was dialed is awaited: longer than any handshake lasts.
const ANSWER_AWAITED: Duration = Duration::from_secs(30);

/// What is made of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Look {
    /// Taken, as all of a known socket.
    Known,
    /// A stranger's, and taken.
    Taken,
    /// A stranger's, and not taken.
    Refused,
}

/// Sockets whose packets are taken without bound, and the turns of all others.
pub(super) struct Packets {
    /// Connections of members at each socket.
    standing: HashMap<SocketAddr, usize>,
    /// When each was dialed.
    dialed: HashMap<SocketAddr, Instant>,
    strangers: Buckets<()>,
}

impl Default for Packets {
    fn default() -> Self {
        Self {
            standing: HashMap::new(),
            dialed: HashMap::new(),
            strangers: Buckets::new(OF_STRANGERS),
        }
    }
}

impl Packets {
    /// A member's connection stands at `socket`.
    pub(super) fn stands(&mut self, socket: SocketAddr) {
        *self.standing.entry(socket).or_default() += 1;
    }

    /// It stands no more.
    pub(super) fn ended(&mut self, socket: SocketAddr) {
        match self.standing.get_mut(&socket) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.standing.remove(&socket)),
        }
    }

    /// This node dials `socket`, which will answer.
    pub(super) fn dials(&mut self, socket: SocketAddr, now: Instant) {
        if self.dialed.len() >= DIALED_MAX {
            self.dialed.retain(|_, at| is_awaited(*at, now));
        }
        if self.dialed.len() >= DIALED_MAX {
            self.dialed.clear();
        }
        self.dialed.insert(socket, now);
    }

    /// Whether packets from `socket` are taken without bound.
    pub(super) fn is_known(&self, socket: SocketAddr, now: Instant) -> bool {
        let dialed = || self.dialed.get(&socket);
        self.standing.contains_key(&socket) || dialed().is_some_and(|at| is_awaited(*at, now))
    }

    /// The sockets whose packets are taken without bound: first those that this node waits for.
    pub(super) fn known(&self, now: Instant) -> impl Iterator<Item = SocketAddr> {
        let dialed = self.dialed.iter();
        let dialed = dialed.filter_map(move |(socket, at)| is_awaited(*at, now).then_some(*socket));
        let standing = self.standing.keys().copied();
        standing.chain(dialed)
    }

    /// Whether `count` packets of a stranger that look like `first` are taken.
    pub(super) fn takes(&mut self, first: &[u8], count: u32, now: Instant) -> bool {
        belongs_to_a_handshake(first) && self.strangers.take_many((), count, now)
    }
}

/// Whether what was dialed at `at` may still answer for the first time.
fn is_awaited(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < ANSWER_AWAITED
}

/// Whether a packet is an Initial of version 1 that is filled up, a Handshake packet of that version, or one of a
/// connection; or asks whether QUIC is spoken here, by a version that is reserved for that and answered with those that
/// are known (RFC 9000, sections 6.3 and 15). Anything else that a stranger may send means nothing here.
pub(in crate::net) fn belongs_to_a_handshake(packet: &[u8]) -> bool {
    let Some((&first, rest)) = packet.split_first() else {
        return false;
    };
    if first & FIXED_BIT == 0 {
        return false;
    }
    if first & LONG_HEADER == 0 {
        // The last packets of a handshake, and the gate's.
        return true;
    }
    let is_filled_up = || packet.len() >= INITIAL_BYTES_MIN;
    let Some(version) = rest.first_chunk().copied().map(u32::from_be_bytes) else {
        return false;
    };
    if version & VERSION_QUESTION_BITS == VERSION_QUESTION {
        return is_filled_up();
    }
    version == QUIC_VERSION
        && match first & TYPE_BITS {
            INITIAL => is_filled_up(),
            kind => kind == HANDSHAKE,
        }
}

/// What a packet must be filled up to that begins a connection (RFC 9000, section 14.1).
pub(in crate::net) const INITIAL_BYTES_MIN: usize = 1_200;

/// The version that is spoken, and the bits and the look of those that ask which are (RFC 9000, section 15).
pub(in crate::net) const QUIC_VERSION: u32 = 1;
pub(in crate::net) const VERSION_QUESTION_BITS: u32 = 0x0f0f_0f0f;
pub(in crate::net) const VERSION_QUESTION: u32 = 0x0a0a_0a0a;

/// The bits of a packet's first byte (RFC 9000, section 17).
pub(in crate::net) const LONG_HEADER: u8 = 0x80;
pub(in crate::net) const FIXED_BIT: u8 = 0x40;
pub(in crate::net) const TYPE_BITS: u8 = 0x30;
pub(in crate::net) const INITIAL: u8 = 0x00;
pub(in crate::net) const HANDSHAKE: u8 = 0x20;

#[cfg(test)]
mod tests {
    use super::*;

    fn initial() -> Vec<u8> {
        let mut packet = vec![0; INITIAL_BYTES_MIN];
        packet[..5].copy_from_slice(&[0xc3, 0, 0, 0, 1]);
        packet
    }

    #[test]
    fn strangers_begin_handshakes_up_to_a_rate_and_noise_takes_no_turn() {
        let (mut packets, now) = (Packets::default(), Instant::now());
        for noise in [
            &[][..],
            &[0xff; 1_200],
            &[0xc0; 1_200],
            &[0x3f; 1_200],
            &initial()[..100],
        ] {
            assert!(!packets.takes(noise, 1, now));
        }
        let taken = (0..10_000).filter(|_| packets.takes(&initial(), 1, now));
        assert_eq!(taken.count(), 2_048);
        assert!(packets.takes(&initial(), 2, now + Duration::from_millis(1)));
        assert!(!packets.takes(&initial(), 1, now + Duration::from_millis(1)));
    }

    #[test]
    fn whoever_asks_for_the_versions_that_are_spoken_is_heard() {
        let (mut packets, now) = (Packets::default(), Instant::now());
        let mut asking = initial();
        asking[1..5].copy_from_slice(&[0x1a, 0x2a, 0x3a, 0x4a]);
        assert!(packets.takes(&asking, 1, now));
        assert!(!packets.takes(&asking[..100], 1, now));
    }

    #[test]
    fn a_members_socket_is_known_as_long_as_a_connection_stands() {
        let (mut packets, now) = (Packets::default(), Instant::now());
        let socket = SocketAddr::from(([192, 0, 2, 1], 7));
        packets.stands(socket);
        packets.stands(socket);
        packets.ended(socket);
        assert!(packets.is_known(socket, now));
        packets.ended(socket);
        assert!(!packets.is_known(socket, now));
        packets.dials(socket, now);
        assert!(packets.is_known(socket, now));
        assert_eq!(packets.known(now).collect::<Vec<_>>(), [socket]);
        assert!(!packets.is_known(socket, now + ANSWER_AWAITED));
    }
}
