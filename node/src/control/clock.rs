//! The two clocks of a node, read together.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peerage_protocol::time::{Monotonic, Now, Timestamp};
use tokio::time::Instant;

/// Reads both clocks; monotonic time counts from its making.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock whose monotonic time begins now.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        Now {
            wall: wall(),
            monotonic: Monotonic(milliseconds(self.started.elapsed())),
        }
    }

    /// How long ago the clock was made.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The instant of a monotonic time of this clock.
    pub fn instant(&self, at: Monotonic) -> Instant {
        self.started + Duration::from_millis(at.0)
    }
}

/// The wall clock; the epoch itself on a machine whose clock stands before it.
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(milliseconds(since.unwrap_or_default()))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
