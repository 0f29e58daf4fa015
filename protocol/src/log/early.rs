//! Entries that came before the one they follow: kept for a moment, as gossip overtakes itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::chain_id::ChainId;
use super::entry::Entry;
use crate::id::NodeId;
use crate::time::Monotonic;
use crate::wire::log::Range;

/// How long gossip may take to bring by itself what is missing.
const OVERTAKEN_FOR: Duration = Duration::from_millis(150);
/// Entries that wait, of all chains together.
const EARLY_MAX: usize = 1_024;
/// Chains of which something is missing; of others it shows when frontiers are compared.
const GAPS_MAX: usize = 4_096;

/// What is missing of a chain.
#[derive(Debug)]
struct Gap {
    /// Who told of what comes after.
    from: NodeId,
    /// The last that is known to exist.
    to: u64,
    due: Monotonic,
}

/// What came too early, and what is missing before it.
#[derive(Debug, Default)]
pub(crate) struct Early {
    entries: BTreeMap<(ChainId, u64), Arc<Entry>>,
    gaps: BTreeMap<ChainId, Gap>,
}

impl Early {
    /// Keeps an entry until the one before it is there. Where that does not come by itself it is asked of `from`; at
    /// once where this one has no body, and so has to be asked for anyway.
    pub(crate) fn keep(&mut self, now: Monotonic, from: NodeId, entry: &Arc<Entry>) {
        let (chain, to) = (entry.chain(), entry.sequence());
        if self.gaps.len() >= GAPS_MAX && !self.gaps.contains_key(&chain) {
            return;
        }
        let whole = entry.sealed().body.is_some();
        let due = if whole { now + OVERTAKEN_FOR } else { now };
        let gap = self.gaps.entry(chain).or_insert(Gap { from, to, due });
        gap.to = gap.to.max(to);
        gap.due = gap.due.min(due);
        if whole && self.entries.len() < EARLY_MAX {
            self.entries.insert((chain, to), entry.clone());
        }
    }

    /// The chain has gone on to `head`: the entry after it, if that came.
    pub(crate) fn next_after(&mut self, chain: ChainId, head: u64) -> Option<Arc<Entry>> {
        if self.gaps.get(&chain).is_some_and(|gap| gap.to <= head) {
            self.gaps.remove(&chain);
        }
        self.entries.remove(&(chain, head + 1))
    }

    /// What has been missing for too long, and whom to ask for it; `head` says where a chain ends.
    pub(crate) fn take_due(
        &mut self,
        now: Monotonic,
        head: impl Fn(ChainId) -> u64,
    ) -> Vec<(NodeId, Range)> {
        let mut asked = Vec::new();
        self.gaps.retain(|chain, gap| {
            let waits = gap.due > now;
            let (chain, from, to) = (*chain, head(*chain) + 1, gap.to);
            if !waits && from <= to {
                asked.push((gap.from, Range { chain, from, to }));
            }
            waits
        });
        if !asked.is_empty() {
            // Whatever waited for these comes with them.
            let gaps = &self.gaps;
            self.entries
                .retain(|(chain, _), _| gaps.contains_key(chain));
        }
        asked
    }

    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        self.gaps.values().map(|gap| gap.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::sealed_entries::alone;

    const START: Monotonic = Monotonic(10_000);

    fn entry(sequence: u64) -> Arc<Entry> {
        Arc::new(alone(sequence, b"item"))
    }

    fn teller() -> NodeId {
        NodeId::from_public_key([7; 32])
    }

    #[test]
    fn what_came_early_is_there_when_its_turn_comes_and_nothing_is_asked() {
        let mut early = Early::default();
        let chain = entry(1).chain();
        early.keep(START, teller(), &entry(3));
        early.keep(START, teller(), &entry(2));
        assert_eq!(early.next_after(chain, 1), Some(entry(2)));
        assert_eq!(early.next_after(chain, 2), Some(entry(3)));
        assert_eq!(early.next_after(chain, 3), None);
        assert_eq!(early.next_deadline(), None);
    }

    #[test]
    fn what_does_not_come_by_itself_is_asked_of_whoever_told_what_follows() {
        let mut early = Early::default();
        let chain = entry(1).chain();
        early.keep(START, teller(), &entry(4));
        assert_eq!(early.take_due(START, |_| 1), []);
        let range = Range {
            chain,
            from: 2,
            to: 4,
        };
        let later = START + OVERTAKEN_FOR;
        assert_eq!(early.take_due(later, |_| 1), [(teller(), range)]);
        assert_eq!(
            early.next_after(chain, 3),
            None,
            "it comes with what was asked"
        );
    }

    #[test]
    fn an_entry_without_its_items_is_asked_for_at_once() {
        let mut early = Early::default();
        let bare = Arc::new(entry(1).without_body());
        early.keep(START, teller(), &bare);
        assert_eq!(early.take_due(START, |_| 0).len(), 1);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut early = Early::default();
        for sequence in 2..=EARLY_MAX as u64 + 10 {
            early.keep(START, teller(), &entry(sequence));
        }
        assert_eq!(early.entries.len(), EARLY_MAX);
    }
}
