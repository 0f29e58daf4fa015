//! All tasks of the mesh, as this node has heard of them.

use std::collections::{BTreeMap, BTreeSet};

use super::blocker::{Blocker, Unmet};
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
/// Of these, tasks of which the same node spoke first: whoever makes ids up fills its own part alone.
pub(super) const UNKNOWN_PER_NODE_MAX: usize = 256;

/// What came of something that was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The task of which it changes something; `None` where it cannot count.
    pub changed: Option<TaskId>,
    /// The task that was forgotten to make room for it.
    pub forgotten: Option<TaskId>,
}

/// The tasks that are known.
#[derive(Clone, Debug, Default)]
pub struct TaskTable {
    records: BTreeMap<TaskId, TaskRecord>,
    created_by: BTreeMap<NodeId, usize>,
    /// Tasks that are spoken of and not known yet: who spoke first, and when by its clock.
    unknown: BTreeMap<TaskId, (NodeId, Timestamp)>,
}

impl TaskTable {
    /// Takes what was said.
    pub fn apply(&mut self, said: Said, item: TaskItem) -> Applied {
        let id = task_of(said.author, &item);
        let creates = matches!(item, TaskItem::Created { .. });
        let mut forgotten = None;
        if creates && !self.is_created(id) {
            match self.make_room(said.author) {
                Ok(made) => forgotten = made,
                Err(NoRoom) => return Applied::default(),
            }
        } else if !self.records.contains_key(&id) && !self.may_speak_first(said.author) {
            return Applied::default();
        }
        let was_created = self.is_created(id);
        let record = self.records.entry(id).or_default();
        let was_empty = *record == TaskRecord::default();
        let heard = record.apply(said, item);
        if record.is_created() && !was_created {
            *self.created_by.entry(said.author).or_default() += 1;
            self.unknown.remove(&id);
        } else if was_empty && heard {
            self.unknown.insert(id, (said.author, said.time));
        } else if was_empty {
            self.records.remove(&id);
        }
        Applied {
            changed: heard.then_some(id),
            forgotten,
        }
    }

    fn is_created(&self, id: TaskId) -> bool {
        self.records.get(&id).is_some_and(TaskRecord::is_created)
    }

    /// Whether this node may speak of one more task that nobody has heard of yet.
    fn may_speak_first(&self, author: NodeId) -> bool {
        let speakers = self.unknown.values();
        let own = speakers.filter(|(speaker, _)| *speaker == author).count();
        own < UNKNOWN_PER_NODE_MAX && self.unknown.len() < UNKNOWN_MAX
    }

    /// Forgets the oldest that is over where one more of this creator does not fit otherwise, and names it.
    fn make_room(&mut self, creator: NodeId) -> Result<Option<TaskId>, NoRoom> {
        if !self.is_full_for(creator) {
            return Ok(None);
        }
        let id = self.to_forget(creator).ok_or(NoRoom)?;
        self.forget(id);
        Ok(Some(id))
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

    /// Forgets tasks that were created, or first spoken of, before then: the log keeps nothing of them any more. Names
    /// those that were known.
    pub fn forget_before(&mut self, before: Timestamp) -> Vec<TaskId> {
        let unknown = self.unknown.extract_if(.., |_, (_, at)| *at < before);
        for (id, _) in unknown {
            self.records.remove(&id);
        }
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
    pub fn blocked_by(&self, id: TaskId) -> Vec<Blocker> {
        let definition = self.records.get(&id).and_then(TaskRecord::definition);
        let after = definition.map(|definition| definition.after.iter());
        let after = after.into_iter().flatten();
        let unmet = after.filter_map(|task| {
            let unmet = self.unmet(*task)?;
            Some(Blocker { task: *task, unmet })
        });
        unmet.collect()
    }

    fn unmet(&self, id: TaskId) -> Option<Unmet> {
        let known = self.records.get(&id).filter(|record| record.is_created());
        match known.map(TaskRecord::phase) {
            None => Some(Unmet::Unknown),
            Some(TaskPhase::Completed { .. }) => None,
            Some(TaskPhase::Cancelled) => Some(Unmet::Cancelled),
            Some(TaskPhase::Open | TaskPhase::Held { .. }) => Some(Unmet::NotCompleted),
        }
    }
}

/// Nothing is over that could be forgotten.
struct NoRoom;

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
        | TaskItem::Register { task, .. } => *task,
        TaskItem::Reassigned(word) => word.body.task,
    }
}
