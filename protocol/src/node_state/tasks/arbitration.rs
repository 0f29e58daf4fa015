//! What this node decides as the arbiter of a task. A decision is an entry of its log: on disk before anybody hears of it.

use std::time::Duration;

use super::leases::watched_for;
use super::{NodeState, RETRY_AFTER};
use crate::id::NodeId;
use crate::log::chain_id::EpochId;
use crate::log::own_epoch::CONFIRMATIONS_NEEDED;
use crate::mutation::Mutation;
use crate::tasks::item::Refusal;
use crate::tasks::record::{Claim, TaskRecord};
use crate::tasks::{Fence, Holder, TaskId, TaskItem, TaskPhase};
use crate::time::{Monotonic, Now};

/// How long an arbiter in a new epoch waits at most to hear from members what they know of it. Beyond that it decides with
/// what it knows: for good, the members that it misses may be gone.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(2 * 60);
/// How long after the start members are likely to answer yet, so that nothing is refused that can be granted soon.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);

/// What is to be said of a task now.
pub(super) enum Decision {
    Say(Box<TaskItem>),
    /// Nothing before then.
    LookAgain(Monotonic),
    Nothing,
}

/// Whether a claim may be granted.
enum Grantable {
    Now(EpochId),
    /// Members may answer yet.
    Soon,
    After(Duration),
}

impl NodeState {
    /// Decides on a task, if this node is its arbiter and there is something to decide.
    pub(super) fn arbitrate(&mut self, now: Now, id: TaskId) {
        if self.tasks.deciding.contains_key(&id) {
            return;
        }
        match self.decision(now, id) {
            Decision::Nothing => _ = self.tasks.undecided.remove(&id),
            Decision::LookAgain(at) => _ = self.tasks.undecided.insert(id, at),
            Decision::Say(item) => match self.append_task(now, &item) {
                Ok(()) => {
                    self.tasks.deciding.insert(id, *item);
                }
                Err(_) => {
                    self.attempt_failed(id);
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
        if !record.register_arbiters().is_empty() {
            return self.register_decision(now, id);
        }
        if arbiter != self.me {
            return Decision::Nothing;
        }
        if let Some(item) = broken_completion(id, record) {
            return Decision::Say(Box::new(item));
        }
        let phase = record.phase();
        if matches!(phase, TaskPhase::Completed { .. } | TaskPhase::Cancelled) {
            return Decision::Nothing;
        }
        if let Some(word) = record.untold_reassignment(self.me) {
            return Decision::Say(Box::new(TaskItem::Reassigned(Box::new(word.clone()))));
        }
        if let Some(item) = answer_to_holder(id, record, round) {
            let completes = matches!(item, TaskItem::Completed { .. });
            let wait = self.wait_until_sure(now, id, round, !completes);
            return match wait {
                Duration::ZERO => Decision::Say(Box::new(item)),
                wait => Decision::LookAgain(now.monotonic + wait.min(RETRY_AFTER)),
            };
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
            return Decision::Say(Box::new(refused(id, &claim, Refusal::Blocked)));
        }
        match self.grantable(now, id, round) {
            Grantable::Soon => Decision::LookAgain(now.monotonic + RETRY_AFTER),
            Grantable::After(wait) => {
                let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                Decision::Say(Box::new(refused(
                    id,
                    &claim,
                    Refusal::Waiting { milliseconds },
                )))
            }
            Grantable::Now(epoch) => {
                let latest = self.tasks.table.record(id);
                let latest = latest.and_then(|record| record.latest_grant());
                // Of another round none counts: a later round is a later fence, and its arbiter may have said any number.
                let latest = latest.filter(|grant| grant.fence.round == round);
                let after = latest.map_or(0, |grant| grant.fence.number);
                let number = self.tasks.last_number.max(after).saturating_add(1);
                self.tasks.last_number = number;
                Decision::Say(Box::new(TaskItem::Granted {
                    task: id,
                    claim: claim.id,
                    holder: claim.holder,
                    fence: Fence {
                        round,
                        number,
                        epoch,
                    },
                }))
            }
        }
    }

    /// How much longer this node cannot be sure of what it said of a task, at the longest. What it said in another epoch,
    /// before this run, it may have forgotten: so it first hears from members what they know of its own chains; and
    /// before it grants or extends anything, every lease that it may have forgotten must be over.
    fn wait_until_sure(&self, now: Now, id: TaskId, round: u32, leases: bool) -> Duration {
        let record = self.tasks.table.record(id);
        let Some(record) = record.filter(|record| !self.remembers(record, round)) else {
            return Duration::ZERO;
        };
        let caught_up = match self.has_caught_up() || Mutation::GrantAtOnce.is_on() {
            true => self.tasks.began,
            false => self.tasks.began + CATCH_UP_WITHIN,
        };
        // A task that another node decided on before is watched from when that was taken from it.
        let watched = self.tasks.watches.get(&id).map(|watch| watch.since);
        let since = match round {
            0 => self.tasks.began,
            _ => watched.unwrap_or(now.monotonic),
        };
        let lease = record.definition().map(|definition| definition.lease());
        let leases_over = match leases && !Mutation::GrantAtOnce.is_on() {
            true => since + watched_for(lease.unwrap_or_default()),
            false => since,
        };
        caught_up.max(leases_over).since(now.monotonic)
    }

    /// Whether what this node said last of a task stands in the epoch that it writes in.
    fn remembers(&self, record: &TaskRecord, round: u32) -> bool {
        let members = self.roster.as_ref().map_or(0, |roster| roster.len());
        let epoch = self.log.own.current_or_confirmed(members);
        let grant = record.latest_grant();
        match grant.filter(|grant| grant.fence.round == round) {
            Some(grant) => Some(grant.fence.epoch) == epoch,
            None => round == 0 && epoch.is_some() && record.created_in() == epoch,
        }
    }

    fn has_caught_up(&self) -> bool {
        let members = self.roster.as_ref().map_or(0, |roster| roster.len());
        self.tasks.caught_up.len() >= CONFIRMATIONS_NEEDED.min(members)
    }

    /// Whether it would help to ask members what they know of this node's own chains.
    pub(in crate::node_state) fn tasks_want_to_catch_up(&self, now: Now) -> bool {
        let in_time = now.monotonic < self.tasks.began + CATCH_UP_WITHIN;
        in_time && !self.tasks.table.is_empty() && !self.has_caught_up()
    }

    /// A member knows no more of this node's own chains than it does itself.
    pub(in crate::node_state) fn tasks_caught_up_with(&mut self, member: NodeId) {
        if self.tasks.caught_up.len() < CONFIRMATIONS_NEEDED {
            self.tasks.caught_up.insert(member);
        }
    }

    fn grantable(&mut self, now: Now, id: TaskId, round: u32) -> Grantable {
        let young = now.monotonic < self.tasks.began + CONFIRMED_WITHIN;
        match self.wait_until_sure(now, id, round, true) {
            Duration::ZERO => self.open_epoch(),
            _ if young && !self.has_caught_up() => Grantable::Soon,
            wait => Grantable::After(wait),
        }
    }

    /// The epoch of what is written next, once it is clear whether the last one goes on.
    pub(super) fn writing_epoch(&mut self, now: Now) -> Option<EpochId> {
        let members = self.roster.as_ref().map_or(0, |roster| roster.len());
        if let Some(epoch) = self.log.own.current_or_confirmed(members) {
            return Some(epoch);
        }
        let young = now.monotonic < self.tasks.began + CONFIRMED_WITHIN;
        if young && self.log.own.wants_confirmation() {
            return None;
        }
        match self.open_epoch() {
            Grantable::Now(epoch) => Some(epoch),
            Grantable::Soon | Grantable::After(_) => None,
        }
    }

    /// The epoch of what is written next: a fence names it.
    fn open_epoch(&mut self) -> Grantable {
        let members = self.roster.as_ref().map_or(0, |roster| roster.len());
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
