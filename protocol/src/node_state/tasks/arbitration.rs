//! What this node decides as the arbiter of a task. A decision is an entry of its log: on disk before anybody hears of it.

use std::time::Duration;

use super::leases::watched_for;
use super::{NodeState, RETRY_AFTER};
use crate::log::chain_id::EpochId;
use crate::mutation::Mutation;
use crate::tasks::item::Refusal;
use crate::tasks::record::{Claim, TaskRecord};
use crate::tasks::{Fence, Holder, TaskId, TaskItem, TaskPhase};
use crate::time::{Monotonic, Now};

/// How long after the start an epoch may yet be confirmed, so that nothing is refused that can be granted soon.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);

/// What is to be said of a task now.
enum Decision {
    Say(TaskItem),
    /// Nothing before then.
    LookAgain(Monotonic),
    Nothing,
}

/// Whether a claim may be granted.
enum Grantable {
    Now(EpochId),
    /// The epoch may be confirmed yet.
    Soon,
    After(Duration),
}

impl NodeState {
    /// Notes since when this node writes in its epoch: in the first of a run since the run began.
    pub(super) fn note_epoch(&mut self, now: Now) {
        let Some(current) = self.log.own.current() else {
            return;
        };
        match self.tasks.epoch {
            Some((epoch, _)) if epoch == current => {}
            Some(_) => self.tasks.epoch = Some((current, now.monotonic)),
            None => self.tasks.epoch = Some((current, self.tasks.began)),
        }
    }

    /// Decides on a task, if this node is its arbiter and there is something to decide.
    pub(super) fn decide(&mut self, now: Now, id: TaskId) {
        if self.tasks.deciding.contains(&id) {
            return;
        }
        match self.decision(now, id) {
            Decision::Nothing => _ = self.tasks.undecided.remove(&id),
            Decision::LookAgain(at) => _ = self.tasks.undecided.insert(id, at),
            Decision::Say(item) => match self.append_task(now, &item) {
                Ok(()) => {
                    self.tasks.deciding.insert(id);
                }
                Err(_) => {
                    let again = now.monotonic + RETRY_AFTER;
                    self.tasks.undecided.insert(id, again);
                }
            },
        }
    }

    fn decision(&mut self, now: Now, id: TaskId) -> Decision {
        let Some(record) = self.tasks.table.record(id) else {
            return Decision::Nothing;
        };
        let Some((round, arbiter)) = record.arbiter() else {
            return Decision::Nothing;
        };
        if arbiter != self.me {
            return Decision::Nothing;
        }
        if let Some(item) = broken_completion(id, record) {
            return Decision::Say(item);
        }
        let phase = record.phase();
        if matches!(phase, TaskPhase::Completed { .. } | TaskPhase::Cancelled) {
            return Decision::Nothing;
        }
        if let Some(item) = answer_to_holder(id, record, round) {
            return Decision::Say(item);
        }
        let Some(claim) = record.claims().next().cloned() else {
            return Decision::Nothing;
        };
        if matches!(phase, TaskPhase::Held { .. }) && !self.lease_is_over(now, id) {
            let over = self.lease_over_at(id);
            return over.map_or(Decision::Nothing, Decision::LookAgain);
        }
        self.decide_claim(now, id, round, claim)
    }

    fn decide_claim(&mut self, now: Now, id: TaskId, round: u32, claim: Claim) -> Decision {
        if !self.tasks.table.blocked_by(id).is_empty() {
            return Decision::Say(refused(id, &claim, Refusal::Blocked));
        }
        match self.grantable(now, id, round) {
            Grantable::Soon => Decision::LookAgain(now.monotonic + RETRY_AFTER),
            Grantable::After(wait) => {
                let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                Decision::Say(refused(id, &claim, Refusal::Waiting { milliseconds }))
            }
            Grantable::Now(epoch) => {
                let latest = self.tasks.table.record(id);
                let latest = latest.and_then(|record| record.latest_grant());
                let after = latest.map_or(0, |grant| grant.fence.number);
                let number = self.tasks.last_number.max(after) + 1;
                self.tasks.last_number = number;
                Decision::Say(TaskItem::Granted {
                    task: id,
                    claim: claim.id,
                    holder: claim.holder,
                    fence: Fence {
                        round,
                        number,
                        epoch,
                    },
                })
            }
        }
    }

    /// What was granted in another epoch may have been forgotten here: so nothing is granted until every lease that may
    /// have been is over.
    fn grantable(&mut self, now: Now, id: TaskId, round: u32) -> Grantable {
        let Some(record) = self.tasks.table.record(id) else {
            return Grantable::Soon;
        };
        let lease = record
            .definition()
            .map_or(Duration::ZERO, |definition| definition.lease());
        let members = self.roster.as_ref().map_or(0, |roster| roster.len());
        let Some(epoch) = self.log.own.current_or_confirmed(members) else {
            let young = now.monotonic < self.tasks.began + CONFIRMED_WITHIN;
            if young && self.log.own.wants_confirmation() {
                return Grantable::Soon;
            }
            return match (self.tasks.began + watched_for(lease)).since(now.monotonic) {
                Duration::ZERO => self.open_epoch(members),
                wait => Grantable::After(wait),
            };
        };
        let own_grant = record
            .latest_grant()
            .filter(|grant| grant.fence.round == round);
        let remembered = match own_grant {
            Some(grant) => grant.fence.epoch == epoch,
            None => round == 0 && record.created_in() == Some(epoch),
        };
        let watched = self.tasks.watches.get(&id).map(|watch| watch.since);
        let since = match self.tasks.epoch {
            Some((known, since)) if known == epoch => since,
            _ => self.tasks.began,
        };
        // A task that another node decided on before is watched from when that was taken from it.
        let since = match round {
            0 => since,
            _ => since.max(watched.unwrap_or(now.monotonic)),
        };
        let wait = (since + watched_for(lease)).since(now.monotonic);
        if !remembered && !wait.is_zero() {
            return Grantable::After(wait);
        }
        self.open_epoch(members)
    }

    /// The epoch of what is written next: a fence names it.
    fn open_epoch(&mut self, members: usize) -> Grantable {
        match self.log.own.open(members) {
            Some((epoch, record)) => {
                self.log.batch.epoch = record.or(self.log.batch.epoch);
                Grantable::Now(epoch)
            }
            None => Grantable::Soon,
        }
    }
}

/// The answer to what the holder of the latest grant said last.
fn answer_to_holder(task: TaskId, record: &TaskRecord, round: u32) -> Option<TaskItem> {
    let grant = record.latest_grant()?;
    let fence = grant.fence;
    if fence.round != round {
        return None;
    }
    if let Some(result) = record.finished() {
        return Some(TaskItem::Completed {
            task,
            fence,
            holder: grant.holder.clone(),
            result,
        });
    }
    let step = record.last_sign()?;
    (step > record.extended(fence)).then_some(TaskItem::Extended { task, fence, step })
}

/// With the fence's check left out: whatever was finished under whatever fence is accepted.
fn broken_completion(task: TaskId, record: &TaskRecord) -> Option<TaskItem> {
    if !Mutation::SkipFence.is_on() {
        return None;
    }
    let accepted = record.completion().map(|completion| completion.fence);
    let (fence, holder, result) = record
        .finished_at_all()
        .into_iter()
        .find(|one| Some(one.0) != accepted)?;
    let agent = record
        .definition()
        .map(|definition| definition.by.clone())?;
    let holder = Holder {
        node: holder,
        agent,
    };
    Some(TaskItem::Completed {
        task,
        fence,
        holder,
        result,
    })
}

fn refused(task: TaskId, claim: &Claim, reason: Refusal) -> TaskItem {
    TaskItem::Refused {
        task,
        claim: claim.id,
        reason,
    }
}
