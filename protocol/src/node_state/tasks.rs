//! Tasks in a node's state: what its agents want, what it decides as an arbiter, and what it holds for its agents.

mod applied;
mod arbitration;
mod attempts;
mod leases;
mod orders;
mod seats;
mod several;
mod update_rate;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::input::RequestId;
use super::output::{Output, Reply};
use crate::id::{AgentName, NodeId};
use crate::log::chain_id::Lane;
use crate::log::retention::KEPT_FOR;
use crate::tasks::{ClaimId, Fence, Task, TaskError, TaskId, TaskItem, TaskTable};
use crate::time::{Monotonic, Now};

use attempts::Attempt;
use leases::OwnLease;
use update_rate::UpdateRate;

/// How long a request waits for the arbiter's answer.
pub const PATIENCE: Duration = Duration::from_secs(6);
/// Requests that wait at one time.
const WAITING_MAX: usize = 1_024;
/// When a decision that could not be written is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Between two looks for tasks that are too old.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// Whoever waits for something to become of a task.
struct Waiting {
    request: RequestId,
    task: TaskId,
    awaited: Awaited,
    until: Monotonic,
}

/// What is waited for.
#[derive(Clone, Debug)]
enum Awaited {
    /// It is on disk here.
    Created,
    /// All of its arbiters have taken their seats.
    Opened,
    /// The arbiter's word on a claim.
    Granted {
        claim: ClaimId,
        agent: AgentName,
        seen: Option<Fence>,
        sent: Monotonic,
    },
    /// The arbiter has extended the lease for this sign.
    Extended { fence: Fence, step: u64 },
    /// It is on disk here.
    Released { fence: Fence },
    /// The arbiter's word on a result.
    Completed { fence: Fence, agent: AgentName },
    /// It is on disk here, or a majority of the arbiters has accepted it.
    Cancelled,
    /// It is on disk here.
    Reassigned { round: u32 },
}

/// What stands of a task's lease, and since when it has, on this node's own clock.
#[derive(Clone, Copy)]
struct Watch {
    round: u32,
    fence: Option<Fence>,
    step: u64,
    since: Monotonic,
}

/// The tasks' part of a node's state.
pub(super) struct Tasks {
    pub(super) table: TaskTable,
    waiting: Vec<Waiting>,
    watches: BTreeMap<TaskId, Watch>,
    leases: BTreeMap<TaskId, OwnLease>,
    /// Decisions that are on their way to disk: one for each task.
    deciding: BTreeMap<TaskId, TaskItem>,
    /// What this node wants of registers.
    attempts: BTreeMap<TaskId, Attempt>,
    /// Tasks that have changed, or are known no more, since that was last told.
    changed: BTreeSet<TaskId>,
    forgotten: Vec<TaskId>,
    /// When to look again at tasks on which something is to be decided.
    undecided: BTreeMap<TaskId, Monotonic>,
    /// When this run began: what was granted before it is not remembered for sure.
    began: Monotonic,
    /// Members that know no more of this node's own chains than it does.
    caught_up: BTreeSet<NodeId>,
    /// The greatest number of a fence that this node gave.
    last_number: u64,
    update_rate: UpdateRate,
    sweep_at: Monotonic,
}

impl Tasks {
    pub(super) fn new(began: Monotonic) -> Self {
        Self {
            table: TaskTable::default(),
            waiting: Vec::new(),
            watches: BTreeMap::new(),
            leases: BTreeMap::new(),
            deciding: BTreeMap::new(),
            attempts: BTreeMap::new(),
            changed: BTreeSet::new(),
            forgotten: Vec::new(),
            undecided: BTreeMap::new(),
            began,
            caught_up: BTreeSet::new(),
            last_number: 0,
            update_rate: UpdateRate::default(),
            sweep_at: began + SWEEP_EVERY,
        }
    }

    /// In how many places something is kept of a task.
    #[cfg(test)]
    pub(super) fn kept_of(&self, id: TaskId) -> usize {
        let places = [
            self.table.record(id).is_some(),
            self.watches.contains_key(&id),
            self.leases.contains_key(&id),
            self.deciding.contains_key(&id),
            self.undecided.contains_key(&id),
        ];
        places.into_iter().filter(|kept| *kept).count()
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        let waiting = self.waiting.iter().map(|waiting| waiting.until);
        let undecided = self.undecided.values().copied();
        waiting.chain(undecided).chain([self.sweep_at]).min()
    }
}

impl NodeState {
    /// The tasks that this node knows, by id.
    pub fn tasks(&self) -> impl Iterator<Item = Task> + '_ {
        self.tasks.table.all()
    }

    /// A task that this node knows.
    pub fn task(&self, id: TaskId) -> Option<Task> {
        self.tasks.table.task(id)
    }

    /// Whoever waits too long is told so, decisions that are due are taken, and what is too old is forgotten.
    pub(super) fn settle_tasks(&mut self, now: Now) {
        let due = self.tasks.undecided.iter();
        let due = due.filter(|(_, at)| **at <= now.monotonic);
        let due: Vec<TaskId> = due.map(|(id, _)| *id).collect();
        for id in due {
            self.tasks.undecided.remove(&id);
            self.arbitrate(now, id);
        }
        self.give_up_waiting(now);
        if self.tasks.sweep_at <= now.monotonic {
            self.tasks.sweep_at = now.monotonic + SWEEP_EVERY;
            let forgotten = self.tasks.table.forget_before(now.wall - KEPT_FOR);
            for id in &forgotten {
                self.forget_task(*id);
            }
            self.tasks.forgotten.extend(forgotten);
            self.publish_tasks();
        }
    }

    fn forget_task(&mut self, id: TaskId) {
        self.tasks.watches.remove(&id);
        self.tasks.leases.remove(&id);
        self.tasks.deciding.remove(&id);
        self.tasks.attempts.remove(&id);
        self.tasks.undecided.remove(&id);
    }

    /// Tells of the tasks that have changed: once for all that went to disk together, and before anything is answered.
    pub(super) fn publish_tasks(&mut self) {
        let forgotten = std::mem::take(&mut self.tasks.forgotten);
        let changed = std::mem::take(&mut self.tasks.changed);
        let changed = changed.iter().filter_map(|id| self.tasks.table.task(*id));
        let changed: Vec<Arc<Task>> = changed.map(Arc::new).collect();
        if !changed.is_empty() || !forgotten.is_empty() {
            self.outputs
                .push_back(Output::TasksChanged { changed, forgotten });
        }
    }

    fn append_task(&mut self, now: Now, item: &TaskItem) -> Result<(), TaskError> {
        item.check()?;
        let items = vec![item.encode()];
        Ok(self.append(now, Lane::TASKS, items, None)?)
    }

    fn answer_task(&mut self, request: RequestId, answer: Result<Task, TaskError>) {
        self.publish_tasks();
        self.reply(request, Reply::Task(answer.map(Arc::new)));
    }

    /// The mesh was left: its tasks are nobody's business here any more.
    pub(super) fn forget_tasks(&mut self) {
        let fresh = Tasks::new(self.tasks.began);
        let left = std::mem::replace(&mut self.tasks, fresh);
        for waiting in left.waiting {
            let refused = crate::log::AppendError::NoMesh.into();
            self.answer_task(waiting.request, Err(refused));
        }
        self.tasks.forgotten = left.table.all().map(|task| task.id).collect();
        self.publish_tasks();
    }
}
