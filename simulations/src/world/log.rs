//! The log of a world's nodes: entries on their disks, and the questions that members put about them.

use std::sync::Arc;

use peerage_protocol::log::direct::may_hold;
use peerage_protocol::log::entry::Entry;
use peerage_protocol::log::retention::{Sweep, Swept};
use peerage_protocol::log::{AppendError, Appended};
use peerage_protocol::node_state::Input;
use peerage_protocol::wire::log::{EntriesAsked, EntriesTold, OpenedEntries};

use super::World;
use crate::checks::Observation;
use crate::randomness::derive;

/// What an entry takes on the wire beside its own bytes.
pub(crate) const ENTRY_AROUND_BYTES: usize = 12;

impl World {
    /// Randomness for a node that has just started, and the entries that it keeps in memory.
    pub(crate) fn open_log(&mut self, node: usize) {
        let now_us = self.now_us;
        let machine = &mut self.machines[node];
        let now = machine.now(now_us);
        if let Some(process) = &mut machine.process {
            let replayed = machine
                .disk
                .entries()
                .filter(|entry| entry.chain().lane.is_replayed() && entry.sealed().body.is_some());
            for entry in replayed {
                process.state.replay(now, entry);
            }
        }
        // Not drawn from the world's randomness, whose other draws are as they were.
        let purpose = format!("log of {node}, start {}", self.machines[node].boots);
        let seed = derive(self.plan.seed, &purpose);
        self.tell(node, Input::LogSeed { seed });
    }

    /// What came of items that were put in.
    pub(crate) fn appended(&mut self, node: usize, appended: Result<Appended, AppendError>) {
        if let Ok(appended) = appended {
            self.observe(&Observation::Appended { node, appended });
        }
    }

    /// What a node's disk answers to a question for entries.
    pub(crate) fn kept_entries(
        &self,
        node: usize,
        asker: usize,
        asked: &EntriesAsked,
    ) -> EntriesTold {
        let machine = &self.machines[node];
        let process = machine.process.as_ref();
        let Some(roster) = process.and_then(|process| process.roster.as_ref()) else {
            return EntriesTold::default();
        };
        let asker = self.machines[asker].id;
        let mut asked = asked.clone();
        asked
            .ranges
            .retain(|range| may_hold(roster, asker, range.chain));
        machine.disk.answer(&asked)
    }

    /// Checks what a member told, as its asker does before it takes it.
    pub(crate) fn opened(&self, node: usize, told: EntriesTold) -> Option<OpenedEntries> {
        let process = self.machines[node].process.as_ref()?;
        let mesh = process.roster.as_ref()?.mesh;
        told.open(mesh, &*self.keys(node).verifier).ok()
    }

    /// A node wants to know what of its log is too old.
    pub(crate) fn sweep_log(&mut self, node: usize, sweeps: &[Sweep]) {
        let disk = &self.machines[node].disk;
        let swept: Vec<Swept> = sweeps
            .iter()
            .filter_map(|sweep| disk.swept(sweep))
            .collect();
        if !swept.is_empty() {
            self.tell(node, Input::LogSwept(swept));
        }
    }

    /// A node wants to know what its disk keeps where another entry was told.
    pub(crate) fn look_up(&mut self, node: usize, theirs: Arc<Entry>) {
        let disk = &self.machines[node].disk;
        let ours = disk.entry(theirs.chain(), theirs.sequence()).cloned();
        self.tell(node, Input::LookedUp { theirs, ours });
    }
}

/// Bytes of entries on the wire, within a few.
pub(crate) fn told_bytes(told: &EntriesTold) -> usize {
    let all = told.entries.iter().chain(&told.pruned);
    all.map(|entry| entry.len() + ENTRY_AROUND_BYTES).sum()
}
