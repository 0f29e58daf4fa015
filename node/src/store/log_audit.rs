//! Checks every byte of the log in a database, without changing it and also while a node writes to it.
//!
//! Each entry is held against its own signature and hash, the place it is kept at, the entry before it, and what the
//! database says of its chain. What this cannot see is a log that was cut off at its end with everything that was said
//! of it: that is what other members confirm when a node starts.

use std::collections::BTreeMap;
use std::path::Path;

use peerage_protocol::id::{Hash, MeshId};
use peerage_protocol::log::chain::Chain;
use peerage_protocol::log::chain_id::ChainId;
use peerage_protocol::log::entry::{Entry, EntryError};
use peerage_protocol::log::fork::Fork;
use peerage_protocol::node_state::Record;
use peerage_protocol::signature::Ed25519;
use rusqlite::{Connection, OpenFlags};

use super::{StoreError, StoredEntry, log, records, schema};

/// Entries that are read at a time.
const PAGE: usize = 1_024;
/// Faults that are told; a log that was altered has them at every entry after.
const FAULTS_MAX: usize = 100;

/// What was found of one chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditedChain {
    /// Entries with their items.
    pub entries: u64,
    /// Their items.
    pub items: u64,
    /// Bytes of entries.
    pub bytes: u64,
    /// The first that is kept whole, and the last.
    pub range: Option<(u64, u64)>,
    /// By the author's clock, in milliseconds since the Unix epoch, of the last.
    pub last_time: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogAudit {
    /// Each chain.
    pub chains: BTreeMap<ChainId, AuditedChain>,
    /// Evidence of forks.
    pub forks: Vec<Fork>,
    /// What is wrong, the first 100.
    pub faults: Vec<LogFault>,
}

/// Something is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    /// The bytes are no entry of this mesh.
    #[error("{chain} no. {sequence} was altered: {why}")]
    Altered {
        /// The chain it is kept under.
        chain: ChainId,
        /// The place it is kept at.
        sequence: u64,
        /// What is wrong with it.
        why: EntryError,
    },
    /// A good entry, kept where another belongs.
    #[error("{chain} no. {sequence} is not at its place: it is no. {found} of {of}")]
    Misplaced {
        /// The chain it is kept under.
        chain: ChainId,
        /// The place it is kept at.
        sequence: u64,
        /// The chain it says it is of.
        of: ChainId,
        /// The place it says it has.
        found: u64,
    },
    /// The hash that was kept beside it is another.
    #[error("{chain} no. {sequence}: the hash kept beside it is not its own")]
    OtherHash {
        /// The chain.
        chain: ChainId,
        /// Its place.
        sequence: u64,
    },
    /// Entries are missing in the middle.
    #[error("{chain}: no. {from} to {to} are missing")]
    Missing {
        /// The chain.
        chain: ChainId,
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// It does not follow what is before it.
    #[error("{chain} no. {sequence} does not follow the one before it")]
    Unlinked {
        /// The chain.
        chain: ChainId,
        /// Its place.
        sequence: u64,
    },
    /// The chain does not end where the database says, or nothing is said of it.
    #[error("{chain} ends with no. {found}, and is said to end with no. {said}")]
    OtherEnd {
        /// The chain.
        chain: ChainId,
        /// Its last entry.
        found: u64,
        /// What is said.
        said: u64,
    },
    /// Evidence of a fork that proves nothing.
    #[error("the evidence of a fork by {author} proves nothing")]
    FalseFork {
        /// Against whom.
        author: peerage_protocol::id::NodeId,
    },
}

/// Checks the log of the database at `path`.
///
/// # Errors
/// When the file is missing, is no database, is of a later version, or cannot be read.
pub fn audit_log(path: &Path) -> Result<LogAudit, StoreError> {
    let mut audit = LogAudit::default();
    each_entry(path, &mut audit, |_, _| {})?;
    Ok(audit)
}

/// The same, handing over each good entry with its chain and place.
///
/// # Errors
/// As [`audit_log`].
pub fn read_log(path: &Path, mut each: impl FnMut(&Entry)) -> Result<LogAudit, StoreError> {
    let mut audit = LogAudit::default();
    each_entry(path, &mut audit, |_, entry| each(entry))?;
    Ok(audit)
}

fn each_entry(
    path: &Path,
    audit: &mut LogAudit,
    mut each: impl FnMut(&StoredEntry, &Entry),
) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    if !schema::has_log(&connection)? {
        return Ok(());
    }
    // One reading transaction: the records and the entries are of the same moment.
    connection.execute_batch("BEGIN")?;
    let records = records::load(&mut connection)?;
    let said = Said::of(records);
    let Some(mesh) = said.mesh else {
        return Ok(());
    };
    let mut walk = Walk {
        mesh,
        last: BTreeMap::new(),
        audit,
    };
    let mut after = None;
    loop {
        let page = log::page(&connection, after, PAGE)?;
        let Some((number, last)) = page.last() else {
            break;
        };
        after = Some((*number, last.sequence));
        for (_, stored) in &page {
            if let Some(entry) = walk.entry(stored) {
                each(stored, &entry);
            }
        }
    }
    walk.ends(&said);
    Ok(())
}

/// What the database says beside the entries.
struct Said {
    mesh: Option<MeshId>,
    chains: BTreeMap<ChainId, Chain>,
    forks: Vec<Fork>,
}

impl Said {
    fn of(records: Vec<Record>) -> Self {
        let mut said = Self {
            mesh: None,
            chains: BTreeMap::new(),
            forks: Vec::new(),
        };
        for record in records {
            match record {
                Record::Home { mesh, .. } => said.mesh = Some(mesh),
                Record::Chain(chain) => _ = said.chains.insert(chain.id, chain),
                Record::Fork(fork) => said.forks.push(Fork::clone(&fork)),
                _ => {}
            }
        }
        said
    }
}

struct Walk<'a> {
    mesh: MeshId,
    /// The last entry of each chain, and its hash where it could be read.
    last: BTreeMap<ChainId, (u64, Option<Hash>)>,
    audit: &'a mut LogAudit,
}

impl Walk<'_> {
    fn fault(&mut self, fault: LogFault) {
        if self.audit.faults.len() < FAULTS_MAX {
            self.audit.faults.push(fault);
        }
    }

    fn entry(&mut self, stored: &StoredEntry) -> Option<Entry> {
        let (chain, sequence) = (stored.chain, stored.sequence);
        let before = self.last.get(&chain).copied();
        if let Some((last, _)) = before.filter(|(last, _)| sequence > last + 1) {
            let (from, to) = (last + 1, sequence - 1);
            self.fault(LogFault::Missing { chain, from, to });
        }
        let entry = match stored.sealed.clone().open(self.mesh, &Ed25519) {
            Ok(entry) => entry,
            Err(why) => {
                self.last.insert(chain, (sequence, None));
                self.fault(LogFault::Altered {
                    chain,
                    sequence,
                    why,
                });
                return None;
            }
        };
        self.last.insert(chain, (sequence, Some(entry.hash())));
        if (entry.chain(), entry.sequence()) != (chain, sequence) {
            self.fault(LogFault::Misplaced {
                chain,
                sequence,
                of: entry.chain(),
                found: entry.sequence(),
            });
            return None;
        }
        if *entry.hash().as_bytes() != stored.hash {
            self.fault(LogFault::OtherHash { chain, sequence });
        }
        let follows = match before {
            Some((last, Some(hash))) if last + 1 == sequence => entry.header().previous == hash,
            _ => true,
        };
        if !follows {
            self.fault(LogFault::Unlinked { chain, sequence });
        }
        self.count(&entry);
        Some(entry)
    }

    fn count(&mut self, entry: &Entry) {
        let counted = self.audit.chains.entry(entry.chain()).or_default();
        counted.last_time = entry.header().time.0;
        if entry.sealed().body.is_some() {
            counted.entries += 1;
            counted.items += u64::from(entry.header().items);
            counted.bytes += entry.sealed().len() as u64;
            let first = counted.range.map_or(entry.sequence(), |(first, _)| first);
            counted.range = Some((first, entry.sequence()));
        }
    }

    /// Whether each chain ends where the database says.
    fn ends(&mut self, said: &Said) {
        let found: Vec<ChainId> = self.last.keys().copied().collect();
        let chains = found.into_iter().chain(said.chains.keys().copied());
        let chains: std::collections::BTreeSet<ChainId> = chains.collect();
        for chain in chains {
            let (found, hash) = self.last.get(&chain).copied().unwrap_or((0, None));
            let known = said.chains.get(&chain);
            let said = known.map_or(0, |known| known.head);
            let other_hash = known.is_some_and(|k| hash.is_some_and(|hash| hash != k.head_hash));
            if found != said || other_hash {
                self.fault(LogFault::OtherEnd { chain, found, said });
            }
            let first = known.map_or(1, |known| known.first);
            let kept = self.audit.chains.get(&chain).and_then(|chain| chain.range);
            if let Some((kept, _)) = kept.filter(|(kept, _)| *kept > first) {
                let (from, to) = (first, kept - 1);
                self.fault(LogFault::Missing { chain, from, to });
            }
        }
        for fork in &said.forks {
            match fork.check(self.mesh, &Ed25519) {
                Ok(_) => self.audit.forks.push(fork.clone()),
                Err(_) => self.fault(LogFault::FalseFork {
                    author: fork.forked.author,
                }),
            }
        }
    }
}
