//! Receipts for direct entries: this node says what it has of those that are for it, and whoever holds entries that
//! their recipient has drops them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::output::Output;
use super::record::{Record, Write};
use crate::id::NodeId;
use crate::log::AppendError;
use crate::log::chain_id::{ChainId, EpochId, Lane};
use crate::log::entry::Entry;
use crate::log::retention::Sweep;
use crate::messaging::DirectItem;
use crate::messaging::receipt::{CHAINS_MAX, Receipt, Received};
use crate::time::{Monotonic, Now, Timestamp};

/// How long receipts gather, so that many entries are one receipt.
const GATHER_FOR: Duration = Duration::from_secs(1);

/// Bytes of a chain from which on what is received of it is swept although more follows.
const SWEPT_FROM_BYTES: u64 = 1024 * 1024;

/// What is to be told of.
#[derive(Default)]
pub(super) struct Receipts {
    due: BTreeMap<(NodeId, EpochId), Due>,
    at: Option<Monotonic>,
    /// Chains whose recipient has them up to there.
    received: Vec<(ChainId, u64)>,
}

/// What is here of one chain.
struct Due {
    sequence: u64,
    /// Its author waits for it: it holds messages, and not receipts alone.
    author_waits: bool,
}

impl Receipts {
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.at
    }

    fn add(&mut self, now: Now, chain: ChainId, sequence: u64, author_waits: bool) {
        let due = self.due.entry((chain.author, chain.epoch)).or_insert(Due {
            sequence,
            author_waits,
        });
        due.sequence = due.sequence.max(sequence);
        due.author_waits |= author_waits;
        self.at.get_or_insert(now.monotonic + GATHER_FOR);
    }
}

impl NodeState {
    /// A direct entry is on disk.
    pub(super) fn direct_applied(&mut self, now: Now, entry: &Arc<Entry>) {
        let chain = entry.chain();
        let mut messages = false;
        for item in entry.items() {
            match DirectItem::decode(&item) {
                Ok(DirectItem::Sealed(_)) => messages = true,
                Ok(DirectItem::Receipt(receipt)) => self.note_receipt(chain.author, &receipt),
                // Of a later version: it is kept all the same.
                Err(_) => {}
            }
        }
        if chain.lane == Lane::Direct(self.me) && chain.author != self.me {
            self.receipts.add(now, chain, entry.sequence(), messages);
        }
    }

    /// What the last run may not have told of.
    pub(super) fn restore_receipts(&mut self, now: Now) {
        let lane = Lane::Direct(self.me);
        let chains = self.log.chains.direct();
        let held = chains.filter(|c| c.id.lane == lane && c.id.author != self.me && c.bytes > 0);
        let held: Vec<(ChainId, u64)> = held.map(|chain| (chain.id, chain.head)).collect();
        for (chain, head) in held {
            self.receipts.add(now, chain, head, true);
        }
    }

    /// Receipts that are due go to the authors, and to this node's mailboxes by the lane that they hold for it.
    pub(super) fn tell_receipts_when_due(&mut self, now: Now) {
        if self.receipts.at.is_none_or(|at| now.monotonic < at) {
            return;
        }
        self.receipts.at = None;
        let due = std::mem::take(&mut self.receipts.due);
        let mut by_author: BTreeMap<NodeId, Vec<Received>> = BTreeMap::new();
        let mut all = Vec::new();
        for ((author, epoch), due) in &due {
            let received = Received {
                author: *author,
                epoch: *epoch,
                sequence: due.sequence,
            };
            all.push(received);
            if due.author_waits {
                by_author.entry(*author).or_default().push(received);
            }
        }
        let mut told = self.tell_receipt(now, self.me, &all);
        for (author, received) in by_author {
            told = told.and(self.tell_receipt(now, author, &received));
        }
        if told.is_err() {
            self.receipts.due = due;
            self.receipts.at = Some(now.monotonic + GATHER_FOR);
        }
    }

    /// # Errors
    ///
    /// When it is worth trying again.
    fn tell_receipt(
        &mut self,
        now: Now,
        to: NodeId,
        received: &[Received],
    ) -> Result<(), AppendError> {
        for some in received.chunks(CHAINS_MAX) {
            let received = some.to_vec();
            let item = DirectItem::Receipt(Receipt { received }).encode();
            let appended = self.append(now, Lane::Direct(to), vec![item], None);
            // Who is no member any more, or has no room, is told of nothing.
            if let Err(error @ (AppendError::Busy | AppendError::NotOpen | AppendError::DiskFull)) =
                appended
            {
                return Err(error);
            }
        }
        Ok(())
    }

    fn note_receipt(&mut self, recipient: NodeId, receipt: &Receipt) {
        for received in &receipt.received {
            let chain = ChainId {
                author: received.author,
                epoch: received.epoch,
                lane: Lane::Direct(recipient),
            };
            self.receipts.received.push((chain, received.sequence));
        }
    }

    /// Drops what receipts have named, once all that went to disk with them is applied.
    pub(super) fn drop_received(&mut self) {
        for (chain, sequence) in std::mem::take(&mut self.receipts.received) {
            self.release(chain, sequence);
        }
    }

    fn sweep_received(&mut self, chain: ChainId, live_from: u64) {
        self.log.chains.stand_by_from(chain, live_from);
        let known = self.log.chains.get(chain).cloned();
        self.persist(
            known
                .map(|known| Write::Put(Record::Chain(known)))
                .into_iter()
                .collect(),
        );
        let before = Timestamp(0);
        let sweep = Sweep {
            chain,
            before,
            live_from,
        };
        self.outputs.push_back(Output::SweepLog(vec![sweep]));
    }

    /// The recipient has all up to `sequence`: where that is all there is, nothing of it is kept. Where more follows, as
    /// it always does of who never pauses, what is received is swept once it is much.
    fn release(&mut self, chain: ChainId, sequence: u64) {
        let Some(known) = self.log.chains.get(chain) else {
            return;
        };
        if known.head == 0 || known.first > known.head {
            return;
        }
        if known.head > sequence {
            let much = known.bytes >= SWEPT_FROM_BYTES && known.live_from <= sequence;
            if much {
                self.sweep_received(chain, sequence + 1);
            }
            return;
        }
        self.log.chains.release(chain);
        if let Some(known) = self.log.chains.get(chain).cloned() {
            let first = known.first;
            self.persist(vec![
                Write::Prune { chain, first },
                Write::Put(Record::Chain(known)),
            ]);
        }
    }
}
