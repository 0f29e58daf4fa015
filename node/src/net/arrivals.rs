//! How often one address may knock: a token bucket for each, so that one stranger cannot keep the gate busy.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

/// Arrivals one address may make at once.
const BURST: u32 = 64;

/// Time after which one more arrival is allowed.
const REFILL: Duration = Duration::from_millis(100);

/// Addresses remembered; a remembered one is forgotten when its bucket is full again.
const ADDRESSES_MAX: usize = 4_096;

/// The buckets of all addresses that knocked of late.
#[derive(Default)]
pub(super) struct Arrivals {
    /// When each bucket will be full again: its distance from now counts the tokens that are missing.
    full_at: HashMap<IpAddr, Instant>,
}

impl Arrivals {
    /// Notes that `ip` knocks at `now`.
    pub(super) fn arrive(&mut self, ip: IpAddr, now: Instant) -> Result<(), TooManyArrivals> {
        let ip = network_of(ip);
        if self.full_at.len() >= ADDRESSES_MAX && !self.full_at.contains_key(&ip) {
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= ADDRESSES_MAX {
                return Err(TooManyArrivals { ip });
            }
        }
        let full_at = self.full_at.entry(ip).or_insert(now);
        let after = (*full_at).max(now) + REFILL;
        if after - now > REFILL * BURST {
            return Err(TooManyArrivals { ip });
        }
        *full_at = after;
        Ok(())
    }
}

/// Whoever holds one IPv6 address usually holds the 2⁶⁴ around it.
pub(super) fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

/// One address knocks too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many connections from {ip} at once")]
pub(super) struct TooManyArrivals {
    ip: IpAddr,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn knocks(arrivals: &mut Arrivals, ip: &str, now: Instant) -> usize {
        let ip: IpAddr = ip.parse().unwrap();
        (0..1_000)
            .take_while(|_| arrivals.arrive(ip, now).is_ok())
            .count()
    }

    #[test]
    fn a_burst_is_let_through_and_more_only_with_time() {
        let (mut arrivals, start) = (Arrivals::default(), Instant::now());
        assert_eq!(
            knocks(&mut arrivals, "192.0.2.1", start),
            usize::try_from(BURST).unwrap()
        );
        assert_eq!(knocks(&mut arrivals, "192.0.2.1", start), 0);
        assert_eq!(knocks(&mut arrivals, "192.0.2.1", start + REFILL * 3), 3);
    }

    #[test]
    fn one_address_does_not_take_anothers_share() {
        let (mut arrivals, start) = (Arrivals::default(), Instant::now());
        knocks(&mut arrivals, "192.0.2.1", start);
        assert!(knocks(&mut arrivals, "192.0.2.2", start) > 0);
    }

    #[test]
    fn neighbours_in_one_ipv6_network_share_a_bucket() {
        let (mut arrivals, start) = (Arrivals::default(), Instant::now());
        knocks(&mut arrivals, "2001:db8::1", start);
        assert_eq!(knocks(&mut arrivals, "2001:db8::2", start), 0);
    }

    #[test]
    fn memory_is_bounded_and_comes_back() {
        let (mut arrivals, start) = (Arrivals::default(), Instant::now());
        for n in 0..u32::try_from(ADDRESSES_MAX).unwrap() {
            arrivals
                .arrive(IpAddr::from(n.to_be_bytes()), start)
                .unwrap();
        }
        let late: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(
            arrivals.arrive(late, start),
            Err(TooManyArrivals { ip: late })
        );
        assert_eq!(arrivals.arrive(late, start + REFILL * 2), Ok(()));
    }
}
