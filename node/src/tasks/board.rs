//! The tasks as control last published them, to be read without asking it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use peerage_protocol::tasks::{Blocker, Task, TaskId, TaskPhase, Unmet};
use tokio::sync::watch;

use crate::control::wall;

/// A task on the board.
#[derive(Clone, Debug)]
pub struct Posted {
    /// As it stands.
    pub task: Arc<Task>,
    /// When what stands of its lease was first seen here: milliseconds since the Unix epoch, by this node's clock.
    pub since: u64,
}

/// All tasks that this node knows.
pub struct TaskBoard {
    posted: RwLock<BTreeMap<TaskId, Posted>>,
    changes: watch::Sender<u64>,
}

impl Default for TaskBoard {
    fn default() -> Self {
        Self {
            posted: RwLock::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl TaskBoard {
    /// A task.
    pub fn get(&self, id: TaskId) -> Option<Posted> {
        self.read().get(&id).cloned()
    }

    /// Those that `wanted` names, by id.
    pub fn all(&self, wanted: impl Fn(&Task) -> bool) -> Vec<Posted> {
        let posted = self.read();
        let wanted = posted.values().filter(|posted| wanted(&posted.task));
        wanted.cloned().collect()
    }

    /// The tasks that are to come before this one and are not completed.
    pub fn waits_for(&self, task: &Task) -> Vec<Blocker> {
        let posted = self.read();
        let after = task.definition.after.iter();
        let unmet = after.filter_map(|id| {
            let unmet = match posted.get(id).map(|one| &one.task.phase) {
                None => Unmet::Unknown,
                Some(TaskPhase::Completed { .. }) => return None,
                Some(TaskPhase::Cancelled) => Unmet::Cancelled,
                Some(TaskPhase::Open | TaskPhase::Held { .. }) => Unmet::NotCompleted,
            };
            Some(Blocker { task: *id, unmet })
        });
        unmet.collect()
    }

    /// Rises with every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes what control says of tasks.
    pub(crate) fn update(&self, changed: Vec<Arc<Task>>, forgotten: &[TaskId]) {
        let now = wall().0;
        let mut posted = self.posted.write().unwrap_or_else(PoisonError::into_inner);
        for id in forgotten {
            posted.remove(id);
        }
        for task in changed {
            let before = posted.get(&task.id);
            let same_lease = before.filter(|before| lease(&before.task) == lease(&task));
            let since = same_lease.map_or(now, |before| before.since);
            posted.insert(task.id, Posted { task, since });
        }
        drop(posted);
        self.changes.send_modify(|version| *version += 1);
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<TaskId, Posted>> {
        self.posted.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What changes whenever a lease begins anew.
fn lease(task: &Task) -> Option<(peerage_protocol::tasks::Fence, u64)> {
    match &task.phase {
        TaskPhase::Held { fence, step, .. } => Some((*fence, *step)),
        _ => None,
    }
}
