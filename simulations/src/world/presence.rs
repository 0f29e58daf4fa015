//! Who takes whom for away, beside who really is: how soon a crash is known, and that nobody is declared dead who lives.

use peerage_protocol::node_state::Away;

use super::World;
use super::machine::KillOrder;
use crate::action::Action;
use crate::checks::Observation;

/// A node may be taken for away so long after whatever could have made it silent.
const EXCUSED_FOR_US: u64 = 20_000_000;
/// Where many stall, whoever stalls no longer than this is to be taken for away by nobody.
const STALL_BORNE_US: u64 = 5_000_000;
/// Stalls that begin so close to each other are many at once, if they are at least two and a fifth of all nodes.
const STALL_TOGETHER_US: u64 = 1_000_000;
/// Crashes that are over sooner may never be noticed.
const NOTICED_AFTER_US: u64 = 12_000_000;

impl World {
    /// A node has published who does not answer.
    pub(crate) fn presence_seen(&mut self, node: usize, away: &std::sync::Arc<Away>) {
        let Some(process) = &mut self.machines[node].process else {
            return;
        };
        let before = std::mem::replace(&mut process.away, away.clone());
        for silent in away.keys().filter(|silent| !before.contains_key(silent)) {
            self.observe(&Observation::TakenForAway {
                node,
                silent: *silent,
            });
        }
        self.crash_seen(node, away);
    }

    /// A node is killed: whether others may take it for away, and by when they are to.
    pub(crate) fn crash_begins(&mut self, node: usize, order: KillOrder) {
        self.excuse(node, order.down_us);
        if order.down_us >= NOTICED_AFTER_US {
            self.await_crash(node);
        }
    }

    /// What an action does may make nodes silent that live.
    pub(crate) fn excuse_for(&mut self, action: &Action) {
        let lasts_us = action.lasts_us();
        match action {
            Action::Pause { for_us, .. } if *for_us <= STALL_BORNE_US && self.many_stall() => {}
            Action::Partition { .. } | Action::CutWay { .. } | Action::Degrade { .. } => {
                (0..self.machines.len()).for_each(|node| self.excuse(node, lasts_us));
            }
            other => {
                let place = other.node().and_then(|number| self.by_number.get(&number));
                if let Some(place) = place.copied() {
                    self.excuse(place, lasts_us);
                }
            }
        }
    }

    /// Whether so many stall about now that everybody is to notice: one alone may be taken for away.
    fn many_stall(&self) -> bool {
        let now = self.now_us.saturating_sub(STALL_TOGETHER_US)..=self.now_us + STALL_TOGETHER_US;
        let stalls = self.plan.actions.iter().filter(|timed| {
            matches!(timed.action, Action::Pause { .. }) && now.contains(&timed.at_us)
        });
        let many = stalls.count();
        many >= 2 && many * 5 >= self.machines.len()
    }

    fn excuse(&mut self, node: usize, lasts_us: u64) {
        let until_us = self.now_us + lasts_us + EXCUSED_FOR_US;
        let excused = &mut self.machines[node].excused_until_us;
        *excused = (*excused).max(until_us);
    }
}
