//! How often something may happen for one key: a token bucket for each, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Keys remembered; a remembered one is forgotten when its bucket is full again.
const KEYS_MAX: usize = 4_096;

/// How many tokens a bucket holds, and how soon one comes back.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Rate {
    /// Tokens of a full bucket.
    pub(in crate::net) burst: u32,
    /// Time after which one more is there.
    pub(in crate::net) refill: Duration,
}

/// The buckets of all keys of late.
pub(in crate::net) struct Buckets<K> {
    rate: Rate,
    /// When each bucket will be full again: its distance from now counts the tokens that are missing.
    full_at: HashMap<K, Instant>,
}

impl<K: Eq + Hash> Buckets<K> {
    pub(in crate::net) fn new(rate: Rate) -> Self {
        Self {
            rate,
            full_at: HashMap::new(),
        }
    }

    /// Takes a token of `key`; false when there is none, or when too many keys are remembered.
    pub(in crate::net) fn take(&mut self, key: K, now: Instant) -> bool {
        self.take_many(key, 1, now)
    }

    /// Takes so many tokens of `key` at once, or none.
    pub(in crate::net) fn take_many(&mut self, key: K, count: u32, now: Instant) -> bool {
        if self.full_at.len() >= KEYS_MAX && !self.full_at.contains_key(&key) {
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= KEYS_MAX {
                return false;
            }
        }
        let Rate { burst, refill } = self.rate;
        let full_at = self.full_at.entry(key).or_insert(now);
        let after = (*full_at).max(now) + refill * count;
        if after - now > refill * burst {
            return false;
        }
        *full_at = after;
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const RATE: Rate = Rate {
        burst: 64,
        refill: Duration::from_millis(100),
    };

    fn taken(buckets: &mut Buckets<u32>, key: u32, now: Instant) -> usize {
        (0..1_000).take_while(|_| buckets.take(key, now)).count()
    }

    #[test]
    fn a_burst_is_let_through_and_more_only_with_time() {
        let (mut buckets, start) = (Buckets::new(RATE), Instant::now());
        assert_eq!(taken(&mut buckets, 1, start), 64);
        assert_eq!(taken(&mut buckets, 1, start), 0);
        assert_eq!(taken(&mut buckets, 1, start + RATE.refill * 3), 3);
    }

    #[test]
    fn one_key_does_not_take_anothers_share() {
        let (mut buckets, start) = (Buckets::new(RATE), Instant::now());
        taken(&mut buckets, 1, start);
        assert_eq!(taken(&mut buckets, 2, start), 64);
    }

    #[test]
    fn memory_is_bounded_and_comes_back() {
        let (mut buckets, start) = (Buckets::new(RATE), Instant::now());
        let most = u32::try_from(KEYS_MAX).unwrap();
        assert!((0..most).all(|key| buckets.take(key, start)));
        assert!(!buckets.take(most, start));
        assert!(buckets.take(most, start + RATE.refill * 2));
    }
}
