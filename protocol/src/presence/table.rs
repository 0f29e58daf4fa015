//! The presence table: accusations that have not been cleared, the same everywhere once the same were heard.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::accusation::Accusation;
use super::{ACCUSERS_KEPT, distance};
use crate::id::NodeId;

/// Accusations of members in their present incarnation, by the accused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    accused: BTreeMap<NodeId, Vec<Arc<Accusation>>>,
}

/// What taking an accusation changed: the one that is kept from now on, and the one that is not any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) kept: Option<Arc<Accusation>>,
    pub(crate) dropped: Option<Arc<Accusation>>,
}

impl Table {
    /// Whether it is known, or would not be kept.
    pub(crate) fn is_news(&self, accusation: &Accusation) -> bool {
        let Some(known) = self.accused.get(&accusation.accused) else {
            return true;
        };
        let same = known
            .iter()
            .any(|other| other.accuser == accusation.accuser);
        let far = known.len() >= ACCUSERS_KEPT
            && known.iter().all(|other| rank(other) < rank(accusation));
        !same && !far
    }

    /// Keeps an accusation of the member's present incarnation; of more than [`ACCUSERS_KEPT`], the nearest.
    pub(crate) fn add(&mut self, accusation: Arc<Accusation>) -> Change {
        if !self.is_news(&accusation) {
            return Change::default();
        }
        let known = self.accused.entry(accusation.accused).or_default();
        known.push(accusation.clone());
        known.sort_by_key(|other| rank(other));
        let dropped = (known.len() > ACCUSERS_KEPT).then(|| known.pop()).flatten();
        Change {
            kept: Some(accusation),
            dropped,
        }
    }

    /// A later record of `node` is known, or it is a member no more: nothing is held against it. Returns what was.
    pub(crate) fn clear(&mut self, node: NodeId) -> Vec<Arc<Accusation>> {
        self.accused.remove(&node).unwrap_or_default()
    }

    /// A record of `node` with this sequence is known: what was said of it before counts no more. Returns what was.
    pub(crate) fn outdo(&mut self, node: NodeId, sequence: u64) -> Vec<Arc<Accusation>> {
        let Some(known) = self.accused.get_mut(&node) else {
            return Vec::new();
        };
        let dropped = known.extract_if(.., |one| one.incarnation < sequence);
        let dropped = dropped.collect();
        if known.is_empty() {
            self.accused.remove(&node);
        }
        dropped
    }

    /// `accuser` is nobody any more whose word counts. Returns what it said.
    pub(crate) fn drop_by(&mut self, accuser: NodeId) -> Vec<Arc<Accusation>> {
        let mut dropped = Vec::new();
        self.accused.retain(|_, known| {
            dropped.extend(known.extract_if(.., |one| one.accuser == accuser));
            !known.is_empty()
        });
        dropped
    }

    /// The accusations of `node`.
    pub(crate) fn of(&self, node: NodeId) -> &[Arc<Accusation>] {
        self.accused.get(&node).map_or(&[], Vec::as_slice)
    }

    /// How many are accused.
    pub(crate) fn len(&self) -> usize {
        self.accused.len()
    }

    /// All accusations.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Accusation>> {
        self.accused.values().flatten()
    }
}

/// The accused itself comes first: its word needs no other.
fn rank(accusation: &Accusation) -> (bool, u64) {
    let far = distance(accusation.accused, accusation.accuser);
    (!accusation.is_own(), far)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Signature;

    fn accusation(accuser: u8) -> Arc<Accusation> {
        Arc::new(Accusation {
            accused: NodeId::from_public_key([0; 32]),
            incarnation: 1,
            accuser: NodeId::from_public_key([accuser; 32]),
            signature: Signature([accuser; 64]),
        })
    }

    #[test]
    fn whatever_the_order_the_same_accusers_are_kept() {
        let mut tables = [Table::default(), Table::default()];
        for accuser in 1..20 {
            tables[0].add(accusation(accuser));
            tables[1].add(accusation(20 - accuser));
        }
        let kept = |table: &Table| -> Vec<NodeId> {
            let accused = NodeId::from_public_key([0; 32]);
            table.of(accused).iter().map(|one| one.accuser).collect()
        };
        assert_eq!(kept(&tables[0]), kept(&tables[1]));
        assert_eq!(kept(&tables[0]).len(), ACCUSERS_KEPT);
    }

    #[test]
    fn the_accuseds_own_word_is_always_kept_and_all_are_cleared_together() {
        let mut table = Table::default();
        for accuser in 0..20 {
            table.add(accusation(accuser));
        }
        let accused = NodeId::from_public_key([0; 32]);
        assert!(table.of(accused)[0].is_own());
        assert!(!table.is_news(&accusation(0)));
        assert_eq!(table.clear(accused).len(), ACCUSERS_KEPT);
        assert_eq!(table.all().count(), 0);
    }
}
