//! The log: what must not be lost, as signed append-only chains that every member holds alike.
//!
//! # Chains
//!
//! A [chain](chain_id::ChainId) is (author, epoch, lane). Its [entries](entry::Entry) are numbered from 1, each names the
//! one before by hash, and each holds up to 256 items in the order in which they were put in. Entries of one chain
//! are applied in order, each once; between chains there is no order, and whoever needs one puts it into the items.
//!
//! - **Lanes.** A public lane ([`Lane::MESSAGES`], [`Lane::TASKS`], [`Lane::DECISIONS`], [`Lane::KNOWLEDGE`]) is held by
//!   all members. [`Lane::Direct`] names a recipient, and is held by author, recipient and the recipient's three
//!   [mailboxes](direct::mailboxes) alone; it is never gossiped.
//! - **Epochs.** An author writes in one epoch at a time, and begins a new one whenever it cannot be sure to know all it
//!   said ([`own_epoch`]). The first entry of a chain names where the earlier epoch ended.
//! - **Forks.** Two entries of one place are [evidence](fork::Fork) that stops further entries of that epoch in all its
//!   lanes; what was applied stays.
//!
//! # How a room uses it
//!
//! A room is whatever lives on one lane: messages, tasks, decisions, knowledge. What its items mean is its own business;
//! the log sees bytes of up to 64 KiB.
//!
//! **In, from outside:** [`Input::Append`](crate::node_state::Input::Append) with a lane and items, answered by
//! [`Reply::Appended`](crate::node_state::Reply::Appended): by then the entry is on disk here, and where the items
//! stand in it is told ([`Appended`]). Appends that come while the disk is busy share one entry and one sync.
//! **In, from another part of `NodeState`:** `self.append(now, lane, items, request)`, with `None` for `request` where
//! nobody waits; a refusal comes back at once.
//!
//! **Out:** entries that are on disk, of whomever they are, own ones too, each once in a run and in order of its chain:
//!
//! 1. A part of `NodeState` that owns a lane is handed them by `flush_log` in `node_state/log.rs`, right after the
//!    `Persist`. Outputs that it pushes there come after the entries are on disk, so it may answer and publish at once.
//! 2. [`Output::Applied`](crate::node_state::Output::Applied) tells whoever runs the machine; in a node, listeners
//!    subscribe to `control::Snapshots::applied`, a broadcast of entries. Who is too slow there finds what it missed in
//!    the store.
//!
//! **An index in SQLite** (full text, inboxes) is written in the entry's own transaction, so that it never lags behind:
//! it is called from `append` in `node/src/store/log.rs`, which sees every entry once, and from `prune` and `clear` there,
//! which see it go.
//!
//! **After a start** the entries of [`Lane::RECALLED`] are read from the store and handed in again
//! ([`Input::Recalled`](crate::node_state::Input::Recalled)) before the log opens, for the rooms that keep in memory
//! what follows from them; those of other lanes are not applied again.
//!
//! **An item of another author proves** that this member's node signed it, at the time in the header by that node's
//! clock; which agent of that node spoke is that node's word.
//!
//! # Bounds
//!
//! 64 MiB for each author and lane ([`chains::LANE_BYTES_MAX`]), and [`retention::KEPT_FOR`]; a full lane refuses by
//! name ([`AppendError`]). What is older is pruned by everybody, and asking for it is answered with "pruned before".

pub mod chain;
pub mod chain_id;
pub(crate) mod chains;
pub mod direct;
pub(crate) mod early;
pub mod entry;
pub mod fork;
pub(crate) mod frontier;
pub mod own_epoch;
pub(crate) mod pending;
pub(crate) mod pushes;
pub(crate) mod repair;
pub mod retention;
#[cfg(test)]
mod sealed_entries;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use chain_id::Lane;
pub use chains::{CHAINS_PER_AUTHOR_MAX, LANE_BYTES_MAX};
pub use pending::AppendError;
pub use repair::COMPARE_EVERY;

use crate::id::NodeId;
use crate::node_state::RequestId;
use crate::time::{Monotonic, Now};
use chain_id::ChainId;
use chains::Chains;
use early::Early;
use entry::Entry;
use own_epoch::{EpochRecord, OwnEpoch};
use pending::Pending;
use pushes::Pushes;
use repair::Repair;
use retention::Sweeps;

/// Where items stand that were put into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The chain.
    pub chain: ChainId,
    /// The entry.
    pub sequence: u64,
    /// The place of the first of them among the entry's items, from 0.
    pub first: u16,
}

/// What goes to disk together, and what follows once it is there.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) entries: Vec<Arc<Entry>>,
    pub(crate) anchors: Vec<Arc<Entry>>,
    pub(crate) epoch: Option<EpochRecord>,
    pub(crate) appended: Vec<(RequestId, Appended)>,
    pub(crate) own: Vec<Arc<Entry>>,
    /// Heads that were repaired, to be told again.
    pub(crate) repaired: Vec<Arc<Entry>>,
}

/// The log's part of a node's state.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) chains: Chains,
    pub(crate) own: OwnEpoch,
    pub(crate) pending: Pending,
    pub(crate) early: Early,
    pub(crate) repair: Repair,
    pub(crate) pushes: Pushes,
    pub(crate) sweeps: Sweeps,
    pub(crate) batch: Batch,
    /// Who is a member may have changed since the frontier was last compared.
    pub(crate) authors_changed: bool,
    /// Members of whose direct lanes to this node nothing is taken.
    pub(crate) held: BTreeSet<NodeId>,
    /// There is no room on disk for more.
    pub(crate) disk_full: bool,
    /// The time of the latest input that left something to write.
    pub(crate) last_now: Option<Now>,
}

impl Log {
    /// When there is something to ask.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        let early = self.early.next_deadline();
        let others = [self.repair.next_deadline(), self.sweeps.next_deadline()];
        early.into_iter().chain(others.into_iter().flatten()).min()
    }
}
