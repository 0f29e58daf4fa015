//! Things that are on their way, by the number of the slot they lie in: a slot that was emptied is used again, so that
//! few lie close together.

/// A number for each thing, until it is taken out.
pub(crate) struct Slots<T> {
    slots: Vec<Option<T>>,
    empty: Vec<usize>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            empty: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    /// Puts it into a slot.
    pub(crate) fn put(&mut self, thing: T) -> u64 {
        let slot = self.empty.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(thing);
        slot as u64
    }

    pub(crate) fn get(&self, slot: u64) -> Option<&T> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: u64) -> Option<&mut T> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// Empties the slot.
    pub(crate) fn take(&mut self, slot: u64) -> Option<T> {
        let taken = self.slots.get_mut(slot as usize)?.take()?;
        self.empty.push(slot as usize);
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_used_again_once_it_is_empty_and_is_emptied_once() {
        let mut slots = Slots::default();
        let (one, two) = (slots.put("one"), slots.put("two"));
        assert_eq!((slots.take(one), slots.take(one)), (Some("one"), None));
        let three = slots.put("three");
        assert_eq!(three, one);
        assert_eq!(
            (slots.get(two), slots.get(three)),
            (Some(&"two"), Some(&"three"))
        );
        assert_eq!(slots.get(9), None);
    }
}
