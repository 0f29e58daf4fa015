//! Which epoch a node writes in.
//!
//! A node goes on in the epoch of its last run only if it stopped cleanly, and members that hold its chains say that
//! nobody knows more of them than it does itself: otherwise its home may be an old backup, or a copy, and what it
//! wrote next would contradict what it said before. A new epoch is always safe, so whoever is in doubt takes one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::chain_id::EpochId;
use crate::id::{Hash, NodeId};

/// Members that must confirm a node's own frontier, where there are so many.
pub const CONFIRMATIONS_NEEDED: usize = 3;

/// The epoch a node last wrote in, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Which.
    pub epoch: EpochId,
    /// Nothing was written in it since the node last stopped in peace.
    pub closed_cleanly: bool,
}

/// Decides on the epoch, and draws new ones.
#[derive(Debug, Default)]
pub(crate) struct OwnEpoch {
    /// Random, from outside; every epoch of this run is drawn from it.
    seed: Option<[u8; 32]>,
    drawn: u64,
    last: Option<EpochRecord>,
    /// Nobody may go on in the last epoch.
    refuted: bool,
    confirmed: BTreeSet<NodeId>,
    open: Option<EpochId>,
}

impl OwnEpoch {
    /// What was kept of the last run.
    pub(crate) fn restore(&mut self, last: EpochRecord) {
        self.last = Some(last);
    }

    /// Randomness for this run.
    pub(crate) fn set_seed(&mut self, seed: [u8; 32]) {
        self.seed = Some(seed);
    }

    /// The randomness of another mesh's log in this run, and how much of it was drawn.
    pub(crate) fn set_seed_of(&mut self, other: &Self) {
        (self.seed, self.drawn) = (other.seed, other.drawn);
    }

    /// Whether an epoch can be had: there is randomness.
    pub(crate) fn is_ready(&self) -> bool {
        self.seed.is_some()
    }

    /// The epoch that is written in now.
    pub(crate) fn current(&self) -> Option<EpochId> {
        self.open
    }

    /// The epoch that is written in now, or would be if something were written: `None` where that would be a new one.
    pub(crate) fn current_or_confirmed(&self, others: usize) -> Option<EpochId> {
        let last = self.last.filter(|_| self.goes_on(others));
        self.open.or(last.map(|last| last.epoch))
    }

    fn goes_on(&self, others: usize) -> bool {
        let needed = CONFIRMATIONS_NEEDED.min(others);
        self.may_go_on() && needed > 0 && self.confirmed.len() >= needed
    }

    /// The epoch that was written in before it.
    pub(crate) fn last(&self) -> Option<EpochId> {
        self.last.map(|last| last.epoch)
    }

    /// Whether it would help to ask members what they know of this node's own chains.
    pub(crate) fn wants_confirmation(&self) -> bool {
        self.open.is_none() && self.may_go_on()
    }

    fn may_go_on(&self) -> bool {
        !self.refuted && self.last.is_some_and(|last| last.closed_cleanly)
    }

    /// A member knows no more of the last epoch than this node itself.
    pub(crate) fn confirmed_by(&mut self, member: NodeId) {
        if self.confirmed.len() < CONFIRMATIONS_NEEDED {
            self.confirmed.insert(member);
        }
    }

    /// Somebody knows of entries in this node's name that it does not.
    pub(crate) fn refute(&mut self) {
        self.refuted = true;
        self.abandon();
    }

    /// The epoch that is open is written in no more.
    pub(crate) fn abandon(&mut self) {
        if let Some(epoch) = self.open.take() {
            let closed_cleanly = false;
            self.last = Some(EpochRecord {
                epoch,
                closed_cleanly,
            });
        }
    }

    /// The epoch to write in, with `others` members who could confirm, and whether it is to be kept on disk now.
    /// `None` while there is no randomness.
    pub(crate) fn open(&mut self, others: usize) -> Option<(EpochId, Option<EpochRecord>)> {
        if let Some(epoch) = self.open {
            return Some((epoch, None));
        }
        let epoch = match self.last {
            Some(last) if self.goes_on(others) => last.epoch,
            _ => self.draw()?,
        };
        self.open = Some(epoch);
        let closed_cleanly = false;
        Some((
            epoch,
            Some(EpochRecord {
                epoch,
                closed_cleanly,
            }),
        ))
    }

    /// What to keep on disk when the node stops in peace; `None` where nothing was written in this run.
    pub(crate) fn close(&mut self) -> Option<EpochRecord> {
        let epoch = self.open.take()?;
        let closed_cleanly = true;
        let record = EpochRecord {
            epoch,
            closed_cleanly,
        };
        self.last = Some(record);
        Some(record)
    }

    fn draw(&mut self) -> Option<EpochId> {
        let seed = self.seed?;
        self.drawn += 1;
        let hash = Hash::of(&[&seed[..], &self.drawn.to_be_bytes()].concat());
        let mut epoch = [0; 16];
        epoch.copy_from_slice(&hash.as_bytes()[..16]);
        Some(EpochId(epoch))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const LAST: EpochId = EpochId([9; 16]);

    fn member(byte: u8) -> NodeId {
        NodeId::from_public_key([byte; 32])
    }

    fn after(closed_cleanly: bool) -> OwnEpoch {
        let mut own = OwnEpoch::default();
        own.restore(EpochRecord {
            epoch: LAST,
            closed_cleanly,
        });
        own.set_seed([1; 32]);
        own
    }

    #[test]
    fn without_randomness_there_is_no_epoch() {
        assert_eq!(OwnEpoch::default().open(0), None);
    }

    #[test]
    fn a_clean_stop_and_three_members_let_the_epoch_go_on() {
        let mut own = after(true);
        (1..=3).for_each(|byte| own.confirmed_by(member(byte)));
        assert_eq!(own.open(10).unwrap().0, LAST);
    }

    #[test]
    fn in_a_small_mesh_all_others_must_confirm_and_alone_nobody_can() {
        let mut own = after(true);
        own.confirmed_by(member(1));
        assert_ne!(own.open(2).unwrap().0, LAST);
        let mut own = after(true);
        own.confirmed_by(member(1));
        assert_eq!(own.open(1).unwrap().0, LAST);
        assert_ne!(after(true).open(0).unwrap().0, LAST);
    }

    #[test]
    fn after_a_crash_or_when_somebody_knows_more_the_epoch_is_new() {
        let mut crashed = after(false);
        (1..=3).for_each(|byte| crashed.confirmed_by(member(byte)));
        assert!(!crashed.wants_confirmation());
        assert_ne!(crashed.open(3).unwrap().0, LAST);
        let mut refuted = after(true);
        (1..=3).for_each(|byte| refuted.confirmed_by(member(byte)));
        refuted.refute();
        assert_ne!(refuted.open(3).unwrap().0, LAST);
    }

    #[test]
    fn an_epoch_that_is_abandoned_is_followed_by_another_of_the_same_run() {
        let mut own = after(false);
        let first = own.open(0).unwrap().0;
        assert_eq!(own.open(0), Some((first, None)));
        own.abandon();
        let second = own.open(0).unwrap().0;
        assert_ne!(first, second);
        assert_eq!(own.last(), Some(first));
    }

    #[test]
    fn only_what_was_opened_is_closed() {
        let mut own = after(true);
        assert_eq!(own.close(), None);
        let epoch = own.open(0).unwrap().0;
        assert!(own.close().unwrap().closed_cleanly);
        assert_eq!(own.last(), Some(epoch));
    }
}
