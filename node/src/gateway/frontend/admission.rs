//! How much each peer may have in progress here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerage_protocol::id::NodeId;
use peerage_protocol::limits::CALLS_PER_PEER_MAX;

/// Counts the substreams of each peer; a peer with none takes no memory.
#[derive(Debug)]
pub struct Admission {
    in_progress: Mutex<BTreeMap<NodeId, usize>>,
    per_peer: usize,
}

impl Default for Admission {
    fn default() -> Self {
        Self::new(CALLS_PER_PEER_MAX)
    }
}

impl Admission {
    /// At most `per_peer` substreams of each peer at once.
    pub const fn new(per_peer: usize) -> Self {
        Self {
            in_progress: Mutex::new(BTreeMap::new()),
            per_peer,
        }
    }

    /// A place for one more substream of `peer`, until it is dropped; `None` when all are taken.
    pub fn enter(self: &Arc<Self>, peer: NodeId) -> Option<Admitted> {
        let mut in_progress = self.lock();
        let count = in_progress.get(&peer).copied().unwrap_or(0);
        if count >= self.per_peer {
            return None;
        }
        in_progress.insert(peer, count + 1);
        Some(Admitted {
            admission: Arc::clone(self),
            peer,
        })
    }

    /// Substreams of all peers in progress.
    pub fn in_progress(&self) -> usize {
        self.lock().values().sum()
    }

    fn leave(&self, peer: NodeId) {
        let mut in_progress = self.lock();
        match in_progress.get_mut(&peer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(in_progress.remove(&peer)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, usize>> {
        self.in_progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that one substream of a peer holds.
#[derive(Debug)]
pub struct Admitted {
    admission: Arc<Admission>,
    peer: NodeId,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.leave(self.peer);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_peer_over_its_share_is_refused_while_others_are_not() {
        let admission = Arc::new(Admission::new(2));
        let [one, other] = [1, 2].map(|key| NodeId::from_public_key([key; 32]));
        let first = admission.enter(one).unwrap();
        let _second = admission.enter(one).unwrap();
        assert!(admission.enter(one).is_none());
        assert!(admission.enter(other).is_some());
        drop(first);
        assert!(admission.enter(one).is_some());
    }

    #[test]
    fn a_peer_without_substreams_takes_no_memory() {
        let admission = Arc::new(Admission::default());
        drop(admission.enter(NodeId::from_public_key([1; 32])));
        assert!(admission.lock().is_empty());
    }
}
