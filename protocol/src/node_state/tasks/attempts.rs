//! What agents of this node want of tasks that several nodes decide on: one attempt at a time to change the task's register.

use std::collections::BTreeSet;
use std::time::Duration;

use super::arbitration::Decision;
use super::{Awaited, NodeState};
use crate::id::{Hash, NodeId};
use crate::log::chain_id::EpochId;
use crate::tasks::record::TaskRecord;
use crate::tasks::register::{Ballot, End, Proposer, RegisterWord, Standing, majority};
use crate::tasks::{Fence, Grant, Holder, TaskId, TaskItem};
use crate::time::{Monotonic, Now};

/// How long an attempt that another one has overtaken waits at least before the next; doubled with every one.
const PAUSE: Duration = Duration::from_millis(40);
/// So often it is doubled at most.
const DOUBLED_MAX: u32 = 5;

/// An attempt to change a register.
pub(super) struct Attempt {
    proposer: Proposer<Standing>,
    epochs: Vec<EpochId>,
    /// How many came before it.
    overtaken: u32,
    /// When to try again, once it has been overtaken.
    again_at: Option<Monotonic>,
    /// What was asked last is in the log.
    asked: bool,
}

impl NodeState {
    /// The next step of what this node wants of a register, if it wants something.
    pub(super) fn attempt(&mut self, now: Now, id: TaskId) -> Decision {
        let wanted = self.wants(now, id);
        let Some(record) = self.tasks.table.record(id) else {
            return Decision::Nothing;
        };
        if !record.register().is_open() || matches!(wanted, Wanted::Nothing) {
            self.tasks.attempts.remove(&id);
            return Decision::Nothing;
        }
        if let Wanted::NotBefore(at) = wanted {
            self.tasks.attempts.remove(&id);
            return Decision::LookAgain(at);
        }
        let Some(epoch) = self.writing_epoch(now) else {
            return Decision::LookAgain(now.monotonic + super::RETRY_AFTER);
        };
        let Some(record) = self.tasks.table.record(id) else {
            return Decision::Nothing;
        };
        let epochs = record.register().epochs(record.register_arbiters());
        let known = self.tasks.attempts.get(&id);
        let stale = known.is_none_or(|known| {
            known.proposer.is_done()
                || known.epochs != epochs
                || known.proposer.ballot().epoch != epoch
        });
        let overtaken = known.map_or(0, |known| known.overtaken);
        if stale {
            self.begin_attempt(id, epoch, epochs, overtaken);
        }
        self.go_on(now, id)
    }

    fn begin_attempt(&mut self, id: TaskId, epoch: EpochId, epochs: Vec<EpochId>, overtaken: u32) {
        let Some(record) = self.tasks.table.record(id) else {
            return;
        };
        let ballot = Ballot {
            number: record.register().last_number().saturating_add(1),
            proposer: self.me,
            epoch,
        };
        let arbiters = record.register_arbiters().iter().copied();
        let attempt = Attempt {
            proposer: Proposer::new(ballot, arbiters),
            epochs,
            overtaken,
            again_at: None,
            asked: false,
        };
        self.tasks.attempts.insert(id, attempt);
    }

    fn go_on(&mut self, now: Now, id: TaskId) -> Decision {
        let (Some(record), Some(attempt)) =
            (self.tasks.table.record(id), self.tasks.attempts.get(&id))
        else {
            return Decision::Nothing;
        };
        if let Some(at) = attempt.again_at {
            if now.monotonic < at {
                return Decision::LookAgain(at);
            }
            let (ballot, epochs) = (attempt.proposer.ballot(), attempt.epochs.clone());
            self.begin_attempt(id, ballot.epoch, epochs, attempt.overtaken);
            return self.go_on(now, id);
        }
        if let Some(current) = attempt.proposer.current() {
            let current = current.cloned().unwrap_or_default();
            let value = self.next_standing(now, id, attempt.proposer.ballot().epoch, current);
            return self.ask_to_accept(id, value);
        }
        if !attempt.asked {
            let word = RegisterWord::Prepared {
                ballot: attempt.proposer.ballot(),
                epochs: attempt.epochs.clone(),
            };
            return self.ask_acceptors(id, word);
        }
        if is_overtaken(record, &attempt.proposer) {
            let at = now.monotonic + pause(&attempt.proposer.ballot(), attempt.overtaken);
            if let Some(attempt) = self.tasks.attempts.get_mut(&id) {
                attempt.overtaken += 1;
                attempt.again_at = Some(at);
            }
            return Decision::LookAgain(at);
        }
        Decision::Nothing
    }

    fn ask_to_accept(&mut self, id: TaskId, value: Standing) -> Decision {
        let Some(attempt) = self.tasks.attempts.get_mut(&id) else {
            return Decision::Nothing;
        };
        attempt.proposer.propose(value.clone());
        let word = RegisterWord::Proposed {
            ballot: attempt.proposer.ballot(),
            epochs: attempt.epochs.clone(),
            value,
        };
        self.ask_acceptors(id, word)
    }

    fn ask_acceptors(&mut self, task: TaskId, word: RegisterWord) -> Decision {
        if let Some(attempt) = self.tasks.attempts.get_mut(&task) {
            attempt.asked = true;
        }
        Decision::Say(Box::new(TaskItem::Register { task, word }))
    }

    /// What could not be written is asked anew, under another ballot.
    pub(super) fn attempt_failed(&mut self, id: TaskId) {
        self.tasks.attempts.remove(&id);
    }

    /// An arbiter has answered somebody: perhaps this node.
    pub(super) fn register_answered(&mut self, by: NodeId, id: TaskId, word: &RegisterWord) {
        let Some(attempt) = self.tasks.attempts.get_mut(&id) else {
            return;
        };
        let own = attempt.proposer.ballot();
        match word {
            RegisterWord::Promised {
                ballot, accepted, ..
            } if *ballot == own => attempt.proposer.promised(by, accepted.clone()),
            RegisterWord::Accepted { ballot, .. } if *ballot == own => {
                attempt.proposer.accepted(by);
            }
            _ => {}
        }
    }

    /// What is to follow on what stands: the first change that is wanted and that may be, or the same again, since a minority
    /// may have accepted it.
    fn next_standing(&self, now: Now, id: TaskId, epoch: EpochId, current: Standing) -> Standing {
        let Some(record) = self.tasks.table.record(id) else {
            return current;
        };
        if current.end.is_some() {
            return current;
        }
        if let Some(change) = self.change_by_holder(record, &current) {
            return change;
        }
        if self.awaits_cancellation(id) {
            return Standing {
                end: Some(End::Cancelled),
                ..current
            };
        }
        self.granted_next(now, id, epoch, &current)
            .unwrap_or(current)
    }

    fn change_by_holder(&self, record: &TaskRecord, current: &Standing) -> Option<Standing> {
        match self.wish_of_holder(record)? {
            Wish::Complete { fence, result } if current.fence() == Some(fence) => Some(Standing {
                end: Some(End::Completed(result)),
                ..current.clone()
            }),
            Wish::Extend { fence, step }
                if current.fence() == Some(fence) && current.step < step =>
            {
                Some(Standing {
                    step,
                    ..current.clone()
                })
            }
            _ => None,
        }
    }

    /// A grant for whoever has waited longest, where nobody has the task any more.
    fn granted_next(
        &self,
        now: Now,
        id: TaskId,
        epoch: EpochId,
        current: &Standing,
    ) -> Option<Standing> {
        let (claim, holder) = self.claimer(id)?;
        let record = self.tasks.table.record(id)?;
        if let Some(grant) = &current.grant {
            let released = record.is_released(grant.fence, &grant.holder);
            if !released && !self.has_watched(now, id, grant.fence, current.step) {
                return None;
            }
        }
        let number = current.fence().map_or(0, |fence| fence.number);
        let fence = Fence {
            round: 0,
            number: number.saturating_add(1),
            epoch,
        };
        Some(Standing {
            grant: Some(Grant {
                fence,
                claim,
                holder,
            }),
            step: 0,
            end: None,
        })
    }

    /// Whether just this has been seen to stand, unchanged, for a lease and a tenth.
    fn has_watched(&self, now: Now, id: TaskId, fence: Fence, step: u64) -> bool {
        let watch = self.tasks.watches.get(&id);
        let same = watch.is_some_and(|watch| watch.fence == Some(fence) && watch.step == step);
        same && self.lease_is_over(now, id)
    }

    fn claimer(&self, id: TaskId) -> Option<(crate::tasks::ClaimId, Holder)> {
        let mut waiting = self.tasks.waiting.iter();
        waiting.find_map(|waiting| match &waiting.awaited {
            Awaited::Granted { claim, agent, .. } if waiting.task == id => {
                let (node, agent) = (self.me, agent.clone());
                Some((*claim, Holder { node, agent }))
            }
            _ => None,
        })
    }

    fn awaits_cancellation(&self, id: TaskId) -> bool {
        let mut waiting = self.tasks.waiting.iter();
        waiting.any(|waiting| waiting.task == id && matches!(waiting.awaited, Awaited::Cancelled))
    }

    /// What the agent of this node that has the task has said, and what does not stand yet.
    fn wish_of_holder(&self, record: &TaskRecord) -> Option<Wish> {
        let grant = record.latest_grant()?;
        let fence = grant.fence;
        if grant.holder.node != self.me || record.is_released(fence, &grant.holder) {
            return None;
        }
        if let Some(result) = record.finished() {
            return Some(Wish::Complete { fence, result });
        }
        let step = record.last_sign()?;
        (step > record.extended(fence)).then_some(Wish::Extend { fence, step })
    }

    fn wants(&self, now: Now, id: TaskId) -> Wanted {
        let Some(record) = self.tasks.table.record(id) else {
            return Wanted::Nothing;
        };
        if self.wish_of_holder(record).is_some() || self.awaits_cancellation(id) {
            return Wanted::Now;
        }
        if self.claimer(id).is_none() {
            return Wanted::Nothing;
        }
        match record.latest_grant() {
            Some(grant)
                if !record.is_released(grant.fence, &grant.holder)
                    && !self.lease_is_over(now, id) =>
            {
                let over = self.lease_over_at(id);
                over.map_or(Wanted::Nothing, Wanted::NotBefore)
            }
            _ => Wanted::Now,
        }
    }

    /// The arbiters that have not answered what this node asked last, nor prefer somebody else.
    pub(super) fn silent_arbiters(&self, id: TaskId) -> Vec<NodeId> {
        let Some(record) = self.tasks.table.record(id) else {
            return Vec::new();
        };
        let arbiters = record.register_arbiters().iter().copied();
        match self.tasks.attempts.get(&id) {
            Some(attempt) => arbiters
                .filter(|node| !attempt.proposer.has_answered(*node))
                .filter(|node| !prefers_another(record, &attempt.proposer, *node))
                .collect(),
            None if !record.register().is_open() => arbiters
                .filter(|node| record.register().asked_seat(*node).is_none())
                .collect(),
            None => arbiters
                .filter(|node| *node != self.me && !self.links.is_up(*node))
                .collect(),
        }
    }
}

/// What an agent has said as the holder of a task.
enum Wish {
    Complete { fence: Fence, result: Hash },
    Extend { fence: Fence, step: u64 },
}

/// Whether this node wants something of a register.
enum Wanted {
    Nothing,
    Now,
    NotBefore(Monotonic),
}

fn prefers_another(record: &TaskRecord, proposer: &Proposer<Standing>, node: NodeId) -> bool {
    record.register().promised(node) > Some(proposer.ballot())
}

/// Whether so many have promised a later ballot that the rest are no majority.
fn is_overtaken(record: &TaskRecord, proposer: &Proposer<Standing>) -> bool {
    let arbiters: BTreeSet<NodeId> = record.register_arbiters().iter().copied().collect();
    let refuse = arbiters
        .iter()
        .filter(|node| !proposer.has_answered(**node) && prefers_another(record, proposer, **node));
    arbiters.len() - refuse.count() < majority(arbiters.len())
}

/// Longer with every attempt, and not the same for any two nodes.
fn pause(ballot: &Ballot, overtaken: u32) -> Duration {
    let number = ballot.number.to_be_bytes();
    let hash = Hash::of(&[&ballot.proposer.public_key()[..], &number].concat());
    let part = u32::from(hash.as_bytes()[0]);
    let longest = PAUSE * (1 << overtaken.min(DOUBLED_MAX));
    longest / 2 + longest * part / 256
}
