//! Tasks on which several nodes decide: who they are, what follows once they have decided, and what is said where they do not.

use super::{Awaited, NodeState, RETRY_AFTER, Waiting};
use crate::id::{Hash, NodeId};
use crate::tasks::register::RegisterWord;
use crate::tasks::{Definition, Fence, TaskError, TaskId, TaskItem};
use crate::time::Now;

impl NodeState {
    /// Whether several nodes decide on a task.
    pub(super) fn has_register(&self, id: TaskId) -> bool {
        let record = self.tasks.table.record(id);
        record.is_some_and(|record| !record.register_arbiters().is_empty())
    }

    /// Whether they do so already.
    pub(super) fn register_is_open(&self, id: TaskId) -> bool {
        let record = self.tasks.table.record(id);
        self.has_register(id) && record.is_some_and(|record| record.register().is_open())
    }

    /// Names the nodes that decide on a new task, where more than one is wanted: this one, and of the members that are here
    /// and write those that the hash of the task's random bytes and their ids puts first. So tasks are spread over all of them.
    pub(super) fn with_arbiters(
        &self,
        nonce: [u8; 16],
        definition: Definition,
        wanted: usize,
    ) -> Result<Definition, TaskError> {
        if wanted <= 1 {
            return Ok(definition);
        }
        let place = |node: &NodeId| *Hash::of(&[&nonce[..], node.public_key()].concat()).as_bytes();
        let members = self.roster.iter().flat_map(|roster| roster.members());
        let writers = members.filter(|(_, chain)| chain.body().role.offers());
        let here = writers.map(|(node, _)| node);
        let mut here: Vec<NodeId> = here
            .filter(|node| *node != self.me && !self.presence.is_away(*node))
            .collect();
        here.sort_by_key(place);
        here.insert(0, self.me);
        if here.len() < wanted {
            let here = here.len();
            return Err(TaskError::TooFewHere { wanted, here });
        }
        here.truncate(wanted);
        let arbiters = here;
        let definition = Definition {
            arbiters,
            ..definition
        };
        definition.check()?;
        Ok(definition)
    }

    /// The fence of the latest grant before something is said of a register.
    pub(super) fn fence_before(&self, item: &TaskItem) -> Option<Fence> {
        let TaskItem::Register { task, .. } = item else {
            return None;
        };
        let grant = self.tasks.table.record(*task)?.latest_grant()?;
        Some(grant.fence)
    }

    /// Something was said of a register: whether a majority has granted the task by that.
    pub(super) fn register_changed(&mut self, now: Now, id: TaskId, before: Option<Fence>) {
        let record = self.tasks.table.record(id);
        let grant = record.and_then(|record| record.latest_grant());
        let news = grant.filter(|grant| Some(grant.fence) != before);
        if let Some((claim, fence)) = news.map(|grant| (grant.claim, grant.fence)) {
            self.granted(now, id, claim, fence);
        }
    }

    /// What this node said of a register came to nothing, as where its epoch was taken from it in between: it says it anew, but
    /// not at once, so that nothing can go round in circles.
    pub(super) fn register_word_was_void(&mut self, now: Now, id: TaskId) {
        self.attempt_failed(id);
        self.tasks.undecided.insert(id, now.monotonic + RETRY_AFTER);
    }

    /// Whoever has waited too long is told which arbiters are missing, and what may have become of it.
    pub(super) fn give_up_register(&mut self, now: Now, waiting: Waiting) {
        let task = waiting.task;
        let opens = |item: &TaskItem| {
            let TaskItem::Register { word, .. } = item else {
                return false;
            };
            matches!(word, RegisterWord::Opened { .. })
        };
        if self.tasks.deciding.get(&task).is_some_and(opens) {
            let until = now.monotonic + RETRY_AFTER;
            return self.tasks.waiting.push(Waiting { until, ..waiting });
        }
        let held = self.tasks.table.task(task);
        let held = held.filter(|_| matches!(waiting.awaited, Awaited::Granted { .. }));
        if let Some((holder, _)) = held.as_ref().and_then(|task| task.held()) {
            let (agent, node) = (holder.agent.clone(), holder.node);
            let held = TaskError::Held { agent, node };
            self.answer_task(waiting.request, Err(held));
            return self.arbitrate(now, task);
        }
        let silent = self.silent_arbiters(task);
        let outcome = match &waiting.awaited {
            Awaited::Opened => {
                // Where the log takes nothing it opens late, and may be cancelled then.
                let _ = self.append_task(now, &TaskItem::Cancelled { task });
                "the task is not created"
            }
            Awaited::Granted { .. } => {
                "nothing is granted without a majority; if one turns up that had accepted it, the task is given back"
            }
            Awaited::Completed { .. } => {
                "the result is kept, and counts if nobody else has been granted the task when a majority answers"
            }
            Awaited::Extended { .. } => {
                "the lease may run out; what was said is kept, and counts if nobody else has been granted the task"
            }
            _ => "it may have been accepted or not; look with task_list",
        };
        let record = self.tasks.table.record(task);
        let of = record.map_or(0, |record| record.register_arbiters().len());
        let error = TaskError::NoMajority {
            silent,
            of,
            outcome,
        };
        self.answer_task(waiting.request, Err(error));
        // What nobody waits for is not tried any longer.
        self.arbitrate(now, task);
    }
}
