//! What agents of this node want done: checked against what is known here, put into the log, and waited for.

use super::{Awaited, NodeState, PATIENCE, WAITING_MAX, Waiting};
use crate::id::{AgentName, Hash, NodeId};
use crate::membership::certificate::CertificateChain;
use crate::membership::role::Role;
use crate::node_state::RequestId;
use crate::tasks::definition::Definition;
use crate::tasks::table::TASKS_PER_NODE_MAX;
use crate::tasks::{
    ClaimId, Fence, Reassignment, ReassignmentBody, Task, TaskError, TaskId, TaskItem, TaskOrder,
    TaskPhase,
};
use crate::time::Now;

/// What an order comes to.
enum Outcome {
    /// It was so already.
    Already(Box<Task>),
    /// It is so once this has come.
    Awaits(TaskId, Awaited),
}

impl NodeState {
    pub(in crate::node_state) fn task_ordered(
        &mut self,
        now: Now,
        request: RequestId,
        order: TaskOrder,
    ) {
        if self.tasks.waiting.len() >= WAITING_MAX {
            let limit = WAITING_MAX;
            return self.answer_task(request, Err(TaskError::Busy { limit }));
        }
        match self.order(now, order) {
            Ok(Outcome::Already(task)) => self.answer_task(request, Ok(*task)),
            Ok(Outcome::Awaits(task, awaited)) => {
                self.tasks.waiting.push(Waiting {
                    request,
                    task,
                    awaited,
                    until: now.monotonic + PATIENCE,
                });
                if self.has_register(task) {
                    self.arbitrate(now, task);
                }
            }
            Err(refused) => self.answer_task(request, Err(refused)),
        }
    }

    fn order(&mut self, now: Now, order: TaskOrder) -> Result<Outcome, TaskError> {
        match order {
            TaskOrder::Create {
                nonce,
                definition,
                arbiters,
            } => {
                let definition = self.with_arbiters(nonce, definition, arbiters)?;
                self.create_task(now, nonce, definition)
            }
            TaskOrder::Claim {
                task,
                claim,
                agent,
                capabilities,
            } => self.claim_task(now, task, claim, agent, &capabilities),
            TaskOrder::Update {
                task,
                agent,
                fence,
                percent,
                note,
            } => {
                let fence = self.fence_of(task, &agent, fence)?;
                self.check_round(task, &agent, fence)?;
                let taken = self.tasks.update_rate.take(now, &agent);
                taken.map_err(|wait| TaskError::TooOften {
                    agent: agent.clone(),
                    wait,
                })?;
                let step = self.show_sign(now, task, fence, &agent, percent, note)?;
                Ok(Outcome::Awaits(task, Awaited::Extended { fence, step }))
            }
            TaskOrder::Release { task, agent, fence } => {
                let fence = self.fence_of(task, &agent, fence)?;
                self.append_task(now, &TaskItem::Released { task, fence })?;
                Ok(Outcome::Awaits(task, Awaited::Released { fence }))
            }
            TaskOrder::Complete {
                task,
                agent,
                fence,
                result,
            } => self.complete_task(now, task, agent, fence, result),
            TaskOrder::Cancel { task, agent } => self.cancel_task(now, task, agent.as_ref()),
            TaskOrder::Reassign { task, arbiter } => self.reassign_task(now, task, arbiter),
        }
    }

    fn known_task(&self, task: TaskId) -> Result<Task, TaskError> {
        let known = self.tasks.table.task(task);
        known.ok_or(TaskError::Unknown { task })
    }

    fn create_task(
        &mut self,
        now: Now,
        nonce: [u8; 16],
        definition: Definition,
    ) -> Result<Outcome, TaskError> {
        let known = |task: &&_| self.tasks.table.task(**task).is_none();
        if let Some(task) = definition.after.iter().find(known) {
            return Err(TaskError::UnknownDependency { task: *task });
        }
        if !self.tasks.table.has_room_for(self.me) {
            let limit = TASKS_PER_NODE_MAX;
            return Err(TaskError::TooMany { limit });
        }
        let awaited = match definition.arbiters.is_empty() {
            true => Awaited::Created,
            false => Awaited::Opened,
        };
        self.append_task(now, &TaskItem::Created { nonce, definition })?;
        let task = TaskId::derive(self.me, &nonce);
        Ok(Outcome::Awaits(task, awaited))
    }

    fn claim_task(
        &mut self,
        now: Now,
        id: TaskId,
        claim: ClaimId,
        agent: AgentName,
        capabilities: &[String],
    ) -> Result<Outcome, TaskError> {
        let task = self.known_task(id)?;
        check_open(&task)?;
        if let Some((holder, fence)) = task.held() {
            if holder.node == self.me && holder.agent == agent {
                if self.holds_now(now, id, fence) {
                    return Ok(Outcome::Already(Box::new(task)));
                }
                let step = self.show_sign(now, id, fence, &agent, None, None)?;
                return Ok(Outcome::Awaits(id, Awaited::Extended { fence, step }));
            }
            if !self.lease_is_over(now, id) {
                return Err(TaskError::Held {
                    agent: holder.agent.clone(),
                    node: holder.node,
                });
            }
        }
        let can = |needed: &&String| {
            let mut has = capabilities.iter();
            !has.any(|has| has.to_lowercase() == needed.to_lowercase())
        };
        let missing = task.definition.capabilities.iter().filter(can);
        let missing: Vec<String> = missing.cloned().collect();
        if !missing.is_empty() {
            return Err(TaskError::NotCapable { missing });
        }
        let after = self.tasks.table.blocked_by(id);
        if !after.is_empty() {
            return Err(TaskError::Blocked { after });
        }
        self.claim(now, id, claim, agent)
    }

    /// Puts the claim into the log: after the latest grant that is known here.
    fn claim(
        &mut self,
        now: Now,
        task: TaskId,
        claim: ClaimId,
        agent: AgentName,
    ) -> Result<Outcome, TaskError> {
        let latest = self.tasks.table.record(task);
        let latest = latest.and_then(|record| record.latest_grant());
        let seen = latest.map(|grant| grant.fence);
        let awaited = Awaited::Granted {
            claim,
            agent: agent.clone(),
            seen,
            sent: now.monotonic,
        };
        if self.has_register(task) {
            return Ok(Outcome::Awaits(task, awaited));
        }
        let item = TaskItem::Claimed {
            task,
            claim,
            agent,
            seen,
        };
        self.append_task(now, &item)?;
        Ok(Outcome::Awaits(task, awaited))
    }

    /// The fence under which an agent of this node has a task, if it is the one it thinks of.
    fn fence_of(
        &self,
        id: TaskId,
        agent: &AgentName,
        fence: Option<Fence>,
    ) -> Result<Fence, TaskError> {
        let task = self.known_task(id)?;
        let not_holder = || TaskError::NotHolder {
            agent: agent.clone(),
        };
        check_open(&task)?;
        let (holder, held) = task.held().ok_or_else(not_holder)?;
        let own = holder.node == self.me && holder.agent == *agent;
        match own && fence.is_none_or(|fence| fence == held) {
            true => Ok(held),
            false => Err(not_holder()),
        }
    }

    /// An arbiter knows nothing of what another granted before it, and takes nothing under that.
    fn check_round(&self, id: TaskId, agent: &AgentName, fence: Fence) -> Result<(), TaskError> {
        let record = self.tasks.table.record(id);
        let moved = record.and_then(|record| record.arbiter());
        match moved.filter(|(round, _)| *round != fence.round) {
            Some((_, arbiter)) => Err(TaskError::Moved {
                arbiter,
                agent: agent.clone(),
            }),
            None => Ok(()),
        }
    }

    fn complete_task(
        &mut self,
        now: Now,
        id: TaskId,
        agent: AgentName,
        fence: Option<Fence>,
        result: String,
    ) -> Result<Outcome, TaskError> {
        let task = self.known_task(id)?;
        if let TaskPhase::Completed {
            holder,
            fence: under,
            ..
        } = &task.phase
            && holder.node == self.me
            && holder.agent == agent
            && fence.is_none_or(|fence| fence == *under)
        {
            self.check_same_result(id, &agent, &result)?;
            return Ok(Outcome::Already(Box::new(task)));
        }
        let fence = self.fence_of(id, &agent, fence)?;
        self.check_round(id, &agent, fence)?;
        self.check_same_result(id, &agent, &result)?;
        let said = self.tasks.table.record(id);
        if said.is_none_or(|record| record.finished().is_none()) {
            let item = TaskItem::Finished {
                task: id,
                fence,
                result,
            };
            self.append_task(now, &item)?;
        }
        Ok(Outcome::Awaits(id, Awaited::Completed { fence, agent }))
    }

    /// Whoever says nothing of the result asks again for the one that it has told.
    fn check_same_result(
        &self,
        id: TaskId,
        agent: &AgentName,
        result: &str,
    ) -> Result<(), TaskError> {
        let record = self.tasks.table.record(id);
        let completed = record.and_then(|record| record.completion());
        let told = match completed {
            Some(completion) => Some(completion.result),
            None => record.and_then(|record| record.finished()),
        };
        let same = |told: Hash| told == Hash::of(result.as_bytes());
        match result.is_empty() || told.is_none_or(same) {
            true => Ok(()),
            false => Err(TaskError::OtherResult {
                agent: agent.clone(),
            }),
        }
    }

    fn cancel_task(
        &mut self,
        now: Now,
        id: TaskId,
        agent: Option<&AgentName>,
    ) -> Result<Outcome, TaskError> {
        let task = self.known_task(id)?;
        let may = agent.is_none_or(|agent| *agent == task.definition.by);
        if task.creator != self.me || !may {
            return Err(TaskError::NotCreator);
        }
        match task.phase {
            TaskPhase::Cancelled => Ok(Outcome::Already(Box::new(task))),
            TaskPhase::Completed { .. } => Err(TaskError::Over { how: "completed" }),
            TaskPhase::Open | TaskPhase::Held { .. } => {
                if !self.register_is_open(id) {
                    self.append_task(now, &TaskItem::Cancelled { task: id })?;
                }
                Ok(Outcome::Awaits(id, Awaited::Cancelled))
            }
        }
    }

    fn reassign_task(
        &mut self,
        now: Now,
        id: TaskId,
        arbiter: NodeId,
    ) -> Result<Outcome, TaskError> {
        let task = self.known_task(id)?;
        check_open(&task)?;
        let roster = self.roster.as_ref();
        let roster = roster.filter(|roster| roster.own.body().role == Role::Admin);
        let roster = roster.ok_or(TaskError::NotAdmin)?;
        let named = match arbiter == self.me {
            true => Some(&roster.own),
            false => roster.member(arbiter),
        };
        if named.is_none_or(|chain| !chain.body().role.offers()) {
            return Err(TaskError::NoArbiter { node: arbiter });
        }
        let round = task.round.saturating_add(1);
        let body = ReassignmentBody {
            task: id,
            round,
            at: now.wall,
            arbiter,
        };
        let own = CertificateChain::clone(&roster.own);
        let word = Reassignment::sign(body, roster.mesh, own, &*self.keys.node);
        let item = TaskItem::Reassigned(Box::new(word));
        self.append_task(now, &item)?;
        Ok(Outcome::Awaits(id, Awaited::Reassigned { round }))
    }
}

/// # Errors
///
/// When the task is over.
pub(super) fn check_open(task: &Task) -> Result<(), TaskError> {
    match task.phase {
        TaskPhase::Completed { .. } => Err(TaskError::Over { how: "completed" }),
        TaskPhase::Cancelled => Err(TaskError::Over { how: "cancelled" }),
        TaskPhase::Open | TaskPhase::Held { .. } => Ok(()),
    }
}
