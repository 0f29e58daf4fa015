//! What entries on disk come to: the table changes, decisions follow, and whoever waits is answered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::leases::OwnLease;
use super::orders::check_open;
use super::{Awaited, NodeState, RETRY_AFTER, Waiting};
use crate::log::entry::Entry;
use crate::tasks::item::Refusal;
use crate::tasks::record::Said;
use crate::tasks::{ClaimId, Fence, Task, TaskError, TaskId, TaskItem};
use crate::time::Now;

/// What came of a wait.
enum Verdict {
    Still,
    Done(Box<Task>),
    Failed(TaskError),
}

impl NodeState {
    /// What was on disk when this run began: for now nothing follows from it but the table.
    pub(in crate::node_state) fn tasks_recalled<'a>(
        &mut self,
        now: Now,
        entries: impl Iterator<Item = &'a Arc<Entry>>,
    ) {
        let mut touched = BTreeSet::new();
        for entry in entries {
            let said = said(entry);
            let items = entry.items().into_iter();
            for item in items.filter_map(|item| TaskItem::decode(&item).ok()) {
                self.note_number(said, &item);
                if let Some(id) = self.apply_task(said, item) {
                    self.watch_task(now.monotonic, id);
                    touched.insert(id);
                }
            }
        }
        // Decided once all is recalled: until then there is no randomness, and the log takes nothing.
        let soon = now.monotonic + RETRY_AFTER;
        self.tasks
            .undecided
            .extend(touched.iter().map(|id| (*id, soon)));
        self.tasks.changed.extend(touched);
        self.publish_tasks();
    }

    /// An entry of the lane of tasks is on disk.
    pub(in crate::node_state) fn tasks_applied(&mut self, now: Now, entry: &Entry) {
        let said = said(entry);
        let (mut touched, mut void) = (BTreeSet::new(), BTreeSet::new());
        for item in entry.items() {
            // One of a later version is kept all the same.
            let Ok(item) = TaskItem::decode(&item) else {
                continue;
            };
            self.note_number(said, &item);
            let told = item.clone();
            // Also where it turns out void, so that it is decided again.
            if said.author == self.me {
                touched.extend(self.decided(&told));
            }
            let before = self.fence_before(&told);
            let Some(id) = self.apply_task(said, item) else {
                if said.author == self.me {
                    void.extend(told.of_register());
                }
                continue;
            };
            self.watch_task(now.monotonic, id);
            match told {
                TaskItem::Granted { claim, fence, .. } => self.granted(now, id, claim, fence),
                TaskItem::Refused { claim, reason, .. } => self.refused(id, claim, reason),
                TaskItem::Register { word, .. } => {
                    self.register_answered(said.author, id, &word);
                    self.register_changed(now, id, before);
                }
                _ => {}
            }
            touched.insert(id);
        }
        self.tasks.changed.extend(&touched);
        for id in touched {
            self.answer_waiting(id);
            match void.contains(&id) {
                true => self.register_word_was_void(now, id),
                false => self.arbitrate(now, id),
            }
        }
    }

    /// A decision of this node is on disk: of which task, if it is one.
    fn decided(&mut self, item: &TaskItem) -> Option<TaskId> {
        let mut deciding = self.tasks.deciding.iter();
        let id = deciding.find_map(|(id, decision)| (decision == item).then_some(*id))?;
        self.tasks.deciding.remove(&id);
        Some(id)
    }

    /// Names the task of which this changes something. What made room for it is forgotten here as in the table.
    fn apply_task(&mut self, said: Said, item: TaskItem) -> Option<TaskId> {
        if !self.is_good(&item) {
            return None;
        }
        let applied = self.tasks.table.apply(said, item);
        if let Some(id) = applied.forgotten {
            self.forget_task(id);
            self.tasks.changed.remove(&id);
            self.tasks.forgotten.push(id);
        }
        applied.changed
    }

    /// Whether what is said holds by itself; who may say it is for the table.
    fn is_good(&self, item: &TaskItem) -> bool {
        let TaskItem::Reassigned(word) = item else {
            return true;
        };
        let roster = self.roster.as_ref();
        roster.is_some_and(|roster| word.proves(roster.mesh, &*self.keys.verifier))
    }

    fn note_number(&mut self, said: Said, item: &TaskItem) {
        if let TaskItem::Granted { fence, .. } = item
            && said.author == self.me
        {
            self.tasks.last_number = self.tasks.last_number.max(fence.number);
        }
    }

    /// A grant has come. One for this node that nobody waits for any more is given back at once.
    pub(super) fn granted(&mut self, now: Now, task: TaskId, claim: ClaimId, fence: Fence) {
        let record = self.tasks.table.record(task);
        let grant = record.and_then(|record| record.latest_grant());
        let Some(grant) = grant.filter(|grant| grant.claim == claim && grant.fence == fence) else {
            return;
        };
        if grant.holder.node != self.me {
            return;
        }
        let waiting = self.tasks.waiting.iter();
        let sent = waiting.clone().find_map(|waiting| match &waiting.awaited {
            Awaited::Granted {
                claim: awaited,
                sent,
                ..
            } if *awaited == claim => Some((waiting.request, *sent)),
            _ => None,
        });
        match sent {
            Some((request, sent)) => {
                let agent = grant.holder.agent.clone();
                let lease = OwnLease::granted(fence, agent, request, sent);
                self.tasks.leases.insert(task, lease);
            }
            None => {
                // Where the log takes nothing the lease runs out by itself.
                let _ = self.append_task(now, &TaskItem::Released { task, fence });
            }
        }
    }

    fn refused(&mut self, task: TaskId, claim: ClaimId, reason: Refusal) {
        let awaits = |waiting: &Waiting| matches!(&waiting.awaited, Awaited::Granted { claim: awaited, .. } if *awaited == claim);
        let Some(place) = self.tasks.waiting.iter().position(awaits) else {
            return;
        };
        let waiting = self.tasks.waiting.swap_remove(place);
        let record = self.tasks.table.record(task);
        let arbiter = record.and_then(|record| record.arbiter());
        let error = match (reason, arbiter) {
            (Refusal::Waiting { milliseconds }, Some((_, arbiter))) => TaskError::Waiting {
                arbiter,
                wait: Duration::from_millis(milliseconds),
            },
            _ => TaskError::Blocked {
                after: self.tasks.table.blocked_by(task),
            },
        };
        self.answer_task(waiting.request, Err(error));
    }

    /// Answers whoever waits for what has come of this task.
    fn answer_waiting(&mut self, id: TaskId) {
        let mut place = 0;
        while let Some(waiting) = self.tasks.waiting.get(place) {
            if waiting.task != id {
                place += 1;
                continue;
            }
            match self.verdict(waiting) {
                Verdict::Still => place += 1,
                Verdict::Done(task) => {
                    let waiting = self.tasks.waiting.swap_remove(place);
                    self.answer_task(waiting.request, Ok(*task));
                }
                Verdict::Failed(error) => {
                    let waiting = self.tasks.waiting.swap_remove(place);
                    self.answer_task(waiting.request, Err(error));
                }
            }
        }
    }

    fn verdict(&self, waiting: &Waiting) -> Verdict {
        let Some(task) = self.tasks.table.task(waiting.task) else {
            return Verdict::Still;
        };
        let record = self.tasks.table.record(waiting.task);
        let latest = record.and_then(|record| record.latest_grant());
        let came = match &waiting.awaited {
            Awaited::Created => true,
            Awaited::Opened => record.is_some_and(|record| record.register().is_open()),
            Awaited::Released { fence } => task.held().is_none_or(|(_, held)| held != *fence),
            Awaited::Cancelled => task.is_over(),
            Awaited::Reassigned { round } => task.round >= *round,
            Awaited::Extended { fence, step } => {
                if check_open(&task).is_ok() && latest.is_some_and(|grant| grant.fence == *fence) {
                    record.is_some_and(|record| record.extended(*fence) >= *step)
                } else {
                    return Verdict::Failed(not_holder(&task, waiting, self));
                }
            }
            Awaited::Completed { fence, agent } => match record
                .and_then(|record| record.completion())
            {
                Some(completion) if completion.fence == *fence => true,
                _ if latest.is_some_and(|grant| grant.fence == *fence) && !task.is_over() => false,
                _ => {
                    let agent = agent.clone();
                    return Verdict::Failed(TaskError::NotHolder { agent });
                }
            },
            Awaited::Granted { claim, seen, .. } => match latest {
                Some(grant) if grant.claim == *claim => true,
                _ if task.is_over() => {
                    let refused = check_open(&task);
                    return refused.err().map_or(Verdict::Still, Verdict::Failed);
                }
                latest if latest.map(|grant| grant.fence) > *seen => {
                    return taken(&task);
                }
                _ => false,
            },
        };
        match came {
            true => Verdict::Done(Box::new(task)),
            false => Verdict::Still,
        }
    }

    /// Whoever has waited too long is told what may have become of it; a claim is withdrawn.
    pub(super) fn give_up_waiting(&mut self, now: Now) {
        let (over, waiting) = std::mem::take(&mut self.tasks.waiting)
            .into_iter()
            .partition(|waiting| waiting.until <= now.monotonic);
        self.tasks.waiting = waiting;
        let over: Vec<Waiting> = over;
        for waiting in over {
            let task = waiting.task;
            if self.has_register(task) {
                self.give_up_register(now, waiting);
                continue;
            }
            let outcome = match &waiting.awaited {
                Awaited::Granted { claim, .. } => {
                    let claim = *claim;
                    // Where this is not taken either, a grant is given back when it comes.
                    let _ = self.append_task(now, &TaskItem::Withdrawn { task, claim });
                    "nobody knows yet whether the task was granted; if it was, it is given back"
                }
                Awaited::Completed { .. } => {
                    "the result is kept, and counts if nobody else has been granted the task when it hears of it"
                }
                Awaited::Extended { .. } => {
                    "the lease may run out; what was said is kept, and counts if nobody else has been granted the task"
                }
                _ => "it may have been written or not; look with task_list",
            };
            let arbiter = self.tasks.table.record(task);
            let arbiter = arbiter.and_then(|record| record.arbiter());
            let arbiter = arbiter.map_or(self.me, |(_, arbiter)| arbiter);
            let error = TaskError::Unanswered {
                arbiter,
                linked: arbiter == self.me || self.links.is_up(arbiter),
                outcome,
            };
            self.answer_task(waiting.request, Err(error));
        }
    }
}

fn said(entry: &Entry) -> Said {
    let chain = entry.chain();
    Said {
        author: chain.author,
        epoch: chain.epoch,
        time: entry.header().time,
    }
}

fn taken(task: &Task) -> Verdict {
    match task.held() {
        Some((holder, _)) => Verdict::Failed(TaskError::Held {
            agent: holder.agent.clone(),
            node: holder.node,
        }),
        // It was somebody else's and is free again: the next claim comes after that.
        None => Verdict::Failed(TaskError::Unanswered {
            arbiter: task.arbiter,
            linked: true,
            outcome: "another agent had the task in between, and it is free again; claim it once more",
        }),
    }
}

fn not_holder(task: &Task, waiting: &Waiting, state: &NodeState) -> TaskError {
    let lease = state.tasks.leases.get(&waiting.task);
    let agent = lease.map_or_else(|| task.definition.by.clone(), |lease| lease.agent.clone());
    TaskError::NotHolder { agent }
}
