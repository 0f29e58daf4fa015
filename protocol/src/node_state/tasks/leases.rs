//! Leases: those that agents of this node have, counted from when their signs were sent, and those that it watches.

use std::collections::VecDeque;
use std::time::Duration;

use super::{NodeState, Watch};
use crate::id::AgentName;
use crate::node_state::RequestId;
use crate::tasks::{Fence, TaskError, TaskId, TaskItem};
use crate::time::{Monotonic, Now};

/// Signs that wait to be answered.
const SIGNS_MAX: usize = 8;
/// An agent's activity is told this often in the length of a lease.
const SIGNS_PER_LEASE: u32 = 3;

/// A lease that an agent of this node has.
pub(super) struct OwnLease {
    pub(super) fence: Fence,
    pub(super) agent: AgentName,
    /// Whoever asked for it; nobody in this run where it was had before.
    asked_by: Option<RequestId>,
    /// When the last sign was sent for which the lease was extended; `None` where this run has seen none.
    pub(super) counts_from: Option<Monotonic>,
    /// Signs that were sent since.
    signs: VecDeque<(u64, Monotonic)>,
    /// When the last sign was sent.
    last_sign: Monotonic,
}

impl OwnLease {
    /// One that was granted for a claim that was sent then.
    pub(super) fn granted(
        fence: Fence,
        agent: AgentName,
        asked_by: RequestId,
        sent: Monotonic,
    ) -> Self {
        Self {
            counts_from: Some(sent),
            asked_by: Some(asked_by),
            ..Self::recalled(fence, agent, sent)
        }
    }

    /// One that an earlier run had: it counts once a sign of this one is answered.
    fn recalled(fence: Fence, agent: AgentName, sent: Monotonic) -> Self {
        Self {
            fence,
            agent,
            asked_by: None,
            counts_from: None,
            signs: VecDeque::new(),
            last_sign: sent,
        }
    }

    fn sent(&mut self, step: u64, at: Monotonic) {
        self.signs.push_back((step, at));
        if self.signs.len() > SIGNS_MAX {
            self.signs.pop_front();
        }
        self.last_sign = at;
    }

    pub(super) fn extended(&mut self, step: u64) {
        while let Some((sent, at)) = self.signs.front().copied() {
            if sent > step {
                break;
            }
            self.counts_from = self.counts_from.max(Some(at));
            self.signs.pop_front();
        }
    }
}

/// How long a fence is watched without a change before somebody else may take the task: the lease and a tenth, since
/// clocks do not run alike.
pub(super) fn watched_for(lease: Duration) -> Duration {
    lease + lease / 10
}

impl NodeState {
    /// Whether an agent of this node has the task under this fence, by all that this node knows: within one lease of a
    /// sign that the arbiter has answered.
    pub fn holds_now(&self, now: Now, task: TaskId, fence: Fence) -> bool {
        let record = self.tasks.table.record(task);
        let Some(definition) = record.and_then(|record| record.definition()) else {
            return false;
        };
        let lease = self.tasks.leases.get(&task);
        let counts_from = lease.filter(|lease| lease.fence == fence);
        let counts_from = counts_from.and_then(|lease| lease.counts_from);
        counts_from.is_some_and(|from| now.monotonic < from + definition.lease())
    }

    /// The tasks that agents of this node have, by all that this node knows.
    pub fn held_now(&self, now: Now) -> Vec<(TaskId, Fence)> {
        let leases = self.tasks.leases.iter();
        let leases = leases.map(|(task, lease)| (*task, lease.fence));
        let stand = leases.filter(|(task, fence)| {
            let record = self.tasks.table.record(*task);
            let task_is_held = record
                .and_then(|record| record.task(*task))
                .is_some_and(|known| known.held().is_some_and(|(_, held)| held == *fence));
            task_is_held && self.holds_now(now, *task, *fence)
        });
        stand.collect()
    }

    /// A sign of the agent that has the task. Gives its number.
    pub(super) fn show_sign(
        &mut self,
        now: Now,
        task: TaskId,
        fence: Fence,
        agent: &AgentName,
        percent: Option<u8>,
        note: Option<String>,
    ) -> Result<u64, TaskError> {
        let record = self.tasks.table.record(task);
        let told = record.and_then(|record| record.last_sign());
        let lease = self.tasks.leases.get(&task);
        let lease = lease.filter(|lease| lease.fence == fence);
        let sent = lease.and_then(|lease| lease.signs.back());
        let step = 1 + told.unwrap_or_default().max(sent.map_or(0, |sent| sent.0));
        let item = TaskItem::Working {
            task,
            fence,
            step,
            percent,
            note,
        };
        self.append_task(now, &item)?;
        if lease_of(&self.tasks.leases, task) != Some(fence) {
            let lease = OwnLease::recalled(fence, agent.clone(), now.monotonic);
            self.tasks.leases.insert(task, lease);
        }
        if let Some(lease) = self.tasks.leases.get_mut(&task) {
            lease.sent(step, now.monotonic);
        }
        Ok(step)
    }

    /// Whoever asked has gone before it was answered: what it was granted is given back.
    pub(in crate::node_state) fn task_unheard(&mut self, now: Now, request: RequestId) {
        let leases = self.tasks.leases.iter();
        let mut unheard = leases.filter(|(_, lease)| lease.asked_by == Some(request));
        if let Some((task, fence)) = unheard.next().map(|(task, lease)| (*task, lease.fence)) {
            // Where the log takes nothing the lease runs out by itself.
            let _ = self.append_task(now, &TaskItem::Released { task, fence });
        }
    }

    /// These agents have asked for something since that was last told: their leases are extended where it is time.
    pub(in crate::node_state) fn agents_active(&mut self, now: Now, agents: &[AgentName]) {
        let mut due = Vec::new();
        for task in self.tasks.table.held_by(self.me) {
            let Some((holder, fence)) = task.held() else {
                continue;
            };
            let lease = self.tasks.leases.get(&task.id);
            let last = lease.filter(|lease| lease.fence == fence);
            let last = last.map_or(self.tasks.began, |lease| lease.last_sign);
            let pause = task.definition.lease() / SIGNS_PER_LEASE;
            if agents.contains(&holder.agent) && last + pause <= now.monotonic {
                due.push((task.id, fence, holder.agent.clone()));
            }
        }
        for (task, fence, agent) in due {
            // Where the log takes nothing the lease runs out: that is what a lease is for.
            let _ = self.show_sign(now, task, fence, &agent, None, None);
        }
    }

    /// Whether what stands of the task's lease has been watched for the lease and a tenth.
    pub(super) fn lease_is_over(&self, now: Now, task: TaskId) -> bool {
        self.lease_over_at(task)
            .is_some_and(|at| at <= now.monotonic)
    }

    pub(super) fn lease_over_at(&self, task: TaskId) -> Option<Monotonic> {
        let record = self.tasks.table.record(task)?;
        let definition = record.definition()?;
        let watch = self.tasks.watches.get(&task)?;
        Some(watch.since + watched_for(definition.lease()))
    }

    /// Notes what stands of the task's lease, from `since` where that is new.
    pub(super) fn watch_task(&mut self, since: Monotonic, id: TaskId) {
        let Some(record) = self.tasks.table.record(id) else {
            return;
        };
        let Some((round, _)) = record.arbiter() else {
            return;
        };
        let fence = record.latest_grant().map(|grant| grant.fence);
        let step = fence.map_or(0, |fence| record.extended(fence));
        let seen = self.tasks.watches.get(&id);
        let seen = seen.map(|watch| (watch.round, watch.fence, watch.step));
        if seen != Some((round, fence, step)) {
            let watch = Watch {
                round,
                fence,
                step,
                since,
            };
            self.tasks.watches.insert(id, watch);
        }
        if let (Some(fence), Some(lease)) = (fence, self.tasks.leases.get_mut(&id))
            && lease.fence == fence
        {
            lease.extended(step);
        }
    }
}

fn lease_of(leases: &std::collections::BTreeMap<TaskId, OwnLease>, task: TaskId) -> Option<Fence> {
    leases.get(&task).map(|lease| lease.fence)
}
