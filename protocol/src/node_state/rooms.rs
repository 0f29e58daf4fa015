//! The rooms that live on lanes of the log, and how entries reach them.

use std::sync::Arc;

use super::NodeState;
use crate::log::chain_id::Lane;
use crate::log::entry::Entry;
use crate::time::Now;

impl NodeState {
    /// An entry is on disk: whoever lives on its lane is handed it, once in a run and in order of its chain. What is
    /// put out here comes after the write.
    pub(super) fn hand_to_room(&mut self, now: Now, entry: &Arc<Entry>) {
        match entry.chain().lane {
            Lane::Direct(_) => self.direct_applied(now, entry),
            Lane::TASKS => self.tasks_applied(now, entry),
            Lane::DECISIONS => self.decisions_applied(entry),
            Lane::Public(_) => {}
        }
    }

    /// Entries of earlier runs, for the rooms that keep in memory what follows from them.
    pub(super) fn recalled(&mut self, now: Now, entries: &[Arc<Entry>]) {
        let tasks = |entry: &&Arc<Entry>| entry.chain().lane == Lane::TASKS;
        self.tasks_recalled(now, entries.iter().filter(tasks));
        let others = entries.iter().filter(|entry| !tasks(entry));
        for entry in others {
            if Lane::RECALLED.contains(&entry.chain().lane) {
                self.hand_to_room(now, entry);
            }
        }
    }
}
