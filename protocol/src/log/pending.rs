//! Items that wait to be sealed: those that come while the disk is busy go into one entry.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::chain_id::Lane;
use super::entry::{BODY_BYTES_MAX, ITEM_BYTES_MAX, ITEMS_PER_ENTRY_MAX};
use crate::node_state::RequestId;

/// Items that wait in all lanes together; one more is refused.
pub const ITEMS_WAITING_MAX: usize = 8 * 1024;
/// An entry takes no further items once its body has as many bytes, so that it fits a gossip message.
const GATHER_BYTES: usize = 24 * 1024;
/// Bytes by which an encoded item is longer than the item, at most.
const ITEM_FRAME_BYTES: usize = 5;

/// Items that belong into one entry, and who wants to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) items: Vec<Bytes>,
    pub(crate) request: Option<RequestId>,
}

impl Waiting {
    fn bytes(&self) -> usize {
        body_bytes(&self.items)
    }
}

/// What waits, by lane, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    lanes: BTreeMap<Lane, VecDeque<Waiting>>,
    items: usize,
}

impl Pending {
    /// Adds items that keep their bounds; refuses them when too many wait.
    ///
    /// # Errors
    ///
    /// [`AppendError::Items`], [`AppendError::TooLarge`] or [`AppendError::Busy`].
    pub(crate) fn add(&mut self, lane: Lane, waiting: Waiting) -> Result<(), AppendError> {
        check(&waiting.items)?;
        if self.items + waiting.items.len() > ITEMS_WAITING_MAX {
            return Err(AppendError::Busy);
        }
        self.items += waiting.items.len();
        self.lanes.entry(lane).or_default().push_back(waiting);
        Ok(())
    }

    /// Whatever goes into the next entry, and its lane.
    pub(crate) fn take(&mut self) -> Option<(Lane, Vec<Waiting>)> {
        let mut first = self.lanes.first_entry()?;
        let lane = *first.key();
        let queue = first.get_mut();
        let (mut taken, mut items, mut bytes) = (Vec::new(), 0, 0);
        while let Some(next) = queue.front() {
            let more = (items + next.items.len(), bytes + next.bytes());
            let fits = more.0 <= ITEMS_PER_ENTRY_MAX && more.1 <= GATHER_BYTES;
            if !taken.is_empty() && !fits {
                break;
            }
            (items, bytes) = more;
            taken.extend(queue.pop_front());
        }
        if queue.is_empty() {
            first.remove();
        }
        self.items -= items;
        Some((lane, taken))
    }

    /// Everybody who waits, who will wait in vain.
    pub(crate) fn clear(&mut self) -> Vec<RequestId> {
        self.items = 0;
        let lanes = std::mem::take(&mut self.lanes);
        let waiting = lanes.into_values().flatten();
        waiting.filter_map(|waiting| waiting.request).collect()
    }
}

fn body_bytes(items: &[Bytes]) -> usize {
    let each = items.iter().map(|item| item.len() + ITEM_FRAME_BYTES);
    each.sum()
}

fn check(items: &[Bytes]) -> Result<(), AppendError> {
    let count = items.len();
    if !(1..=ITEMS_PER_ENTRY_MAX).contains(&count) {
        return Err(AppendError::Items { found: count });
    }
    let item = items.iter().map(Bytes::len).max().unwrap_or_default();
    if item > ITEM_BYTES_MAX {
        return Err(AppendError::TooLarge { found: item });
    }
    let body = body_bytes(items);
    match body + ITEM_FRAME_BYTES > BODY_BYTES_MAX {
        true => Err(AppendError::TooLarge { found: body }),
        false => Ok(()),
    }
}

/// Why items were not put into the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// This node belongs to no mesh.
    #[error("this node belongs to no mesh; found one with `peerage invite` or join one")]
    NoMesh,
    /// Observers and guests write nothing.
    #[error("this node may not write into the mesh's log: its role is neither admin nor member")]
    NotAWriter,
    /// The recipient of a direct lane is no member.
    #[error("the recipient is no member of this mesh")]
    NoSuchRecipient,
    /// No item, or more than [`ITEMS_PER_ENTRY_MAX`].
    #[error("{found} items at once; from 1 to {ITEMS_PER_ENTRY_MAX} are allowed")]
    Items {
        /// How many.
        found: usize,
    },
    /// An item over [`ITEM_BYTES_MAX`], or all of them over [`BODY_BYTES_MAX`].
    #[error(
        "{found} bytes; one item may have {ITEM_BYTES_MAX}, and what is appended at once about as many"
    )]
    TooLarge {
        /// How large.
        found: usize,
    },
    /// Too many items wait for the disk.
    #[error("too many items wait to be written; try again")]
    Busy,
    /// What this node keeps in the lane has reached its bound.
    #[error(
        "the lane {lane} of this node is full: {bytes} of {limit} bytes; it empties as entries age"
    )]
    LaneFull {
        /// Which.
        lane: Lane,
        /// How full.
        bytes: u64,
        /// How full it may be.
        limit: u64,
    },
    /// The disk has hardly any room left.
    #[error("the disk of this node is full; nothing more is taken until there is room")]
    DiskFull,
    /// The node has no randomness yet, or is stopping.
    #[error("the log of this node is not open; try again")]
    NotOpen,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn waiting(count: usize, bytes: usize) -> Waiting {
        Waiting {
            items: vec![Bytes::from(vec![7; bytes]); count],
            request: None,
        }
    }

    fn taken(pending: &mut Pending) -> Vec<(Lane, usize)> {
        let each = std::iter::from_fn(|| pending.take());
        let items = |all: Vec<Waiting>| all.iter().map(|one| one.items.len()).sum();
        each.map(|(lane, all)| (lane, items(all))).collect()
    }

    #[test]
    fn what_waits_goes_into_one_entry_up_to_its_bounds() {
        let mut pending = Pending::default();
        for _ in 0..300 {
            pending.add(Lane::MESSAGES, waiting(1, 10)).unwrap();
        }
        pending.add(Lane::TASKS, waiting(1, 10)).unwrap();
        let expected = [
            (Lane::MESSAGES, 256),
            (Lane::MESSAGES, 44),
            (Lane::TASKS, 1),
        ];
        assert_eq!(taken(&mut pending), expected);
        assert_eq!((pending.take(), pending.items), (None, 0));
    }

    #[test]
    fn large_items_go_alone_and_what_belongs_together_stays_together() {
        let mut pending = Pending::default();
        pending.add(Lane::MESSAGES, waiting(1, 60_000)).unwrap();
        pending.add(Lane::MESSAGES, waiting(200, 10)).unwrap();
        pending.add(Lane::MESSAGES, waiting(100, 10)).unwrap();
        let expected = [
            (Lane::MESSAGES, 1),
            (Lane::MESSAGES, 200),
            (Lane::MESSAGES, 100),
        ];
        assert_eq!(taken(&mut pending), expected);
    }

    #[test]
    fn what_exceeds_a_bound_is_refused_by_name() {
        let mut pending = Pending::default();
        let mut add = |count, bytes| pending.add(Lane::MESSAGES, waiting(count, bytes));
        assert_eq!(add(0, 0), Err(AppendError::Items { found: 0 }));
        assert_eq!(add(257, 0), Err(AppendError::Items { found: 257 }));
        let found = ITEM_BYTES_MAX + 1;
        assert_eq!(add(1, found), Err(AppendError::TooLarge { found }));
        assert!(matches!(add(2, 40_000), Err(AppendError::TooLarge { .. })));
        (0..ITEMS_WAITING_MAX / 256).for_each(|_| add(256, 1).unwrap());
        assert_eq!(add(1, 1), Err(AppendError::Busy));
    }
}
