//! Handshakes under way, each in a place: so many in all, so many from one network, and who dawdles makes room.

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// The age from which on a handshake may have to make room for a new one: a few round trips of a slow path.
pub(super) const DAWDLING: Duration = Duration::from_millis(1_000);

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// In all.
    pub(super) total: usize,
    /// For one network.
    pub(super) per_network: usize,
}

/// The places of one kind of arrivals.
pub(super) struct Places {
    room: Room,
    /// Oldest first.
    taken: Vec<Taken>,
}

struct Taken {
    number: u64,
    network: IpAddr,
    since: Instant,
    /// Dropped when the place is taken away.
    _held: oneshot::Sender<()>,
}

/// A place was given.
pub(super) struct Given {
    /// Resolves when it is taken away again.
    pub(super) evicted: oneshot::Receiver<()>,
    /// Whose place was taken away for it.
    pub(super) from: Option<IpAddr>,
}

impl Places {
    pub(super) fn new(room: Room) -> Self {
        Self {
            room,
            taken: Vec::new(),
        }
    }

    /// A place with this number for somebody of `network`, if there is one, or one that dawdles can be taken from the
    /// network with the most.
    pub(super) fn enter(&mut self, number: u64, network: IpAddr, now: Instant) -> Option<Given> {
        let from = if self.count(network) >= self.room.per_network {
            Some(network)
        } else if self.taken.len() >= self.room.total {
            self.greediest()
        } else {
            None
        };
        if let Some(from) = from {
            self.evict(from, now)?;
        }
        let (held, evicted) = oneshot::channel();
        self.taken.push(Taken {
            number,
            network,
            since: now,
            _held: held,
        });
        Some(Given { evicted, from })
    }

    /// The handshake with this number is over.
    pub(super) fn leave(&mut self, number: u64) {
        self.taken.retain(|taken| taken.number != number);
    }

    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }

    fn count(&self, network: IpAddr) -> usize {
        let of_network = self.taken.iter().filter(|taken| taken.network == network);
        of_network.count()
    }

    fn greediest(&self) -> Option<IpAddr> {
        let networks = self.taken.iter().map(|taken| taken.network);
        networks.max_by_key(|network| self.count(*network))
    }

    /// Takes the oldest place of `network` away, if it dawdles.
    fn evict(&mut self, network: IpAddr, now: Instant) -> Option<()> {
        let oldest = self
            .taken
            .iter()
            .position(|taken| taken.network == network)?;
        if now.saturating_duration_since(self.taken[oldest].since) < DAWDLING {
            return None;
        }
        self.taken.remove(oldest);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ROOM: Room = Room {
        total: 8,
        per_network: 4,
    };

    fn network(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn one_network_takes_its_share_and_no_more() {
        let (mut places, now) = (Places::new(ROOM), Instant::now());
        let given: Vec<_> = (0..4).map(|n| places.enter(n, network(1), now)).collect();
        assert!(given.iter().all(Option::is_some));
        assert!(places.enter(4, network(1), now).is_none());
        assert!(places.enter(5, network(2), now).is_some());
    }

    #[test]
    fn who_dawdles_makes_room_for_his_own_network_and_hears_of_it() {
        let (mut places, now) = (Places::new(ROOM), Instant::now());
        let mut given: Vec<_> = (0..4)
            .map(|n| places.enter(n, network(1), now).unwrap())
            .collect();
        let late = places.enter(4, network(1), now + DAWDLING).unwrap();
        assert_eq!(late.from, Some(network(1)));
        assert!(given[0].evicted.try_recv() == Err(oneshot::error::TryRecvError::Closed));
        assert!(given[1].evicted.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        assert_eq!(places.len(), 4);
    }

    #[test]
    fn when_all_is_taken_the_network_with_the_most_makes_room() {
        let (mut places, now) = (Places::new(ROOM), Instant::now());
        let holders = [1, 1, 1, 1, 2, 3, 4, 5];
        let given: Vec<_> = holders
            .into_iter()
            .enumerate()
            .map(|(n, of)| places.enter(n as u64, network(of), now).unwrap())
            .collect();
        assert_eq!(given.len(), 8);
        assert!(places.enter(8, network(6), now).is_none(), "nobody dawdles");
        let late = places.enter(9, network(6), now + DAWDLING).unwrap();
        assert_eq!(late.from, Some(network(1)));
    }

    #[test]
    fn a_place_that_is_left_is_free() {
        let (mut places, now) = (Places::new(ROOM), Instant::now());
        let given: Vec<_> = (0..4).map(|n| places.enter(n, network(1), now)).collect();
        places.leave(2);
        assert!(places.enter(4, network(1), now).unwrap().from.is_none());
        drop(given);
    }
}
