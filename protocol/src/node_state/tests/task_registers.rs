//! Tasks on which three machines decide: what goes on with one gone, what fails closed, and who counts again after a restart.

use std::collections::{BTreeSet, VecDeque};

use super::tasks::{Answer, LEASE, agent, answer, claim, complete, definition};
use super::*;
use crate::node_state::tasks::PATIENCE;
use crate::tasks::{TaskError, TaskId, TaskOrder, TaskPhase};

/// Members that are all linked, and those of them that nobody reaches.
struct Mesh {
    machines: Vec<Machine>,
    gone: BTreeSet<usize>,
    /// What waits to be carried: from whom, and what.
    ahead: VecDeque<(usize, Output)>,
}

impl Mesh {
    fn new(members: usize) -> Self {
        let mut machines = vec![Machine::founder(1)];
        for number in 1..members {
            let mut machine = Machine::new(number as u8 + 1);
            machine.join(&mut machines[0], &format!("member-{number}"));
            machines.push(machine);
        }
        for (number, machine) in machines.iter_mut().enumerate() {
            let seed = [number as u8 + 1; 32];
            machine.tell(Input::LogSeed { seed });
        }
        let mut mesh = Self {
            machines,
            gone: BTreeSet::new(),
            ahead: VecDeque::new(),
        };
        // The founder tells each of those that it knows already; so all are known to all after the second time.
        for other in (1..members).chain(1..members) {
            mesh.link(0, other);
            mesh.pass(Duration::from_secs(2));
        }
        for one in 1..members {
            for other in one + 1..members {
                mesh.link(one, other);
            }
        }
        mesh
    }

    fn link(&mut self, one: usize, other: usize) {
        let (node, other_node) = (self.machines[one].me(), self.machines[other].me());
        let up = |node| Input::LinkUp {
            node,
            address: None,
        };
        self.tell(one, up(other_node));
        self.tell(other, up(node));
        self.settle();
    }

    fn is_gone(&self, machine: usize) -> bool {
        self.gone.contains(&machine)
    }

    /// Carries everything until all are still; gives what was answered, by whom.
    fn settle(&mut self) -> Vec<(usize, Answer)> {
        let mut answers = Vec::new();
        while let Some((from, output)) = self.ahead.pop_front() {
            let told = answer(std::slice::from_ref(&output));
            answers.extend(told.map(|told| (from, told)));
            let others = (0..self.machines.len()).filter(|to| *to != from);
            let others: Vec<usize> = others
                .filter(|to| !self.is_gone(*to) && !self.is_gone(from))
                .collect();
            for to in others {
                let [sender, receiver] = self.machines.get_disjoint_mut([from, to]).unwrap();
                let followed = carry(sender, receiver, output.clone());
                let numbered = followed
                    .into_iter()
                    .map(|(by_sender, output)| match by_sender {
                        true => (from, output),
                        false => (to, output),
                    });
                self.ahead.extend(numbered);
                if matches!(output, Output::LookUp { .. }) {
                    break;
                }
            }
        }
        answers
    }

    fn tell(&mut self, machine: usize, input: Input) {
        let outputs = self.machines[machine].tell(input);
        let outputs = outputs.into_iter().map(|output| (machine, output));
        self.ahead.extend(outputs);
    }

    fn begin(&mut self, machine: usize, order: TaskOrder) {
        let outputs = self.machines[machine].order(order);
        let outputs = outputs.into_iter().map(|output| (machine, output));
        self.ahead.extend(outputs);
    }

    /// Time goes by for all, and everybody looks what is due.
    fn pass(&mut self, time: Duration) -> Vec<(usize, Answer)> {
        for machine in 0..self.machines.len() {
            self.machines[machine].pass(time);
        }
        for machine in 0..self.machines.len() {
            self.tell(machine, Input::Wake);
        }
        self.settle()
    }

    fn order(&mut self, machine: usize, order: TaskOrder) -> Answer {
        self.begin(machine, order);
        let mut answers = self.settle();
        for _ in 0..200 {
            if let Some(place) = answers.iter().position(|(by, _)| *by == machine) {
                return answers.remove(place).1;
            }
            answers = self.pass(PATIENCE / 100);
        }
        panic!("no answer");
    }

    fn create(&mut self, machine: usize, arbiters: usize) -> TaskId {
        let order = TaskOrder::Create {
            nonce: [self.machines[machine].requests as u8; 16],
            definition: definition("parser"),
            arbiters,
        };
        self.order(machine, order).unwrap().id
    }

    fn arbiters(&self, task: TaskId) -> BTreeSet<NodeId> {
        let task = self.machines[0].state.task(task).unwrap();
        task.definition.arbiters.into_iter().collect()
    }

    fn cut_off(&mut self, machine: usize) {
        self.gone.insert(machine);
        let node = self.machines[machine].me();
        for other in 0..self.machines.len() {
            if other != machine {
                let other_node = self.machines[other].me();
                self.tell(other, Input::LinkDown { node });
                self.tell(machine, Input::LinkDown { node: other_node });
            }
        }
        self.ahead.retain(|(from, _)| *from != machine);
        self.settle();
    }

    fn reconnect(&mut self, machine: usize) {
        self.gone.remove(&machine);
        for other in 0..self.machines.len() {
            if other != machine && !self.is_gone(other) {
                self.link(machine, other);
            }
        }
    }

    /// It is started anew with what it has on disk, after it was killed; `forgetting` the last entries of tasks.
    fn restart(&mut self, machine: usize, forgetting: usize) {
        let restarted = &mut self.machines[machine];
        let entries = restarted.records.iter().filter_map(|write| match write {
            Write::Append(entry) => Some(entry.clone()),
            _ => None,
        });
        let mut entries: Vec<_> = entries.collect();
        let kept = entries.len() - forgetting;
        entries.truncate(kept);
        restarted.restart();
        restarted.tell(Input::Recalled { entries });
        let seed = [restarted.requests as u8 + 50; 32];
        restarted.tell(Input::LogSeed { seed });
    }

    fn all_agree(&self, task: TaskId) {
        let first = self.machines[0].state.task(task);
        for machine in &self.machines[1..] {
            assert_eq!(machine.state.task(task), first);
        }
    }
}

#[test]
fn three_decide_on_a_task_and_all_see_the_same() {
    let mut mesh = Mesh::new(4);
    let task = mesh.create(0, 3);
    let arbiters = mesh.arbiters(task);
    assert_eq!(arbiters.len(), 3);
    assert!(arbiters.contains(&mesh.machines[0].me()));
    for (machine, number) in [(1, 1), (2, 2), (3, 3)] {
        let answer = mesh.order(machine, claim(task, "coder", number));
        match number {
            1 => assert_eq!(
                answer.unwrap().held().unwrap().0.node,
                mesh.machines[1].me()
            ),
            _ => assert!(matches!(answer, Err(TaskError::Held { .. })), "{answer:?}"),
        }
    }
    mesh.all_agree(task);
    let done = mesh.order(1, complete(task, "coder")).unwrap();
    assert!(
        matches!(&done.phase, TaskPhase::Completed { result: Some(text), .. } if text == "merged")
    );
    mesh.all_agree(task);
    let late = mesh.order(2, claim(task, "coder", 9));
    assert_eq!(late, Err(TaskError::Over { how: "completed" }));
}

#[test]
fn with_one_of_three_gone_claims_go_on_and_with_two_gone_they_fail_closed_and_name_them() {
    let mut mesh = Mesh::new(3);
    let task = mesh.create(0, 3);
    mesh.cut_off(0);
    let held = mesh.order(1, claim(task, "coder", 1)).unwrap();
    let fence = held.held().unwrap().1;
    mesh.cut_off(2);
    let refused = mesh.order(1, complete(task, "coder"));
    let Err(TaskError::NoMajority { silent, of, .. }) = refused else {
        panic!("{refused:?}");
    };
    let gone = BTreeSet::from([mesh.machines[0].me(), mesh.machines[2].me()]);
    assert_eq!((silent.into_iter().collect(), of), (gone, 3));
    // The result is kept, and counts once a majority answers.
    mesh.reconnect(2);
    let done = mesh.machines[1].state.task(task).unwrap();
    assert!(
        matches!(done.phase, TaskPhase::Completed { fence: under, .. } if under == fence),
        "{done:?}"
    );
    mesh.reconnect(0);
    mesh.all_agree(task);
}

#[test]
fn a_claim_that_was_given_up_leaves_nobody_with_the_task() {
    let mut mesh = Mesh::new(3);
    let task = mesh.create(0, 3);
    mesh.cut_off(1);
    let refused = mesh.order(1, claim(task, "coder", 1));
    assert!(
        matches!(refused, Err(TaskError::NoMajority { .. })),
        "{refused:?}"
    );
    mesh.reconnect(1);
    assert_eq!(
        mesh.machines[2].state.task(task).unwrap().phase,
        TaskPhase::Open
    );
    let held = mesh.order(2, claim(task, "reader", 2)).unwrap();
    assert_eq!(held.held().unwrap().0.node, mesh.machines[2].me());
    mesh.all_agree(task);
}

#[test]
fn what_was_given_back_is_granted_again_under_a_greater_fence_and_a_cancelled_task_never() {
    let mut mesh = Mesh::new(3);
    let task = mesh.create(0, 3);
    let first = mesh.order(1, claim(task, "coder", 1)).unwrap();
    let (agent, fence) = (agent("coder"), None);
    mesh.order(1, TaskOrder::Release { task, agent, fence })
        .unwrap();
    let second = mesh.order(2, claim(task, "reader", 2)).unwrap();
    assert!(second.held().unwrap().1 > first.held().unwrap().1);
    let late = mesh.order(1, complete(task, "coder"));
    assert!(matches!(late, Err(TaskError::NotHolder { .. })), "{late:?}");
    mesh.order(0, TaskOrder::Cancel { task, agent: None })
        .unwrap();
    mesh.all_agree(task);
    assert_eq!(
        mesh.machines[2].state.task(task).unwrap().phase,
        TaskPhase::Cancelled
    );
    let late = mesh.order(2, complete(task, "reader"));
    assert_eq!(late, Err(TaskError::Over { how: "cancelled" }));
}

#[test]
fn a_lease_is_extended_by_its_agent_and_taken_over_by_whoever_watched_it_for_a_lease_and_a_tenth() {
    let mut mesh = Mesh::new(3);
    let task = mesh.create(0, 3);
    let held = mesh.order(1, claim(task, "coder", 1)).unwrap();
    let fence = held.held().unwrap().1;
    for _ in 0..3 {
        mesh.pass(LEASE / 2);
        let agents = vec![agent("coder")];
        mesh.tell(1, Input::AgentsActive { agents });
        mesh.settle();
    }
    let holder = &mesh.machines[1];
    assert!(holder.state.holds_now(holder.now, task, fence));
    let early = mesh.order(2, claim(task, "reader", 2));
    assert!(matches!(early, Err(TaskError::Held { .. })), "{early:?}");
    mesh.pass(LEASE);
    let holder = &mesh.machines[1];
    assert!(!holder.state.holds_now(holder.now, task, fence));
    let early = mesh.order(2, claim(task, "reader", 3));
    assert!(matches!(early, Err(TaskError::Held { .. })), "{early:?}");
    mesh.pass(LEASE / 10);
    let taken = mesh.order(2, claim(task, "reader", 4)).unwrap();
    assert!(taken.held().unwrap().1 > fence);
    let late = mesh.order(1, complete(task, "coder"));
    assert!(matches!(late, Err(TaskError::NotHolder { .. })), "{late:?}");
}

#[test]
fn two_that_claim_at_once_are_told_of_one_holder() {
    let mut mesh = Mesh::new(3);
    let task = mesh.create(0, 3);
    mesh.begin(1, claim(task, "coder", 1));
    mesh.begin(2, claim(task, "reader", 2));
    let mut answers = mesh.settle();
    while answers.len() < 2 {
        answers.extend(mesh.pass(Duration::from_millis(50)));
    }
    let granted = answers.iter().filter(|(_, answer)| answer.is_ok());
    assert_eq!(granted.count(), 1, "{answers:?}");
    mesh.all_agree(task);
}

#[test]
fn an_arbiter_that_was_killed_answers_again_once_both_others_have_confirmed_its_seat() {
    let mut mesh = Mesh::new(3);
    let task = mesh.create(0, 3);
    mesh.cut_off(1);
    mesh.cut_off(2);
    mesh.restart(2, 0);
    mesh.reconnect(2);
    let refused = mesh.order(0, claim(task, "coder", 1));
    let Err(TaskError::NoMajority { silent, .. }) = refused else {
        panic!("{refused:?}");
    };
    let gone = BTreeSet::from([mesh.machines[1].me(), mesh.machines[2].me()]);
    assert_eq!(silent.into_iter().collect::<BTreeSet<_>>(), gone);
    mesh.reconnect(1);
    let held = mesh.order(0, claim(task, "coder", 2));
    assert!(held.is_ok(), "{held:?}");
    mesh.all_agree(task);
}

#[test]
fn all_may_be_killed_at_once_and_decide_again_on_the_same_task() {
    let mut mesh = Mesh::new(3);
    let task = mesh.create(0, 3);
    let held = mesh.order(1, claim(task, "coder", 1)).unwrap();
    for machine in 0..3 {
        mesh.cut_off(machine);
    }
    for machine in 0..3 {
        mesh.restart(machine, 0);
    }
    for machine in 0..3 {
        mesh.reconnect(machine);
    }
    let done = mesh.order(1, complete(task, "coder")).unwrap();
    let TaskPhase::Completed { fence, .. } = done.phase else {
        panic!("{done:?}");
    };
    assert_eq!(fence, held.held().unwrap().1);
    mesh.all_agree(task);
}

#[test]
fn more_arbiters_than_members_that_are_here_are_refused() {
    let mut mesh = Mesh::new(3);
    let order = |arbiters| TaskOrder::Create {
        nonce: [7; 16],
        definition: definition("parser"),
        arbiters,
    };
    let refused = mesh.order(1, order(5));
    assert_eq!(refused, Err(TaskError::TooFewHere { wanted: 5, here: 3 }));
    let refused = mesh.order(1, order(2));
    assert!(
        matches!(refused, Err(TaskError::Definition(_))),
        "{refused:?}"
    );
}

#[test]
fn a_task_whose_arbiters_do_not_all_take_their_seats_is_not_created() {
    let mut mesh = Mesh::new(3);
    mesh.gone.insert(2);
    let order = TaskOrder::Create {
        nonce: [7; 16],
        definition: definition("parser"),
        arbiters: 3,
    };
    let refused = mesh.order(0, order);
    let Err(TaskError::NoMajority { silent, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(silent, [mesh.machines[2].me()]);
    let left = mesh.machines[1].state.tasks().next().unwrap();
    assert_eq!(left.phase, TaskPhase::Cancelled);
}

#[test]
fn an_arbiter_that_is_killed_before_all_have_taken_their_seats_takes_another_one() {
    let mut mesh = Mesh::new(3);
    mesh.gone.insert(2);
    mesh.begin(
        0,
        TaskOrder::Create {
            nonce: [7; 16],
            definition: definition("parser"),
            arbiters: 3,
        },
    );
    mesh.settle();
    for _ in 0..4 {
        mesh.cut_off(1);
        mesh.restart(1, 0);
        mesh.reconnect(1);
        mesh.pass(Duration::from_secs(1));
    }
    mesh.gone.remove(&2);
    mesh.reconnect(2);
    let task = mesh.machines[0].state.tasks().next().unwrap().id;
    let held = mesh.order(1, claim(task, "coder", 1));
    assert!(held.is_ok(), "{held:?}");
}
