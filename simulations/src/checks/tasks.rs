//! Tasks keep their word: no two nodes have one task at one time, no fence is given twice, no task is completed twice.

use std::collections::BTreeMap;

use peerage_protocol::log::chain_id::Lane;
use peerage_protocol::log::entry::Entry;
use peerage_protocol::tasks::{ClaimId, Fence, Task, TaskId, TaskItem, TaskPhase};

use super::task_registers::Registers;
use super::{Check, Finding, Observation, View};
use crate::world::machine::Machine;

/// What arbiters said, what agents were told, and who has what.
#[derive(Default)]
pub(crate) struct Tasks {
    /// Whoever was last seen to have a task, by its place.
    held: BTreeMap<(TaskId, usize), Fence>,
    granted: BTreeMap<(TaskId, Fence), ClaimId>,
    /// The latest fence that each arbiter gave, by its place.
    stands: BTreeMap<(TaskId, usize), Fence>,
    completed: BTreeMap<TaskId, Fence>,
    told: BTreeMap<TaskId, Fence>,
    registers: Registers,
}

impl Check for Tasks {
    fn name(&self) -> &'static str {
        "tasks"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        match seen {
            Observation::Stepped { node, .. } => self.stepped(*node, view),
            Observation::Applied { node, entry } => self.applied(*node, entry, view),
            Observation::TaskAnswered { node, task } => self.answered(*node, task),
            _ => Ok(()),
        }
    }
}

impl Tasks {
    fn stepped(&mut self, node: usize, view: &View<'_>) -> Result<(), Finding> {
        let machine = &view.machines[node];
        let Some(process) = &machine.process else {
            return Ok(());
        };
        for (task, fence) in process.state.held_now(machine.now(view.now_us)) {
            let mut others = self.held.range((task, 0)..=(task, usize::MAX));
            let also = others.find(|((_, other), fence)| {
                *other != node && has(&view.machines[*other], view.now_us, task, **fence)
            });
            if let Some(((_, other), fence_there)) = also {
                let other = view.called(*other);
                let what = format!(
                    "it has task {task:?} under {fence:?}, and so has {other} under {fence_there:?}"
                );
                return Err(Finding { node, what });
            }
            self.held.insert((task, node), fence);
        }
        Ok(())
    }

    fn applied(&mut self, node: usize, entry: &Entry, view: &View<'_>) -> Result<(), Finding> {
        let chain = entry.chain();
        if chain.lane != Lane::TASKS || chain.author != view.machines[node].id {
            return Ok(());
        }
        let items = entry.items().into_iter();
        for item in items.filter_map(|item| TaskItem::decode(&item).ok()) {
            match item {
                TaskItem::Granted {
                    task, claim, fence, ..
                } => {
                    let before = self.granted.insert((task, fence), claim);
                    if before.is_some_and(|before| before != claim) {
                        let what = format!("it granted task {task:?} under {fence:?} twice");
                        return Err(Finding { node, what });
                    }
                    let stands = self.stands.entry((task, node)).or_insert(fence);
                    *stands = fence.max(*stands);
                }
                TaskItem::Completed { task, fence, .. } => {
                    self.under_the_fence_that_stands(node, task, fence, view)?;
                    once(
                        &mut self.completed,
                        node,
                        task,
                        fence,
                        "accepted a result of",
                    )?;
                }
                TaskItem::Created { nonce, definition } => {
                    let task = TaskId::derive(chain.author, &nonce);
                    self.registers.created(task, definition.arbiters.len());
                }
                TaskItem::Register { task, word } => {
                    let said = self.registers.said(chain.author, task, word);
                    said.map_err(|what| Finding { node, what })?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// An arbiter that was put back to an old backup may have forgotten what it gave last.
    fn under_the_fence_that_stands(
        &self,
        node: usize,
        task: TaskId,
        fence: Fence,
        view: &View<'_>,
    ) -> Result<(), Finding> {
        let stands = self.stands.get(&(task, node));
        let later = stands.filter(|stands| **stands > fence);
        match later.filter(|_| !view.truth.restored.contains(&node)) {
            None => Ok(()),
            Some(later) => {
                let what = format!(
                    "it accepted a result of task {task:?} under {fence:?}, and had given {later:?}"
                );
                Err(Finding { node, what })
            }
        }
    }

    fn answered(&mut self, node: usize, task: &Task) -> Result<(), Finding> {
        match &task.phase {
            TaskPhase::Completed { fence, .. } => once(
                &mut self.told,
                node,
                task.id,
                *fence,
                "told its agent that it completed",
            ),
            _ => Ok(()),
        }
    }
}

fn once(
    known: &mut BTreeMap<TaskId, Fence>,
    node: usize,
    task: TaskId,
    fence: Fence,
    did: &str,
) -> Result<(), Finding> {
    let first = *known.entry(task).or_insert(fence);
    match first == fence {
        true => Ok(()),
        false => {
            let what = format!("it {did} task {task:?} under {fence:?}, after {first:?}");
            Err(Finding { node, what })
        }
    }
}

/// Whether a node that runs has the task now, by its own clock.
fn has(machine: &Machine, now_us: u64, task: TaskId, fence: Fence) -> bool {
    let process = machine.process.as_ref();
    let process = process.filter(|process| process.stalled.is_none());
    process.is_some_and(|process| {
        let held = process.state.held_now(machine.now(now_us));
        held.contains(&(task, fence))
    })
}
