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
