//! A sorted set kept in shared chunks: a clone is cheap, and a change copies one chunk.
//!
//! Snapshots of the roster are replaced whole at every change; with plain maps a mesh of `n` nodes would copy `n`
//! entries for each of `n` arrivals. Here a change copies at most [`CHUNK_MAX`] items and one pointer per chunk.

use std::cmp::Ordering;
use std::sync::Arc;

/// Items in one chunk at most; a fuller one is split in two.
const CHUNK_MAX: usize = 64;

/// A sorted set of cheap-to-clone items. The order is the caller's: the same at every call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SortedChunks<T> {
    /// None is empty.
    chunks: Vec<Arc<[T]>>,
    length: usize,
}

impl<T> Default for SortedChunks<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            length: 0,
        }
    }
}

impl<T: Clone> SortedChunks<T> {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The items in order, from the first that `order` does not place before the one sought.
    pub(super) fn from(&self, order: impl Fn(&T) -> Ordering) -> impl Iterator<Item = &T> {
        let place = self.chunk_for(&order);
        let chunks = self.chunks.get(place..).unwrap_or_default();
        let items = chunks.iter().flat_map(|chunk| chunk.iter());
        items.skip_while(move |item| order(item) == Ordering::Less)
    }

    /// The item that `order` calls equal; `order` says where an item stands relative to the one sought.
    pub(super) fn find(&self, order: impl Fn(&T) -> Ordering) -> Option<&T> {
        let chunk = self.chunks.get(self.chunk_for(&order))?;
        let at = chunk.binary_search_by(&order).ok()?;
        chunk.get(at)
    }

    /// Puts `item` in its place, instead of the one that `order` calls equal, which is returned.
    pub(super) fn insert(&mut self, item: T, order: impl Fn(&T) -> Ordering) -> Option<T> {
        if self.chunks.is_empty() {
            self.chunks.push(Arc::from([item]));
            self.length = 1;
            return None;
        }
        let place = self.chunk_for(&order).min(self.chunks.len() - 1);
        let chunk = &self.chunks[place];
        match chunk.binary_search_by(&order) {
            Ok(at) => {
                let replaced = chunk[at].clone();
                let mut changed = chunk.to_vec();
                changed[at] = item;
                self.chunks[place] = changed.into();
                Some(replaced)
            }
            Err(at) => {
                let mut changed = Vec::with_capacity(chunk.len() + 1);
                changed.extend_from_slice(&chunk[..at]);
                changed.push(item);
                changed.extend_from_slice(&chunk[at..]);
                self.put_back(place, &changed);
                self.length += 1;
                None
            }
        }
    }

    /// Takes out the item that `order` calls equal.
    pub(super) fn remove(&mut self, order: impl Fn(&T) -> Ordering) -> Option<T> {
        let place = self.chunk_for(&order);
        let chunk = self.chunks.get(place)?;
        let at = chunk.binary_search_by(&order).ok()?;
        let mut changed = chunk.to_vec();
        let removed = changed.remove(at);
        if changed.is_empty() {
            self.chunks.remove(place);
        } else {
            self.chunks[place] = changed.into();
        }
        self.length -= 1;
        Some(removed)
    }

    /// The first chunk whose last item does not stand before the one sought.
    fn chunk_for(&self, order: &impl Fn(&T) -> Ordering) -> usize {
        self.chunks.partition_point(|chunk| {
            chunk
                .last()
                .is_some_and(|last| order(last) == Ordering::Less)
        })
    }

    fn put_back(&mut self, place: usize, changed: &[T]) {
        if changed.len() <= CHUNK_MAX {
            self.chunks[place] = changed.into();
        } else {
            let (low, high) = changed.split_at(changed.len() / 2);
            self.chunks[place] = low.into();
            self.chunks.insert(place + 1, high.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_map_holds(
            changes in proptest::collection::vec((any::<bool>(), 0_u16..400, any::<u8>()), 0..1_500),
        ) {
            let (mut set, mut map) = (SortedChunks::default(), BTreeMap::new());
            for (insert, key, value) in changes {
                if insert {
                    let replaced = set.insert((key, value), |item: &(u16, u8)| item.0.cmp(&key));
                    prop_assert_eq!(replaced, map.insert(key, value).map(|old| (key, old)));
                } else {
                    let removed = set.remove(|item| item.0.cmp(&key));
                    prop_assert_eq!(removed, map.remove(&key).map(|old| (key, old)));
                }
                prop_assert_eq!(set.len(), map.len());
                prop_assert_eq!(set.find(|item| item.0.cmp(&key)).map(|item| item.1), map.get(&key).copied());
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
        set.remove(|item| item.cmp(&250));
        assert_eq!((before.len(), set.len()), (500, 499));
        assert!(before.find(|item| item.cmp(&250)).is_some());
    }
}
