//! All tasks of the mesh, as this node has heard of them.

use std::collections::{BTreeMap, BTreeSet};

use super::identifiers::TaskId;
use super::item::TaskItem;
use super::record::{Said, TaskRecord};
use super::task::{Task, TaskPhase};
use crate::id::NodeId;
use crate::time::Timestamp;

/// Tasks of one creator: beyond that the oldest of those that are over are forgotten, and where none is, no more is taken.
pub const TASKS_PER_NODE_MAX: usize = 1_024;
/// Tasks of all creators, likewise.
pub const TASKS_MAX: usize = 16_384;
/// Tasks that are spoken of and not known yet.
const UNKNOWN_MAX: usize = 4_096;

/// The tasks that are known.
#[derive(Clone, Debug, Default)]
pub struct TaskTable {
    records: BTreeMap<TaskId, TaskRecord>,
    created_by: BTreeMap<NodeId, usize>,
    unknown: usize,
}

impl TaskTable {
    /// Takes what was said. Names the task of which it changes something, and `None` where it cannot count.
    pub fn apply(&mut self, said: Said, item: TaskItem) -> Option<TaskId> {
        let id = task_of(said.author, &item);
        if !self.records.contains_key(&id) && !self.make_room(said.author, &item) {
            return None;
        }
        let record = self.records.entry(id).or_default();
        let was_created = record.is_created();
        let was_empty = *record == TaskRecord::default();
        let heard = record.apply(said, item);
        let is_created = record.is_created();
        if is_created && !was_created {
            *self.created_by.entry(said.author).or_default() += 1;
            self.unknown -= usize::from(!was_empty);
        } else if was_empty && heard {
            self.unknown += 1;
        } else if was_empty {
            self.records.remove(&id);
        }
        heard.then_some(id)
    }

    /// Whether one more of this creator fits, once the oldest that is over is forgotten.
    fn make_room(&mut self, creator: NodeId, item: &TaskItem) -> bool {
        if !matches!(item, TaskItem::Created { .. }) {
            return self.unknown < UNKNOWN_MAX;
        }
        if !self.is_full_for(creator) {
            return true;
        }
        match self.to_forget(creator) {
            Some(id) => {
                self.forget(id);
                true
            }
            None => false,
        }
    }

    /// The oldest that is over and that no open task comes after: such a one could never be begun otherwise.
    fn to_forget(&self, creator: NodeId) -> Option<TaskId> {
        let own_full = self.count_of(creator) >= TASKS_PER_NODE_MAX;
        let open = self.all().filter(|task| !task.is_over());
        let awaited: BTreeSet<TaskId> = open.flat_map(|task| task.definition.after).collect();
        let over = self.all().filter(|task| task.is_over());
        let over = over.filter(|task| !own_full || task.creator == creator);
        let over = over.filter(|task| !awaited.contains(&task.id));
        let oldest = over.min_by_key(|task| (task.created, task.id));
        oldest.map(|task| task.id)
    }

    fn count_of(&self, creator: NodeId) -> usize {
        self.created_by.get(&creator).copied().unwrap_or_default()
    }

    fn is_full_for(&self, creator: NodeId) -> bool {
        self.count_of(creator) >= TASKS_PER_NODE_MAX || self.records.len() >= TASKS_MAX
    }

    /// Whether a further task of this creator would be taken.
    pub fn has_room_for(&self, creator: NodeId) -> bool {
        !self.is_full_for(creator) || self.to_forget(creator).is_some()
    }

    /// Forgets tasks that were created before then: the log keeps nothing of them any more. Names them.
    pub fn forget_before(&mut self, before: Timestamp) -> Vec<TaskId> {
        let old = self.all().filter(|task| task.created < before);
        let old: Vec<TaskId> = old.map(|task| task.id).collect();
        for id in &old {
            self.forget(*id);
        }
        old
    }

    fn forget(&mut self, id: TaskId) {
        let Some(task) = self.records.remove(&id).and_then(|record| record.task(id)) else {
            return;
        };
        if let Some(count) = self.created_by.get_mut(&task.creator) {
            *count = count.saturating_sub(1);
        }
    }

    /// All that was said of a task.
    pub fn record(&self, id: TaskId) -> Option<&TaskRecord> {
        self.records.get(&id)
    }

    /// A task as it stands.
    pub fn task(&self, id: TaskId) -> Option<Task> {
        self.records.get(&id)?.task(id)
    }

    /// Whether nothing was said of any task.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Every task that is known, by id.
    pub fn all(&self) -> impl Iterator<Item = Task> + '_ {
        let records = self.records.iter();
        records.filter_map(|(id, record)| record.task(*id))
    }

    /// The tasks whose latest grant went to this node and that it has, by id.
    pub fn held_by(&self, node: NodeId) -> Vec<Task> {
        let granted = |record: &TaskRecord| {
            let grant = record.latest_grant();
            grant.is_some_and(|grant| grant.holder.node == node)
        };
        let records = self.records.iter().filter(|(_, record)| granted(record));
        let tasks = records.filter_map(|(id, record)| record.task(*id));
        tasks.filter(|task| task.held().is_some()).collect()
    }

    /// The tasks that are to be completed before this one and, as far as is known here, are not.
    pub fn blocked_by(&self, id: TaskId) -> Vec<TaskId> {
        let definition = self.records.get(&id).and_then(TaskRecord::definition);
        let after = definition.map(|definition| definition.after.iter());
        let open = |id: &&TaskId| {
            let before = self.records.get(id);
            !before.is_some_and(|record| matches!(record.phase(), TaskPhase::Completed { .. }))
        };
        after.into_iter().flatten().filter(open).copied().collect()
    }
}

fn task_of(author: NodeId, item: &TaskItem) -> TaskId {
    match item {
        TaskItem::Created { nonce, .. } => TaskId::derive(author, nonce),
        TaskItem::Claimed { task, .. }
        | TaskItem::Withdrawn { task, .. }
        | TaskItem::Granted { task, .. }
        | TaskItem::Refused { task, .. }
        | TaskItem::Working { task, .. }
        | TaskItem::Extended { task, .. }
        | TaskItem::Released { task, .. }
        | TaskItem::Finished { task, .. }
        | TaskItem::Completed { task, .. }
        | TaskItem::Cancelled { task }
        | TaskItem::Reassigned { task, .. }
        | TaskItem::Register { task, .. } => *task,
    }
}
