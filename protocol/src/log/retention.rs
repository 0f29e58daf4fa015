//! How long entries are kept, and what is dropped when.
//!
//! An entry is dropped once it is older than [`kept_for`] by its author's clock, or once the author no longer stands by
//! it ([`Header::live_from`](super::entry::Header::live_from)). Of what is dropped the last header stays: it says where
//! the rest begins, and proves to a newcomer that what it lacks was there. A chain of which nothing else is left is
//! forgotten a day later, when nobody tells of it any more.

use std::time::Duration;

use super::chain_id::{ChainId, Lane};
use crate::time::{Monotonic, Timestamp};

/// How long an entry of a public lane is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The same for a direct lane.
pub const DIRECT_KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Time between two looks at what is too old.
pub const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);
/// How much longer a chain without entries is remembered.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// How long entries of a lane are kept.
pub const fn kept_for(lane: Lane) -> Duration {
    match lane {
        Lane::Public(_) => KEPT_FOR,
        Lane::Direct(_) => DIRECT_KEPT_FOR,
    }
}

/// A chain of which something may be too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Which.
    pub chain: ChainId,
    /// Entries sealed before then are dropped, up to the first that is not.
    pub before: Timestamp,
    /// So are entries before this one.
    pub live_from: u64,
}

/// What may be dropped of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Which.
    pub chain: ChainId,
    /// The first entry that stays.
    pub first: u64,
    /// Bytes of those that go.
    pub bytes: u64,
}

/// When to look next.
#[derive(Debug, Default)]
pub(crate) struct Sweeps {
    next: Option<Monotonic>,
}

impl Sweeps {
    /// Whether it is time to look.
    pub(crate) fn is_due(&mut self, now: Monotonic) -> bool {
        let due = self.next.is_none_or(|next| next <= now);
        if due {
            self.next = Some(now + SWEEP_EVERY);
        }
        due
    }

    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        self.next
    }
}
