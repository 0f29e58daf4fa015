//! What is too old goes: looked for in the store now and then, and dropped in one write.

use super::NodeState;
use super::output::Output;
use super::record::{Record, RecordKey, Write};
use crate::log::chain::Chain;
use crate::log::retention::{FORGOTTEN_AFTER, Sweep, Swept, kept_for};
use crate::time::Now;

impl NodeState {
    pub(super) fn sweep_log_when_due(&mut self, now: Now) {
        if self.log.chains.is_empty() || !self.log.sweeps.is_due(now.monotonic) {
            return;
        }
        let ended = |chain: &&Chain| {
            let last = chain.head_time + kept_for(chain.id.lane) + FORGOTTEN_AFTER;
            chain.first > chain.head && last < now.wall
        };
        let ended: Vec<_> = self.log.chains.all().filter(ended).map(|c| c.id).collect();
        let mut writes = Vec::new();
        for id in ended {
            self.log.chains.forget(id);
            writes.push(Write::Prune {
                chain: id,
                first: u64::MAX,
            });
            writes.push(Write::Delete(RecordKey::Chain(id)));
        }
        if !writes.is_empty() {
            self.persist(writes);
        }
        let kept = self
            .log
            .chains
            .all()
            .filter(|chain| chain.first <= chain.head);
        let sweeps = kept.map(|chain| Sweep {
            chain: chain.id,
            before: now.wall - kept_for(chain.id.lane),
            live_from: chain.live_from,
        });
        let sweeps: Vec<Sweep> = sweeps.collect();
        if !sweeps.is_empty() {
            self.outputs.push_back(Output::SweepLog(sweeps));
        }
    }

    /// What the store found to be too old.
    pub(super) fn log_swept(&mut self, swept: &[Swept]) {
        let mut writes = Vec::new();
        for Swept {
            chain,
            first,
            bytes,
        } in swept
        {
            let known = self.log.chains.get(*chain);
            let goes = known.is_some_and(|known| known.first < *first && *first <= known.head + 1);
            if !goes {
                continue;
            }
            self.log.chains.pruned(*chain, *first, *bytes);
            writes.push(Write::Prune {
                chain: *chain,
                first: *first,
            });
            let left = self.log.chains.get(*chain);
            writes.extend(left.map(|chain| Write::Put(Record::Chain(chain.clone()))));
        }
        if !writes.is_empty() {
            self.persist(writes);
        }
    }
}
