//! The log of a world's nodes: entries on their disks, and the questions that members put about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use peerage_protocol::id::{Hash, NodeId};
use peerage_protocol::log::chain_id::{ChainId, Lane};
use peerage_protocol::log::direct::may_hold;
use peerage_protocol::log::entry::{Draft, Entry, SealedEntry};
use peerage_protocol::log::fork::ForkedEpoch;
use peerage_protocol::log::retention::{Sweep, Swept};
use peerage_protocol::log::{AppendError, Appended};
use peerage_protocol::node_state::Input;
use peerage_protocol::wire::announcement::Announcement;
use peerage_protocol::wire::log::{EntriesAsked, EntriesTold, OpenedEntries};

use super::World;
use super::letters::letter;
use super::machine::{Machine, Request};
use crate::checks::Observation;
use crate::plan::NodeNumber;
use crate::randomness::derive;

/// What an entry takes on the wire beside its own bytes.
pub(crate) const ENTRY_AROUND_BYTES: usize = 12;

impl World {
    /// What a node that has just started kept of lanes that are recalled, and randomness for it.
    pub(crate) fn open_log(&mut self, node: usize) {
        let entries = self.machines[node].disk.recalled();
        if !entries.is_empty() {
            self.tell(node, Input::Recalled { entries });
        }
        // Not drawn from the world's randomness, whose other draws are as they were.
        let purpose = format!("log of {node}, start {}", self.machines[node].boots);
        let seed = derive(self.plan.seed, &purpose);
        self.tell(node, Input::LogSeed { seed });
        self.look_into_inboxes(node);
    }

    /// A member puts items into its log, one after the other; each is different.
    pub(crate) fn append(
        &mut self,
        node: usize,
        lane: u8,
        to: Option<NodeNumber>,
        items: u32,
        bytes: u32,
    ) {
        let recipient = to.and_then(|to| self.by_number.get(&to).copied());
        let lane = match recipient {
            Some(recipient) if recipient != node => Lane::Direct(self.machines[recipient].id),
            _ => Lane::Public(lane),
        };
        for _ in 0..items {
            self.appended += 1;
            let mut item = self.appended.to_be_bytes().to_vec();
            item.resize(item.len() + bytes as usize, 7);
            let items = vec![match lane {
                Lane::Direct(recipient) => letter(recipient, self.appended, bytes as usize),
                Lane::Public(_) => item.into(),
            }];
            self.ask(node, Request::Append, |request| Input::Append {
                request,
                lane,
                items,
            });
        }
    }

    /// Somebody signs another entry in place of the last public one that a member wrote, and gossips it.
    pub(crate) fn contradict(&mut self, node: usize) {
        let machine = &self.machines[node];
        let process = machine.process.as_ref();
        let Some(roster) = process.and_then(|process| process.roster.clone()) else {
            return;
        };
        let own = machine.disk.chains();
        let own = own.filter(|chain| chain.id.author == machine.id && chain.id.lane.is_public());
        let last = own.max_by_key(|chain| chain.head_time);
        let last = last.and_then(|chain| machine.disk.entry(chain.id, chain.head));
        let Some(header) = last.map(|last| last.header().clone()) else {
            return;
        };
        let draft = Draft {
            chain: header.chain,
            sequence: header.sequence,
            previous: header.previous,
            predecessor: header.predecessor,
            time: header.time,
            live_from: header.live_from,
        };
        let items = [Bytes::from_static(b"another history")];
        let entry = Entry::seal(draft, &items, roster.mesh, &*machine.key);
        let announcement = Announcement {
            entries: vec![entry.sealed().clone()],
            ..Announcement::default()
        };
        // Whoever has nobody to tell tells nobody.
        let _ = self.publish_by(node, Arc::new(announcement));
    }

    /// Where the logs of two members differ, in a sentence: in the chains of members, as far as both may hold them.
    pub(crate) fn logs_differ(&self) -> Option<String> {
        let mut members = self.machines.iter().filter(|machine| {
            let process = machine.process.as_ref();
            process.is_some_and(|process| process.roster.is_some())
        });
        let first = members.next()?;
        let roster = first.process.as_ref()?.roster.as_ref()?;
        let heads = |machine: &Machine| -> BTreeMap<ChainId, (u64, Hash)> {
            let chains = machine.disk.chains().filter(|chain| {
                let author = chain.id.author;
                let known = author == first.id || roster.member(author).is_some();
                known && chain.id.lane.is_public() && !machine.disk.is_forked(chain.id)
            });
            chains
                .map(|chain| (chain.id, (chain.head, chain.head_hash)))
                .collect()
        };
        let forks = |machine: &Machine| -> BTreeSet<ForkedEpoch> {
            let forked = machine.disk.forks();
            let known = |author| author == first.id || roster.member(author).is_some();
            forked.filter(|forked| known(forked.author)).collect()
        };
        let (expected, forked) = (heads(first), forks(first));
        members.find_map(|machine| {
            let found = heads(machine);
            if forks(machine) != forked {
                let (here, there) = (first.plan.number.0, machine.plan.number.0);
                return Some(format!("#{here} and #{there} know of different forks"));
            }
            let all = expected.keys().chain(found.keys());
            let chain = all.copied().find(|id| expected.get(id) != found.get(id))?;
            let at = |heads: &BTreeMap<ChainId, (u64, Hash)>| heads.get(&chain).map_or(0, |h| h.0);
            let (here, there) = (first.plan.number.0, machine.plan.number.0);
            let (ours, theirs) = (at(&expected), at(&found));
            Some(format!(
                "#{here} has {chain} up to no. {ours}, #{there} up to no. {theirs}"
            ))
        })
    }

    /// What came of items that were put in.
    pub(crate) fn appended(&mut self, node: usize, appended: Result<Appended, AppendError>) {
        if let Ok(appended) = appended {
            self.observe(&Observation::Appended { node, appended });
        }
    }

    /// What a node's disk answers to a question for entries.
    pub(crate) fn kept_entries(
        &mut self,
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
        let told = machine.disk.answer(&asked);
        for entry in &told.entries {
            self.entry_sent(node, Some(asker), entry);
        }
        told
    }

    /// A node sends an entry to a member, or gossips it.
    pub(crate) fn entry_sent(&mut self, node: usize, to: Option<NodeId>, entry: &SealedEntry) {
        if let Ok(opened) = entry.clone().open_unsigned() {
            let (chain, body) = (opened.chain(), entry.body.as_deref());
            self.observe(&Observation::EntrySent {
                node,
                to,
                chain,
                body,
            });
        }
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
