//! A node's disk: transactions in order, each whole or not at all, as SQLite keeps them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use peerage_protocol::node_state::{Record, RecordKey, Write};

/// What one node has on disk.
#[derive(Default)]
pub(crate) struct Disk {
    records: BTreeMap<RecordKey, Record>,
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

    /// A transaction is on disk.
    pub(crate) fn commit(&mut self, at_us: u64, writes: Vec<Write>) {
        for write in &writes {
            if self.forgets_others && is_of_others(write) {
                continue;
            }
            apply(&mut self.records, write.clone());
        }
        if let Some(history) = &mut self.history {
            history.push((at_us, writes));
        }
    }

    /// Puts the disk back to what it held at `at_us`.
    pub(crate) fn go_back_to(&mut self, at_us: u64) {
        let Some(history) = &mut self.history else {
            return;
        };
        history.retain(|(when, _)| *when <= at_us);
        self.records.clear();
        for (_, writes) in history {
            for write in writes {
                apply(&mut self.records, write.clone());
            }
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

fn apply(records: &mut BTreeMap<RecordKey, Record>, write: Write) {
    match write {
        Write::Put(record) => {
            records.insert(record.key(), record);
        }
        Write::Delete(key) => {
            records.remove(&key);
        }
        Write::Clear => records.clear(),
    }
}

fn is_of_others(write: &Write) -> bool {
    let key = match write {
        Write::Put(record) => record.key(),
        Write::Delete(key) => *key,
        Write::Clear => return false,
    };
    matches!(key, RecordKey::Member(_) | RecordKey::Addresses(_))
}

#[cfg(test)]
mod tests {
    use peerage_protocol::id::NodeId;

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
