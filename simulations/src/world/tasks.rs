//! Agents of a world's nodes race for tasks: orders go in, and what is answered is observed.

use std::sync::Arc;

use peerage_protocol::id::AgentName;
use peerage_protocol::messaging::message::Priority;
use peerage_protocol::node_state::Input;
use peerage_protocol::tasks::{ClaimId, Definition, Task, TaskError, TaskId, TaskOrder};

use super::World;
use super::machine::{Machine, Request};
use crate::action::{RaceNumber, TaskDeed};
use crate::checks::Observation;
use crate::randomness::derive;

impl World {
    /// An agent of a node does something about the task of a race.
    pub(crate) fn do_with_task(&mut self, node: usize, race: RaceNumber, deed: TaskDeed) {
        let Some(agent) = agent() else {
            return;
        };
        let nonce = sixteen(derive(self.plan.seed, &format!("race {}", race.0)));
        let order = match (deed, self.races.get(&race).copied()) {
            (TaskDeed::Create { lease_ms, arbiters }, None) => {
                let id = TaskId::derive(self.machines[node].id, &nonce);
                self.races.insert(race, id);
                TaskOrder::Create {
                    nonce,
                    definition: definition(race, agent, lease_ms),
                    arbiters,
                }
            }
            (TaskDeed::Create { .. }, Some(_)) | (_, None) => return,
            (TaskDeed::Claim, Some(task)) => {
                self.claims += 1;
                let claim = format!("claim {}", self.claims);
                TaskOrder::Claim {
                    task,
                    claim: ClaimId(sixteen(derive(self.plan.seed, &claim))),
                    agent,
                    capabilities: Vec::new(),
                }
            }
            (TaskDeed::Work, Some(_)) => {
                let agents = vec![agent];
                return self.tell(node, Input::AgentsActive { agents });
            }
            (TaskDeed::Release, Some(task)) => TaskOrder::Release {
                task,
                agent,
                fence: None,
            },
            (TaskDeed::Cancel, Some(task)) => TaskOrder::Cancel { task, agent: None },
            (TaskDeed::Complete, Some(task)) => TaskOrder::Complete {
                task,
                agent,
                fence: None,
                result: format!("by {node}"),
            },
        };
        self.ask(node, Request::Task, |request| Input::Task {
            request,
            order,
        });
    }

    /// What an agent was told of its task.
    pub(crate) fn task_answered(&mut self, node: usize, answer: &Result<Arc<Task>, TaskError>) {
        if let Ok(task) = answer {
            self.observe(&Observation::TaskAnswered { node, task });
        }
    }

    /// Where two members take tasks for something else, in a sentence.
    pub(crate) fn tasks_differ(&self) -> Option<String> {
        if self.races.is_empty() {
            return None;
        }
        let mut members = self.machines.iter().filter(|machine| {
            let process = machine.process.as_ref();
            process.is_some_and(|process| process.roster.is_some())
        });
        let first = members.next()?;
        members.find_map(|machine| {
            let each = self.races.iter();
            let mut differ =
                each.filter(|(_, task)| known(first, **task) != known(machine, **task));
            let (race, task) = differ.next()?;
            let (here, there) = (first.plan.number.0, machine.plan.number.0);
            let (ours, theirs) = (known(first, *task), known(machine, *task));
            Some(format!(
                "#{here} takes the task of race {} for {:?}, #{there} for {:?}",
                race.0,
                ours.map(|task| task.phase),
                theirs.map(|task| task.phase)
            ))
        })
    }
}

fn known(machine: &Machine, task: TaskId) -> Option<Task> {
    machine.process.as_ref()?.state.task(task)
}

/// One agent at each node: what two of one node do is their node's word.
fn agent() -> Option<AgentName> {
    "worker".parse().ok()
}

fn definition(race: RaceNumber, by: AgentName, lease_ms: u64) -> Definition {
    Definition {
        title: format!("race {}", race.0),
        description: String::new(),
        by,
        priority: Priority::Normal,
        after: Vec::new(),
        capabilities: Vec::new(),
        deadline: None,
        lease: lease_ms,
        arbiters: Vec::new(),
    }
}

fn sixteen(bytes: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&bytes[..16]);
    half
}
