//! How many bytes of questions in progress one member may have this node hold.
//!
//! Small questions are not counted: their number is bounded elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerage_protocol::id::NodeId;

/// Bytes of large questions that one member may have in progress: four of the largest.
pub const BYTES_PER_MEMBER_MAX: usize = 64 * 1024 * 1024;

/// Bytes of one question up to which nothing is counted.
pub(super) const UNCOUNTED_MAX: usize = 64 * 1024;

/// The shares of all members; a member without large questions takes no memory.
#[derive(Debug)]
pub struct ByteShares {
    held: Mutex<BTreeMap<NodeId, usize>>,
    per_member: usize,
}

impl Default for ByteShares {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            per_member: BYTES_PER_MEMBER_MAX,
        }
    }
}

impl ByteShares {
    /// The part of `member`'s share that one question takes; nothing yet.
    pub fn of(self: &Arc<Self>, member: NodeId) -> ByteShare {
        ByteShare {
            shares: Arc::clone(self),
            member,
            held: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one question takes of its member's share, until it is dropped.
#[derive(Debug)]
pub struct ByteShare {
    shares: Arc<ByteShares>,
    member: NodeId,
    held: usize,
}

impl ByteShare {
    /// The question has grown to `bytes`; what it once took it keeps.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), ShareUsedUp> {
        if bytes <= UNCOUNTED_MAX.max(self.held) {
            return Ok(());
        }
        let mut held = self.shares.lock();
        let of_member = held.entry(self.member).or_default();
        let after = *of_member - self.held + bytes;
        if after > self.shares.per_member {
            let limit = self.shares.per_member;
            if *of_member == 0 {
                held.remove(&self.member);
            }
            return Err(ShareUsedUp { limit });
        }
        *of_member = after;
        self.held = bytes;
        Ok(())
    }

    /// The question is over.
    pub(super) fn release(&mut self) {
        if self.held == 0 {
            return;
        }
        let mut held = self.shares.lock();
        match held.get_mut(&self.member) {
            Some(of_member) if *of_member > self.held => *of_member -= self.held,
            _ => drop(held.remove(&self.member)),
        }
        self.held = 0;
    }
}

impl Drop for ByteShare {
    fn drop(&mut self) {
        self.release();
    }
}

/// A member has as many bytes of questions in progress here as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this member has {limit} bytes of questions in progress already")]
pub struct ShareUsedUp {
    limit: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn node(byte: u8) -> NodeId {
        NodeId::from_public_key([byte; 32])
    }

    #[test]
    fn a_member_holds_its_share_and_no_more_while_others_are_not_touched() {
        let shares = Arc::new(ByteShares::default());
        let mut four: Vec<_> = (0..4).map(|_| shares.of(node(1))).collect();
        assert!(four.iter_mut().all(|share| share.grow(16 * MIB).is_ok()));
        let mut fifth = shares.of(node(1));
        assert!(fifth.grow(MIB).is_err());
        assert!(fifth.grow(UNCOUNTED_MAX).is_ok(), "small ones always go");
        assert!(shares.of(node(2)).grow(16 * MIB).is_ok());
        four.pop();
        assert!(fifth.grow(MIB).is_ok());
    }

    #[test]
    fn a_question_that_grows_is_counted_once_and_nothing_is_left_behind() {
        let shares = Arc::new(ByteShares::default());
        let mut share = shares.of(node(1));
        for mib in 1..=16 {
            assert_eq!(share.grow(mib * MIB), Ok(()));
        }
        assert_eq!(shares.lock().get(&node(1)), Some(&(16 * MIB)));
        share.release();
        assert!(shares.lock().is_empty());
        assert!(share.grow(65 * MIB).is_err());
        assert!(shares.lock().is_empty());
    }
}
