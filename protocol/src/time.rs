//! Time as the protocol sees it: handed in, never read.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Wall-clock time in milliseconds since the Unix epoch; compared across nodes only with a leeway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// Time since the node started, in milliseconds, never going back; meaningless to any other node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub u64);

/// Both clocks, read together by the node that runs the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For certificates and tickets.
    pub wall: Timestamp,
    /// For deadlines and back-off.
    pub monotonic: Monotonic,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

macro_rules! arithmetic {
    ($name:ident) => {
        impl Add<Duration> for $name {
            type Output = Self;

            /// Saturates at the end of time.
            fn add(self, duration: Duration) -> Self {
                Self(self.0.saturating_add(millis(duration)))
            }
        }

        impl Sub<Duration> for $name {
            type Output = Self;

            /// Saturates at zero.
            fn sub(self, duration: Duration) -> Self {
                Self(self.0.saturating_sub(millis(duration)))
            }
        }

        impl $name {
            /// How long after `earlier` this is; zero when it is not.
            pub fn since(self, earlier: Self) -> Duration {
                Duration::from_millis(self.0.saturating_sub(earlier.0))
            }
        }
    };
}

arithmetic!(Timestamp);
arithmetic!(Monotonic);
