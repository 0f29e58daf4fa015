//! A sorted set kept in shared chunks: a clone is cheap, and a change copies one chunk.
//!
//! Snapshots of the roster are replaced whole at every change; with plain maps a mesh of `n` nodes would copy `n`
//! entries for each of `n` arrivals. Here a change copies at most [`CHUNK_MAX`] items and one pointer per chunk.

use std::cmp::Ordering;
use std::sync::Arc;

/// Items in one chunk at most; a fuller one is split in two.
const CHUNK_MAX: usize = 32;

/// What items are sorted by in the first place.
pub(super) trait SortKey {
    /// The beginning of the order: an item with a lower one stands before those with a higher one.
    fn sort_key(&self) -> u64;
}

/// A sorted set of cheap-to-clone items: by their [`SortKey`], and those with the same one by the caller's order, which
/// is the same at every call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SortedChunks<T> {
    chunks: Vec<Chunk<T>>,
    length: usize,
}

/// Items side by side, and never none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chunk<T> {
    /// The key of the last item, at hand so that a search touches the items of one chunk only.
    last_key: u64,
    items: Arc<[T]>,
}

impl<T> Default for SortedChunks<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            length: 0,
        }
    }
}

impl<T: Clone + SortKey> Chunk<T> {
    /// `None` where there are no items.
    fn of(items: &[T]) -> Option<Self> {
        let last_key = items.last()?.sort_key();
        let items = items.into();
        Some(Self { last_key, items })
    }
}

impl<T: Clone + SortKey> SortedChunks<T> {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.items.iter())
    }

    /// The items in order, from the first whose key is not lower than `key`.
    pub(super) fn from(&self, key: u64) -> impl Iterator<Item = &T> {
        let place = self.chunks.partition_point(|chunk| chunk.last_key < key);
        let chunks = self.chunks.get(place..).unwrap_or_default();
        let items = chunks.iter().flat_map(|chunk| chunk.items.iter());
        items.skip_while(move |item| item.sort_key() < key)
    }

    /// The item with this key that `order` calls equal; `order` says where an item stands relative to the one sought.
    pub(super) fn find(&self, key: u64, order: impl Fn(&T) -> Ordering) -> Option<&T> {
        let chunk = self.chunks.get(self.chunk_for(key, &order))?;
        let at = chunk.items.binary_search_by(&order).ok()?;
        chunk.items.get(at)
    }

    /// Puts `item` in its place, instead of the one that `order` calls equal, which is returned.
    pub(super) fn insert(&mut self, item: T, order: impl Fn(&T) -> Ordering) -> Option<T> {
        let place = self.chunk_for(item.sort_key(), &order);
        let place = place.min(self.chunks.len().saturating_sub(1));
        let known = self.chunks.get(place);
        let known = known.map_or(&[][..], |chunk| &chunk.items);
        let mut changed = Vec::with_capacity(known.len() + 1);
        changed.extend_from_slice(known);
        let replaced = match changed.binary_search_by(&order) {
            Ok(at) => Some(std::mem::replace(&mut changed[at], item)),
            Err(at) => {
                changed.insert(at, item);
                self.length += 1;
                None
            }
        };
        self.put_back(place, &changed);
        replaced
    }

    /// Takes out the item with this key that `order` calls equal.
    pub(super) fn remove(&mut self, key: u64, order: impl Fn(&T) -> Ordering) -> Option<T> {
        let place = self.chunk_for(key, &order);
        let chunk = self.chunks.get(place)?;
        let at = chunk.items.binary_search_by(&order).ok()?;
        let mut changed = chunk.items.to_vec();
        let removed = changed.remove(at);
        self.put_back(place, &changed);
        self.length -= 1;
        Some(removed)
    }

    /// The first chunk whose last item does not stand before the one sought.
    fn chunk_for(&self, key: u64, order: &impl Fn(&T) -> Ordering) -> usize {
        let first = self.chunks.partition_point(|chunk| chunk.last_key < key);
        let same_key = self.chunks[first..].iter().take_while(|chunk| {
            let last = chunk.items.last().filter(|_| chunk.last_key == key);
            last.is_some_and(|last| order(last) == Ordering::Less)
        });
        first + same_key.count()
    }

    /// Puts `changed` where the chunk at `place` was: as one, as two where it is too large, or not at all.
    fn put_back(&mut self, place: usize, changed: &[T]) {
        let half = match changed.len() {
            0..=CHUNK_MAX => changed.len(),
            more => more / 2,
        };
        let (low, high) = changed.split_at(half);
        let chunks = [Chunk::of(low), Chunk::of(high)].into_iter().flatten();
        let end = self.chunks.len().min(place + 1);
        self.chunks.splice(place..end, chunks);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Many have the same key.
    impl SortKey for (u16, u8) {
        fn sort_key(&self) -> u64 {
            u64::from(self.0 / 150)
        }
    }

    impl SortKey for u32 {
        fn sort_key(&self) -> u64 {
            u64::from(*self)
        }
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_holds(
            changes in proptest::collection::vec((any::<bool>(), 0_u16..400, any::<u8>()), 0..1_500),
        ) {
            let (mut set, mut map) = (SortedChunks::default(), BTreeMap::new());
            for (insert, key, value) in changes {
                let sort_key = (key, value).sort_key();
                if insert {
                    let replaced = set.insert((key, value), |item: &(u16, u8)| item.0.cmp(&key));
                    prop_assert_eq!(replaced, map.insert(key, value).map(|old| (key, old)));
                } else {
                    let removed = set.remove(sort_key, |item| item.0.cmp(&key));
                    prop_assert_eq!(removed, map.remove(&key).map(|old| (key, old)));
                }
                prop_assert_eq!(set.len(), map.len());
                let found = set.find(sort_key, |item| item.0.cmp(&key)).map(|item| item.1);
                prop_assert_eq!(found, map.get(&key).copied());
                let from = set.from(sort_key).next().map(|item| item.0);
                prop_assert_eq!(from, map.range(key / 150 * 150..).next().map(|(key, _)| *key));
            }
            let held: Vec<(u16, u8)> = set.iter().copied().collect();
            prop_assert_eq!(held, map.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_clone_is_not_changed_with_its_original() {
        let mut set = SortedChunks::default();
        for key in 0..500_u32 {
            set.insert(key, |item| item.cmp(&key));
        }
        let before = set.clone();
        set.remove(250, |item| item.cmp(&250));
        assert_eq!((before.len(), set.len()), (500, 499));
        assert!(before.find(250, |item| item.cmp(&250)).is_some());
    }
}
