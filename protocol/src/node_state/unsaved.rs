//! Writes that can wait: what members say of themselves would be told again, so it is gathered for a moment and
//! written at once, instead of one synced transaction for every piece of news.

use std::collections::BTreeMap;
use std::time::Duration;

use super::NodeState;
use super::record::{RecordKey, Write};
use crate::time::{Monotonic, Now};

/// The longest that a write waits for others.
const GATHER_FOR: Duration = Duration::from_secs(1);

/// The latest write for each key, and when all of them are due.
#[derive(Default)]
pub(super) struct Unsaved {
    writes: BTreeMap<RecordKey, Write>,
    due: Option<Monotonic>,
}

impl Unsaved {
    /// Adds a write to those that are written next, without hastening them.
    pub(super) fn add(&mut self, write: Write) {
        if let Some(key) = write.key() {
            self.writes.insert(key, write);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Write> {
        self.due = None;
        std::mem::take(&mut self.writes).into_values().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.due
    }
}

impl NodeState {
    /// Writes this within [`GATHER_FOR`], or with whatever else is written before.
    pub(super) fn save_later(&mut self, now: Now, write: Write) {
        self.unsaved.add(write);
        self.unsaved.due.get_or_insert(now.monotonic + GATHER_FOR);
    }

    pub(super) fn save_when_due(&mut self, now: Now) {
        if self.unsaved.due.is_some_and(|due| due <= now.monotonic) {
            self.persist(Vec::new());
        }
    }
}
