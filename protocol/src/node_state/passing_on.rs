//! News that a question brought to light is gossiped, since others may have missed it too: by whoever's turn comes
//! first. Each node waits for a time of its own; those that meanwhile hear the news gossiped leave it at that, as in
//! Trickle (RFC 6206). In a large mesh somebody's time is short, and few say the same twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use crate::id::{Hash, NodeId};
use crate::limits::GOSSIP_BYTES_MAX;
use crate::membership::member::Member;
use crate::time::{Monotonic, Now};
use crate::wire::announcement::Announcement;

/// The longest that a node waits for others to say it.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// By how much that is shorter for what a member says of itself.
const HURRY: u32 = 4;
/// What is due within this time is said together.
const TOGETHER: Duration = Duration::from_millis(50);
/// News that waits at one time; more is left to reconciliation.
const WAITING_MAX: usize = 1_024;

/// What this node will gossip unless it hears it first.
#[derive(Default)]
pub(super) struct PassingOn {
    waiting: BTreeMap<NodeId, Waiting>,
}

struct Waiting {
    member: Arc<Member>,
    at: Monotonic,
    /// It was told in another region, whose own members tell the others.
    carried: bool,
}

impl PassingOn {
    /// News that `from` told, in another region where it is `carried`; of itself it may have told nobody else yet.
    pub(super) fn add(
        &mut self,
        now: Monotonic,
        me: NodeId,
        (from, carried): (NodeId, bool),
        member: &Arc<Member>,
    ) {
        let node = member.node();
        if self.waiting.len() < WAITING_MAX || self.waiting.contains_key(&node) {
            let hurried = node == from;
            let at = now + wait(me, member) / if hurried { HURRY } else { 1 };
            let member = member.clone();
            self.waiting.insert(
                node,
                Waiting {
                    member,
                    at,
                    carried,
                },
            );
        }
    }

    /// Somebody else said this.
    pub(super) fn heard(&mut self, member: &Member) {
        let waits = self.waiting.get(&member.node());
        if waits.is_some_and(|waiting| !waiting.member.supersedes(member)) {
            self.waiting.remove(&member.node());
        }
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.waiting.remove(&node);
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.waiting.values().map(|waiting| waiting.at).min()
    }

    /// What is due, by whether it is carried.
    fn take_due(&mut self, now: Monotonic) -> [(bool, Vec<Arc<Member>>); 2] {
        let mut due = [(false, Vec::new()), (true, Vec::new())];
        if self.next_deadline().is_none_or(|next| next > now) {
            return due;
        }
        self.waiting.retain(|_, waiting| {
            let waits = waiting.at > now + TOGETHER;
            if !waits {
                due[usize::from(waiting.carried)]
                    .1
                    .push(waiting.member.clone());
            }
            waits
        });
        due
    }
}

/// The same each time, and different for each node and piece of news.
fn wait(me: NodeId, member: &Member) -> Duration {
    let seed = [me.public_key(), &member.digest().to_be_bytes()[..]].concat();
    let share = Hash::of(&seed).leading_u64() % 1_024;
    WAIT_MAX * u32::try_from(share).unwrap_or_default() / 1_024
}

impl NodeState {
    pub(super) fn pass_on_when_due(&mut self, now: Now) {
        for (carried, due) in self.passing_on.take_due(now.monotonic) {
            if !due.is_empty() {
                self.publish(Announcement {
                    carried,
                    ..Announcement::of(due, GOSSIP_BYTES_MAX)
                });
            }
        }
    }
}
