//! The door before the gate: which arrivals may begin a handshake at all, so that strangers cannot keep the node busy.
//!
//! Places for handshakes are few; who dawdles in one makes room. Each address, and all strangers together, may come
//! so often and no oftener; who offended too much is turned away at once. Where a member came from before has places
//! and turns of its own, which strangers cannot take. Nothing here says who is a member: that is the gate's.

mod familiar;
mod offence;
mod offenders;
mod packets;
mod place;
mod places;
mod rate;
mod report;
mod source;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::AtomicWaker;
use peerage_protocol::id::NodeId;
use peerage_protocol::limits::CONNECTIONS_PENDING_MAX;
use tokio::time::Instant;

use familiar::{Familiar, Familiarity};
pub use offence::{MARK, Offence};
use offenders::Offenders;
pub(super) use packets::Look;
use packets::Packets;
#[cfg(test)]
pub(super) use packets::belongs_to_a_handshake;
#[cfg(target_os = "linux")]
pub(super) use packets::{
    FIXED_BIT, HANDSHAKE, INITIAL, INITIAL_BYTES_MIN, LONG_HEADER, QUIC_VERSION, TYPE_BITS,
    VERSION_QUESTION, VERSION_QUESTION_BITS,
};
pub(crate) use place::Place;
use places::{Given, Places, Room};
pub(super) use rate::{Buckets, Rate};
use report::TurnedAway;
pub use report::{DoorReport, Offender, OffenderId};
pub(crate) use source::Source;

/// Places of strangers. One network has a quarter of them.
const STRANGERS: Room = Room {
    total: CONNECTIONS_PENDING_MAX as usize,
    per_network: CONNECTIONS_PENDING_MAX as usize / 4,
};

/// Places kept for where members came from.
const RESERVED: Room = Room {
    total: 32,
    per_network: 16,
};

/// Handshakes that strangers may begin together: what they cost is a small part of one processor.
const ALL_STRANGERS: Rate = Rate {
    burst: 256,
    refill: Duration::from_millis(10),
};

/// Handshakes that one network may begin.
const ONE_NETWORK: Rate = Rate {
    burst: 64,
    refill: Duration::from_millis(100),
};

/// Handshakes that a host may begin on which there was a member, beyond what strangers may.
const FAMILIAR_HOST: Rate = Rate {
    burst: 16,
    refill: Duration::from_millis(250),
};

/// Handshakes that a member's own socket may begin.
const FAMILIAR_SOCKET: Rate = Rate {
    burst: 16,
    refill: Duration::from_millis(250),
};

/// How long after somebody was turned away a source must prove that it can be answered.
const WARY: Duration = Duration::from_secs(10);

/// The door; clones are the same one.
#[derive(Clone, Default)]
pub struct Door {
    doorman: Arc<Mutex<Doorman>>,
    /// Who waits to put out members that crossed the mark.
    bouncer: Arc<AtomicWaker>,
}

struct Doorman {
    strangers: Places,
    reserved: Places,
    all_strangers: Buckets<()>,
    networks: Buckets<IpAddr>,
    hosts: Buckets<IpAddr>,
    sockets: Buckets<SocketAddr>,
    familiar: Familiar,
    packets: Packets,
    offenders: Offenders<IpAddr>,
    members: Offenders<NodeId>,
    /// Members that crossed the mark and still have their links.
    crossed: Vec<NodeId>,
    turned_away: TurnedAway,
    last_turned_away: Option<Instant>,
    next_number: u64,
}

impl Default for Doorman {
    fn default() -> Self {
        Self {
            strangers: Places::new(STRANGERS),
            reserved: Places::new(RESERVED),
            all_strangers: Buckets::new(ALL_STRANGERS),
            networks: Buckets::new(ONE_NETWORK),
            hosts: Buckets::new(FAMILIAR_HOST),
            sockets: Buckets::new(FAMILIAR_SOCKET),
            familiar: Familiar::default(),
            packets: Packets::default(),
            offenders: Offenders::default(),
            members: Offenders::default(),
            crossed: Vec::new(),
            turned_away: TurnedAway::default(),
            last_turned_away: None,
            next_number: 0,
        }
    }
}

impl Door {
    /// Somebody comes from `source`: a place in which to try the gate, or why there is none.
    pub(crate) fn knock(&self, source: Source) -> Result<Place, Refused> {
        let now = Instant::now();
        let mut doorman = self.doorman();
        let number = doorman.next_number;
        doorman.next_number += 1;
        match doorman.admit(number, source, now) {
            Ok(given) => Ok(Place::new(self.clone(), number, source, given.evicted)),
            Err(refused) => {
                doorman.turned_away.count(refused);
                doorman.last_turned_away = Some(now);
                Err(refused)
            }
        }
    }

    /// Whether a source must first prove that it gets what is sent to it: so it is once strangers come in numbers.
    pub(crate) fn is_wary(&self) -> bool {
        let doorman = self.doorman();
        let lately = doorman
            .last_turned_away
            .is_some_and(|at| at.elapsed() < WARY);
        lately || doorman.strangers.len() >= STRANGERS.per_network
    }

    /// Whether packets from `socket`, so many that look like `first`, are worth QUIC's time.
    pub(super) fn look(&self, socket: SocketAddr, first: &[u8], count: u32) -> Look {
        let (mut doorman, now) = (self.doorman(), Instant::now());
        if doorman.packets.is_known(socket, now) || doorman.familiar.knows(socket) {
            Look::Known
        } else if doorman.packets.takes(first, count, now) {
            Look::Taken
        } else {
            Look::Refused
        }
    }

    /// The sockets whose packets are all taken: those of members' connections and of dials first, then of members
    /// that were here of late, the latest first.
    pub(super) fn known_sockets(&self) -> Vec<SocketAddr> {
        let doorman = self.doorman();
        let known = doorman.packets.known(Instant::now());
        known.chain(doorman.familiar.sockets()).collect()
    }

    /// This node dials `socket`.
    pub(super) fn dials(&self, socket: SocketAddr) {
        self.doorman().packets.dials(socket, Instant::now());
    }

    /// A member's connection stands at `socket`, until what is returned is dropped.
    pub(super) fn stands(&self, socket: SocketAddr) -> Standing {
        self.doorman().packets.stands(socket);
        Standing {
            door: self.clone(),
            socket,
        }
    }

    /// A member passed the gate from, or at, `source`.
    pub(crate) fn remember(&self, source: Source) {
        let mut doorman = self.doorman();
        doorman.familiar.remember(source.host, source.udp_port);
    }

    /// Somebody who is no member, as far as is known, offended from `source`.
    pub(crate) fn stranger_offended(&self, source: Source, offence: Offence) {
        let network = source.network();
        let crossed = self
            .doorman()
            .offenders
            .note(network, offence, Instant::now());
        if crossed {
            let offence = offence.name();
            tracing::info!(%network, offence, "strangers from there are refused for a while");
        }
    }

    /// The member `node` offended. One that does so again and again loses its links, and is kept out for a while.
    pub(crate) fn member_offended(&self, node: NodeId, offence: Offence) {
        let mut doorman = self.doorman();
        if !doorman.members.note(node, offence, Instant::now()) {
            return;
        }
        let offence = offence.name();
        tracing::warn!(%node, offence, "a member offended too often and is kept out for a while");
        if !doorman.crossed.contains(&node) {
            doorman.crossed.push(node);
        }
        drop(doorman);
        self.bouncer.wake();
    }

    /// The next member that crossed the mark and must be put out.
    pub(super) fn poll_crossed(&self, cx: &mut Context<'_>) -> Poll<NodeId> {
        self.bouncer.register(cx.waker());
        self.doorman()
            .crossed
            .pop()
            .map_or(Poll::Pending, Poll::Ready)
    }

    /// Whether the member `node` is over the mark.
    pub(crate) fn keeps_out(&self, node: NodeId) -> bool {
        self.doorman().members.is_over(node, Instant::now())
    }

    /// Who came, and who was turned away.
    pub fn report(&self) -> DoorReport {
        let now = Instant::now();
        let doorman = self.doorman();
        let networks = doorman.offenders.all(now).into_iter();
        let networks = networks.map(|(who, score, worst)| Offender::new(who.into(), score, worst));
        let members = doorman.members.all(now).into_iter();
        let members = members.map(|(who, score, worst)| Offender::new(who.into(), score, worst));
        DoorReport {
            handshakes: doorman.strangers.len() + doorman.reserved.len(),
            turned_away: doorman.turned_away.all(),
            offenders: networks.chain(members).collect(),
        }
    }

    fn leave(&self, number: u64) {
        let mut doorman = self.doorman();
        doorman.strangers.leave(number);
        doorman.reserved.leave(number);
    }

    fn doorman(&self) -> MutexGuard<'_, Doorman> {
        self.doorman.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member's connection, from the gate to its end.
pub(super) struct Standing {
    door: Door,
    socket: SocketAddr,
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.door.doorman().packets.ended(self.socket);
    }
}

impl Doorman {
    fn admit(&mut self, number: u64, source: Source, now: Instant) -> Result<Given, Refused> {
        let Source { host, udp_port } = source;
        let familiarity = self.familiar.of(host, udp_port);
        let own_turn = match familiarity {
            Familiarity::Socket => {
                let socket = SocketAddr::new(host, udp_port.unwrap_or_default());
                self.sockets.take(socket, now)
            }
            Familiarity::Host => self.hosts.take(host, now),
            Familiarity::None => false,
        };
        let network = source.network();
        if own_turn && let Some(given) = self.reserved.enter(number, network, now) {
            return Ok(given);
        }
        self.admit_stranger(number, network, now)
    }

    fn admit_stranger(
        &mut self,
        number: u64,
        network: IpAddr,
        now: Instant,
    ) -> Result<Given, Refused> {
        if self.offenders.is_over(network, now) {
            return Err(Refused::Offender);
        }
        if !self.networks.take(network, now) || !self.all_strangers.take((), now) {
            return Err(Refused::TooOften);
        }
        let given = self.strangers.enter(number, network, now);
        let given = given.ok_or(Refused::NoPlace)?;
        if let Some(dawdler) = given.from {
            self.offenders.note(dawdler, Offence::HalfOpen, now);
        }
        Ok(given)
    }
}

/// Why somebody was turned away at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Too much was done wrong from there of late.
    #[error("too much was done wrong from there of late")]
    Offender,
    /// It, or all strangers together, come too often.
    #[error("too many connections are begun at once")]
    TooOften,
    /// All places are taken by handshakes that have only begun.
    #[error("too many handshakes are under way")]
    NoPlace,
}

#[cfg(test)]
mod tests;
