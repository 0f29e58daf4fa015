//! A node's disk: transactions in order, each whole or not at all, as SQLite keeps them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use peerage_protocol::id::NodeId;
use peerage_protocol::log::chain::Chain;
use peerage_protocol::log::chain_id::{ChainId, Lane};
use peerage_protocol::log::entry::Entry;
use peerage_protocol::log::fork::ForkedEpoch;
use peerage_protocol::log::retention::{Sweep, Swept};
use peerage_protocol::node_state::{Record, RecordKey, Write};
use peerage_protocol::wire::log::{ENTRIES_TOLD_BYTES, EntriesAsked, EntriesTold};

use super::letters::{Inboxes, is_for};

/// What one node has on disk.
#[derive(Default)]
pub(crate) struct Disk {
    records: BTreeMap<RecordKey, Record>,
    entries: BTreeMap<(ChainId, u64), Arc<Entry>>,
    /// What its agents have not read of direct messages.
    pub(crate) inboxes: Inboxes,
    /// Whose disk it is.
    owner: Option<NodeId>,
    /// The root key of the mesh it founded, kept outside the records.
    pub(crate) root: Option<Arc<SigningKey>>,
    /// Every transaction and its time, where an old backup of this disk will be wanted.
    history: Option<Vec<(u64, Vec<Write>)>>,
    /// Whether records of other members are kept; not where the node never starts again.
    forgets_others: bool,
}

impl Disk {
    /// A disk for a node that is started again `restarts`, and from an old backup `backups`.
    pub(crate) fn new(restarts: bool, backups: bool) -> Self {
        Self {
            history: backups.then(Vec::new),
            forgets_others: !restarts && !backups,
            ..Self::default()
        }
    }

    /// The disk of this node, whose agents read what is for it.
    pub(crate) fn of(self, owner: NodeId) -> Self {
        Self {
            owner: Some(owner),
            ..self
        }
    }

    /// Its node goes on with this key.
    pub(crate) fn belongs_to(&mut self, owner: NodeId) {
        self.owner = Some(owner);
    }

    /// A transaction is on disk.
    pub(crate) fn commit(&mut self, at_us: u64, writes: Vec<Write>) {
        for write in &writes {
            if self.forgets_others && is_of_others(write) {
                continue;
            }
            self.apply(write);
        }
        if let Some(history) = &mut self.history {
            history.push((at_us, writes));
        }
    }

    /// Puts the disk back to what it held at `at_us`.
    pub(crate) fn go_back_to(&mut self, at_us: u64) {
        let Some(mut history) = self.history.take() else {
            return;
        };
        history.retain(|(when, _)| *when <= at_us);
        self.records.clear();
        self.entries.clear();
        self.inboxes.read();
        for write in history.iter().flat_map(|(_, writes)| writes) {
            self.apply(write);
        }
        self.history = Some(history);
    }

    /// What is known of the chains of the log.
    pub(crate) fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.records.values().filter_map(|record| match record {
            Record::Chain(chain) => Some(chain),
            _ => None,
        })
    }

    /// The epochs of which there is evidence that they are forked.
    pub(crate) fn forks(&self) -> impl Iterator<Item = ForkedEpoch> {
        self.records.keys().filter_map(|key| match key {
            RecordKey::Fork(forked) => Some(*forked),
            _ => None,
        })
    }

    /// Whether there is evidence that the epoch of a chain is forked.
    pub(crate) fn is_forked(&self, chain: ChainId) -> bool {
        self.records.contains_key(&RecordKey::Fork(chain.into()))
    }

    /// The entry at one place of the log.
    pub(crate) fn entry(&self, chain: ChainId, sequence: u64) -> Option<&Arc<Entry>> {
        self.entries.get(&(chain, sequence))
    }

    /// Every entry of the log.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// The entries that a node is handed again after a start.
    pub(crate) fn recalled(&self) -> Vec<Arc<Entry>> {
        let whole = |entry: &&Arc<Entry>| entry.sealed().body.is_some();
        let kept = self.entries.values().filter(whole);
        let recalled = kept.filter(|entry| Lane::RECALLED.contains(&entry.chain().lane));
        recalled.cloned().collect()
    }

    /// What may be dropped of a chain, if anything.
    pub(crate) fn swept(&self, sweep: &Sweep) -> Option<Swept> {
        let chain = sweep.chain;
        let all = self.entries.range((chain, 0)..=(chain, u64::MAX));
        let whole = all.filter(|(_, entry)| entry.sealed().body.is_some());
        let old = whole.take_while(|((_, sequence), entry)| {
            entry.header().time < sweep.before || *sequence < sweep.live_from
        });
        let (mut first, mut bytes) = (0, 0);
        for ((_, sequence), entry) in old {
            (first, bytes) = (sequence + 1, bytes + entry.sealed().len() as u64);
        }
        (first > 0).then_some(Swept {
            chain,
            first,
            bytes,
        })
    }

    /// As many entries of the ranges as one answer holds.
    pub(crate) fn answer(&self, asked: &EntriesAsked) -> EntriesTold {
        let mut told = EntriesTold::default();
        let mut room = ENTRIES_TOLD_BYTES;
        let kept = asked.ranges.iter().flat_map(|range| {
            let places = (range.chain, range.from)..=(range.chain, range.to);
            self.entries.range(places).map(|(_, entry)| entry)
        });
        for entry in kept {
            let sealed = entry.sealed().clone();
            if room == 0 {
                break;
            }
            room = room.saturating_sub(sealed.len());
            match sealed.body {
                Some(_) => told.entries.push(sealed),
                None => told.pruned.push(sealed),
            }
        }
        told
    }

    fn apply(&mut self, write: &Write) {
        match write {
            Write::Put(record) => {
                self.records.insert(record.key(), record.clone());
            }
            Write::Delete(key) => {
                self.records.remove(key);
            }
            Write::Append(entry) => {
                let place = (entry.chain(), entry.sequence());
                let is_new = self.entries.insert(place, entry.clone()).is_none();
                if is_new && self.owner.is_some_and(|owner| is_for(owner, entry)) {
                    self.inboxes.take(entry);
                }
            }
            Write::Prune { chain, first } => self.prune(*chain, *first),
            Write::Clear => {
                self.records.clear();
                self.entries.clear();
            }
        }
    }

    fn prune(&mut self, chain: ChainId, first: u64) {
        let anchor = first.saturating_sub(1);
        let gone = self.entries.range((chain, 0)..(chain, anchor));
        let gone: Vec<(ChainId, u64)> = gone.map(|(place, _)| *place).collect();
        for place in gone {
            self.entries.remove(&place);
        }
        if let Some(entry) = self.entries.get_mut(&(chain, anchor)) {
            *entry = Arc::new(entry.without_body());
        }
    }

    /// What a node that starts now finds.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.records.values().cloned().collect()
    }

    /// What is kept under `key`.
    pub(crate) fn record(&self, key: &RecordKey) -> Option<&Record> {
        self.records.get(key)
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }
}

fn is_of_others(write: &Write) -> bool {
    let key = match write {
        Write::Put(record) => record.key(),
        Write::Delete(key) => *key,
        Write::Append(_) | Write::Prune { .. } | Write::Clear => return false,
    };
    matches!(key, RecordKey::Member(_) | RecordKey::Addresses(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(byte: u8) -> Write {
        Write::Put(Record::Addresses {
            node: NodeId::from_public_key([byte; 32]),
            addresses: Vec::new(),
        })
    }

    #[test]
    fn what_was_committed_is_found_and_a_later_record_replaces_the_earlier() {
        let mut disk = Disk::new(true, false);
        disk.commit(1, vec![seen(1), seen(2)]);
        disk.commit(2, vec![seen(1)]);
        assert_eq!(disk.len(), 2);
        disk.commit(3, vec![Write::Clear]);
        assert_eq!(disk.records(), []);
    }

    #[test]
    fn a_backup_holds_what_was_there_then() {
        let mut disk = Disk::new(true, true);
        disk.commit(10, vec![seen(1)]);
        disk.commit(20, vec![Write::Clear, seen(2), seen(3)]);
        disk.go_back_to(19);
        assert_eq!(disk.len(), 1);
        disk.go_back_to(5);
        assert_eq!(disk.len(), 0);
    }

    #[test]
    fn a_disk_that_is_never_read_keeps_nothing_of_others() {
        let mut disk = Disk::new(false, false);
        disk.commit(1, vec![seen(1)]);
        assert_eq!(disk.len(), 0);
    }
}
