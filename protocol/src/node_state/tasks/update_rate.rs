//! How often an agent may tell how far it is: each time is an entry of its node's log for good, and the lane is shared.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::id::AgentName;
use crate::time::{Monotonic, Now};

/// What an agent may tell at once.
const BURST: u32 = 60;
/// And one more in each of these: with notes of full length, the lane lasts for three days of nothing else.
const PAUSE: Duration = Duration::from_secs(5);

/// When each agent's allowance is whole again (a leaky bucket as a theoretical arrival time; ITU-T I.371).
#[derive(Default)]
pub(super) struct UpdateRate {
    whole_at: BTreeMap<AgentName, Monotonic>,
}

impl UpdateRate {
    /// Counts an update of this agent.
    ///
    /// # Errors
    ///
    /// How long it is to wait where it has told too much.
    pub(super) fn take(&mut self, now: Now, agent: &AgentName) -> Result<(), Duration> {
        self.whole_at.retain(|_, at| *at > now.monotonic);
        let whole_at = self.whole_at.get(agent).copied();
        let begins = whole_at.unwrap_or(now.monotonic);
        let behind = begins.since(now.monotonic);
        let room = PAUSE * (BURST - 1);
        if behind > room {
            return Err(behind - room);
        }
        self.whole_at.insert(agent.clone(), begins + PAUSE);
        Ok(())
    }
}
