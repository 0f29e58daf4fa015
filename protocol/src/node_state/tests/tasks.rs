//! Tasks between machines: granted once, extended, lost, completed under the fence that stands.

use super::*;
use crate::id::AgentName;
use crate::log::chain_id::Lane;
use crate::node_state::tasks::PATIENCE;
use crate::tasks::table::TASKS_PER_NODE_MAX;
use crate::tasks::{
    Blocker, ClaimId, Definition, Task, TaskError, TaskId, TaskOrder, TaskPhase, Unmet, definition,
};

pub(super) const LEASE: Duration = Duration::from_secs(60);

pub(super) fn agent(name: &str) -> AgentName {
    name.parse().unwrap()
}

pub(super) fn definition(title: &str) -> Definition {
    Definition {
        title: title.to_owned(),
        description: String::new(),
        by: agent("planner"),
        priority: Default::default(),
        after: Vec::new(),
        capabilities: Vec::new(),
        deadline: None,
        lease: u64::try_from(LEASE.as_millis()).unwrap(),
        arbiters: Vec::new(),
    }
}

pub(super) fn claim(task: TaskId, name: &str, number: u8) -> TaskOrder {
    TaskOrder::Claim {
        task,
        claim: ClaimId([number; 16]),
        agent: agent(name),
        capabilities: Vec::new(),
    }
}

pub(super) fn complete(task: TaskId, name: &str) -> TaskOrder {
    TaskOrder::Complete {
        task,
        agent: agent(name),
        fence: None,
        result: "merged".to_owned(),
    }
}

pub(super) type Answer = Result<Arc<Task>, TaskError>;

pub(super) fn answer(outputs: &[Output]) -> Option<Answer> {
    outputs.iter().find_map(|output| match output {
        Output::Reply {
            reply: Reply::Task(answer),
            ..
        } => Some(answer.clone()),
        _ => None,
    })
}

/// Carries everything between the two until both are still, and gives what was answered about tasks on the way.
fn carried(one: &mut Machine, other: &mut Machine, outputs: Vec<(bool, Output)>) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut outputs = outputs;
    while let Some((from_one, output)) = outputs.pop() {
        answers.extend(answer(std::slice::from_ref(&output)));
        let (from, to) = match from_one {
            true => (&mut *one, &mut *other),
            false => (&mut *other, &mut *one),
        };
        let followed = carry(from, to, output);
        outputs.extend(
            followed
                .into_iter()
                .map(|(by_sender, output)| (by_sender == from_one, output)),
        );
    }
    answers
}

fn two() -> (Machine, Machine) {
    let mut desk = Machine::founder(1);
    desk.tell(Input::LogSeed { seed: [1; 32] });
    let mut laptop = Machine::new(2);
    laptop.tell(Input::LogSeed { seed: [2; 32] });
    laptop.join(&mut desk, "laptop");
    link(&mut desk, &mut laptop);
    (desk, laptop)
}

impl Machine {
    pub(super) fn order(&mut self, order: TaskOrder) -> Vec<Output> {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.tell(Input::Task { request, order })
    }
}

/// The machine at which it is ordered is the first.
fn ordered(one: &mut Machine, other: &mut Machine, order: TaskOrder) -> Answer {
    let outputs = one.order(order);
    let outputs = outputs.into_iter().map(|output| (true, output)).collect();
    let mut answers = carried(one, other, outputs);
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

fn created(one: &mut Machine, other: &mut Machine, definition: Definition) -> TaskId {
    let nonce = [one.requests as u8; 16];
    let order = TaskOrder::Create {
        nonce,
        definition,
        arbiters: 1,
    };
    ordered(one, other, order).unwrap().id
}

#[test]
fn a_task_is_created_here_claimed_there_and_completed_once() {
    let (mut desk, mut laptop) = two();
    let task = created(&mut desk, &mut laptop, definition("parser"));
    let held = ordered(&mut laptop, &mut desk, claim(task, "coder", 1)).unwrap();
    let (holder, fence) = held.held().unwrap();
    assert_eq!((holder.node, &holder.agent), (laptop.me(), &agent("coder")));
    assert!(laptop.state.holds_now(laptop.now, task, fence));
    let refused = ordered(&mut desk, &mut laptop, claim(task, "reader", 2));
    assert!(
        matches!(refused, Err(TaskError::Held { .. })),
        "{refused:?}"
    );
    let done = ordered(&mut laptop, &mut desk, complete(task, "coder")).unwrap();
    let TaskPhase::Completed { result, .. } = &done.phase else {
        panic!("{done:?}");
    };
    assert_eq!(result.as_deref(), Some("merged"));
    assert_eq!(desk.state.task(task), laptop.state.task(task));
    let again = ordered(&mut laptop, &mut desk, complete(task, "coder"));
    assert!(again.is_ok(), "{again:?}");
    let refused = ordered(&mut desk, &mut laptop, complete(task, "reader"));
    assert!(
        matches!(refused, Err(TaskError::Over { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_grant_is_on_disk_before_anybody_hears_of_it() {
    let (mut desk, mut laptop) = two();
    let task = created(&mut desk, &mut laptop, definition("parser"));
    let outputs = desk.order(claim(task, "coder", 1));
    let answered = outputs
        .iter()
        .position(|output| matches!(output, Output::Reply { .. }));
    let granted = outputs[..answered.unwrap()]
        .iter()
        .filter(|output| match output {
            Output::Persist(writes) => writes.iter().any(|write| matches!(write, Write::Append(_))),
            _ => false,
        });
    assert_eq!(granted.count(), 2, "{outputs:?}");
}

#[test]
fn without_its_arbiter_a_claim_fails_closed_names_it_and_gives_a_late_grant_back() {
    let (mut desk, mut laptop) = two();
    let task = created(&mut desk, &mut laptop, definition("parser"));
    let lost = laptop.order(claim(task, "coder", 1));
    assert!(answer(&lost).is_none());
    laptop.pass(PATIENCE);
    let told = laptop.tell(Input::Wake);
    let Some(Err(TaskError::Unanswered { arbiter, .. })) = answer(&told) else {
        panic!("{told:?}");
    };
    assert_eq!(arbiter, desk.me());
    // The claim gets through after all, before its withdrawal does.
    let claimed = lost.into_iter().map(|output| (true, output)).collect();
    carried(&mut laptop, &mut desk, claimed);
    let held = desk.state.task(task).unwrap();
    assert!(held.held().is_some(), "{held:?}");
    let withdrawn = told.into_iter().map(|output| (true, output)).collect();
    carried(&mut laptop, &mut desk, withdrawn);
    let known = desk.state.task(task).unwrap();
    assert_eq!(known.phase, TaskPhase::Open, "{known:?}");
    assert_eq!(laptop.state.held_now(laptop.now), []);
}

#[test]
fn a_lease_goes_on_with_its_agents_activity_and_is_taken_over_after_a_lease_and_a_tenth() {
    let (mut desk, mut laptop) = two();
    let task = created(&mut desk, &mut laptop, definition("parser"));
    ordered(&mut laptop, &mut desk, claim(task, "coder", 1)).unwrap();
    for _ in 0..4 {
        desk.pass(LEASE / 2);
        laptop.pass(LEASE / 2);
        let agents = vec![agent("coder")];
        let told = laptop.tell(Input::AgentsActive { agents });
        let told = told.into_iter().map(|output| (true, output)).collect();
        carried(&mut laptop, &mut desk, told);
    }
    let fence = laptop.state.task(task).unwrap().held().unwrap().1;
    assert!(laptop.state.holds_now(laptop.now, task, fence));
    laptop.pass(LEASE);
    desk.pass(LEASE);
    assert!(!laptop.state.holds_now(laptop.now, task, fence));
    let early = ordered(&mut desk, &mut laptop, claim(task, "reader", 2));
    assert!(matches!(early, Err(TaskError::Held { .. })), "{early:?}");
    desk.pass(LEASE / 10);
    let taken = ordered(&mut desk, &mut laptop, claim(task, "reader", 3)).unwrap();
    assert_eq!(taken.held().unwrap().0.node, desk.me());
    let late = ordered(&mut laptop, &mut desk, complete(task, "coder"));
    assert!(matches!(late, Err(TaskError::NotHolder { .. })), "{late:?}");
}

#[test]
fn a_result_that_comes_after_the_task_was_taken_over_does_not_count() {
    let (mut desk, mut laptop) = two();
    let task = created(&mut desk, &mut laptop, definition("parser"));
    ordered(&mut laptop, &mut desk, claim(task, "coder", 1)).unwrap();
    // Cut off, it completes by what it knows, while the arbiter grants the task to another.
    let unheard = laptop.order(complete(task, "coder"));
    assert!(answer(&unheard).is_none());
    desk.pass(LEASE + LEASE / 10);
    let taken = desk.order(claim(task, "reader", 2));
    assert!(answer(&taken).unwrap().is_ok());
    let told = taken.into_iter().map(|output| (false, output));
    let told = told.chain(unheard.into_iter().map(|output| (true, output)));
    let answers = carried(&mut laptop, &mut desk, told.collect());
    let refused = |answer: &Answer| matches!(answer, Err(TaskError::NotHolder { .. }));
    assert!(answers.iter().any(refused), "{answers:?}");
    assert_eq!(laptop.state.task(task), desk.state.task(task));
    assert_eq!(
        desk.state.task(task).unwrap().held().unwrap().0.node,
        desk.me()
    );
}

#[test]
fn an_arbiter_that_started_anew_grants_nothing_until_old_leases_are_over() {
    let (mut desk, mut laptop) = two();
    let task = created(&mut desk, &mut laptop, definition("parser"));
    let entries: Vec<_> = desk
        .records
        .iter()
        .filter_map(|write| match write {
            Write::Append(entry) if entry.chain().lane == Lane::TASKS => Some(entry.clone()),
            _ => None,
        })
        .collect();
    desk.restart();
    desk.tell(Input::Recalled { entries });
    desk.tell(Input::LogSeed { seed: [3; 32] });
    assert_eq!(desk.state.task(task).unwrap().phase, TaskPhase::Open);
    desk.pass(LEASE / 10);
    let refused = answer(&desk.order(claim(task, "coder", 1))).unwrap();
    assert!(
        matches!(refused, Err(TaskError::Waiting { .. })),
        "{refused:?}"
    );
    let new = definition("lexer");
    let nonce = [9; 16];
    let made = desk.order(TaskOrder::Create {
        nonce,
        definition: new,
        arbiters: 1,
    });
    let made = answer(&made).unwrap().unwrap().id;
    assert!(
        answer(&desk.order(claim(made, "coder", 2)))
            .unwrap()
            .is_ok()
    );
    desk.pass(LEASE);
    let refused = answer(&desk.order(claim(task, "coder", 3))).unwrap();
    assert!(
        matches!(refused, Err(TaskError::Waiting { .. })),
        "nobody has said what it may have forgotten: {refused:?}"
    );
    link(&mut desk, &mut laptop);
    assert!(
        answer(&desk.order(claim(task, "coder", 4)))
            .unwrap()
            .is_ok()
    );
}

#[test]
fn a_task_waits_for_those_before_it_and_for_whoever_can_do_it() {
    let (mut desk, mut laptop) = two();
    let first = created(&mut desk, &mut laptop, definition("lexer"));
    let second = Definition {
        after: vec![first],
        capabilities: vec!["Rust".to_owned()],
        ..definition("parser")
    };
    let second = created(&mut desk, &mut laptop, second);
    let able = |number| TaskOrder::Claim {
        task: second,
        claim: ClaimId([number; 16]),
        agent: agent("coder"),
        capabilities: vec!["rust".to_owned()],
    };
    let blocked = ordered(&mut laptop, &mut desk, able(1));
    let unmet = Unmet::NotCompleted;
    let after = vec![Blocker { task: first, unmet }];
    assert_eq!(blocked, Err(TaskError::Blocked { after }));
    ordered(&mut laptop, &mut desk, claim(first, "coder", 2)).unwrap();
    ordered(&mut laptop, &mut desk, complete(first, "coder")).unwrap();
    let unable = ordered(&mut laptop, &mut desk, claim(second, "coder", 3));
    assert!(
        matches!(unable, Err(TaskError::NotCapable { .. })),
        "{unable:?}"
    );
    assert!(ordered(&mut laptop, &mut desk, able(4)).is_ok());
}

#[test]
fn a_task_that_comes_after_a_cancelled_one_says_so_and_what_to_do() {
    let (mut desk, mut laptop) = two();
    let first = created(&mut desk, &mut laptop, definition("lexer"));
    let second = Definition {
        after: vec![first],
        ..definition("parser")
    };
    let second = created(&mut desk, &mut laptop, second);
    let agent = None;
    let cancel = TaskOrder::Cancel { task: first, agent };
    ordered(&mut desk, &mut laptop, cancel).unwrap();
    let blocked = ordered(&mut laptop, &mut desk, claim(second, "coder", 1)).unwrap_err();
    let unmet = Unmet::Cancelled;
    let after = vec![Blocker { task: first, unmet }];
    assert_eq!(blocked, TaskError::Blocked { after });
    assert!(
        blocked.to_string().contains("cancel this task"),
        "{blocked}"
    );
}

#[test]
fn a_task_that_made_room_for_another_is_told_to_be_forgotten_and_leaves_nothing() {
    let mut desk = Machine::founder(1);
    desk.tell(Input::LogSeed { seed: [1; 32] });
    let mut tasks = Vec::new();
    for number in 0..=TASKS_PER_NODE_MAX {
        let mut nonce = [7; 16];
        nonce[..8].copy_from_slice(&number.to_be_bytes());
        let order = TaskOrder::Create {
            nonce,
            definition: definition("x"),
            arbiters: 1,
        };
        let outputs = desk.order(order);
        let made = answer(&outputs).unwrap().unwrap().id;
        if number == 0 {
            assert!(
                answer(&desk.order(claim(made, "coder", 1)))
                    .unwrap()
                    .is_ok()
            );
            assert!(
                answer(&desk.order(complete(made, "coder")))
                    .unwrap()
                    .is_ok()
            );
        }
        tasks.push(made);
        let forgot = outputs.iter().any(|output| match output {
            Output::TasksChanged { forgotten, .. } => forgotten == &[tasks[0]],
            _ => false,
        });
        assert_eq!(forgot, number == TASKS_PER_NODE_MAX, "{number}");
    }
    assert_eq!(desk.state.tasks.kept_of(tasks[0]), 0);
}

#[test]
fn what_is_given_back_or_cancelled_is_so_everywhere() {
    let (mut desk, mut laptop) = two();
    let task = created(&mut desk, &mut laptop, definition("parser"));
    ordered(&mut laptop, &mut desk, claim(task, "coder", 1)).unwrap();
    let release = TaskOrder::Release {
        task,
        agent: agent("coder"),
        fence: None,
    };
    ordered(&mut laptop, &mut desk, release).unwrap();
    assert!(ordered(&mut desk, &mut laptop, claim(task, "reader", 2)).is_ok());
    let cancel = |agent| TaskOrder::Cancel { task, agent };
    let refused = ordered(&mut laptop, &mut desk, cancel(Some(agent("planner"))));
    assert_eq!(refused, Err(TaskError::NotCreator));
    let refused = ordered(&mut desk, &mut laptop, cancel(Some(agent("reader"))));
    assert_eq!(refused, Err(TaskError::NotCreator));
    ordered(&mut desk, &mut laptop, cancel(Some(agent("planner")))).unwrap();
    let refused = ordered(&mut laptop, &mut desk, claim(task, "coder", 3));
    assert_eq!(refused, Err(TaskError::Over { how: "cancelled" }));
}

#[test]
fn an_admin_has_another_node_decide_and_that_one_waits_for_the_lease_it_cannot_know_of() {
    let (mut desk, mut laptop) = two();
    let task = created(&mut laptop, &mut desk, definition("parser"));
    let arbiter = desk.me();
    let reassign = || TaskOrder::Reassign { task, arbiter };
    let refused = ordered(&mut laptop, &mut desk, reassign());
    assert_eq!(refused, Err(TaskError::NotAdmin));
    let held = ordered(&mut laptop, &mut desk, claim(task, "coder", 9)).unwrap();
    let fence = held.held().unwrap().1;
    ordered(&mut desk, &mut laptop, reassign()).unwrap();
    let late = complete(task, "coder");
    let moved = ordered(&mut laptop, &mut desk, late);
    assert!(
        matches!(moved, Err(TaskError::Moved { arbiter: now, .. }) if now == arbiter),
        "{moved:?}"
    );
    let release = TaskOrder::Release {
        task,
        agent: agent("coder"),
        fence: Some(fence),
    };
    ordered(&mut laptop, &mut desk, release).unwrap();
    desk.pass(LEASE / 10);
    let early = ordered(&mut desk, &mut laptop, claim(task, "reader", 1));
    assert!(matches!(early, Err(TaskError::Waiting { .. })), "{early:?}");
    desk.pass(3 * MINUTE);
    let held = ordered(&mut desk, &mut laptop, claim(task, "reader", 2)).unwrap();
    assert_eq!(held.held().unwrap().1.round, 1);
    assert_eq!(laptop.state.task(task), desk.state.task(task));
}

impl Machine {
    /// What is on disk of the lane of tasks.
    fn kept_tasks(&self) -> Vec<Arc<crate::log::entry::Entry>> {
        let entries = self.records.iter().filter_map(|write| match write {
            Write::Append(entry) if entry.chain().lane == Lane::TASKS => Some(entry.clone()),
            _ => None,
        });
        entries.collect()
    }
}

#[test]
fn a_task_that_an_admin_moved_stays_where_it_is_though_the_admin_is_put_out_and_nodes_start_anew() {
    let (mut desk, mut laptop) = two();
    let mut admin = Machine::new(3);
    admin.tell(Input::LogSeed { seed: [3; 32] });
    admin.join_as(&mut desk, "admin", Role::Admin);
    let task = created(&mut laptop, &mut desk, definition("parser"));
    link(&mut desk, &mut admin);
    let arbiter = desk.me();
    let reassign = TaskOrder::Reassign { task, arbiter };
    ordered(&mut admin, &mut desk, reassign).unwrap();
    let subject = admin.me();
    let revoked = desk.ask(|request| Input::Revoke {
        request,
        subject,
        spare_issued_before: None,
    });
    assert!(matches!(revoked, Reply::Revoked(Ok(_))), "{revoked:?}");
    let decides = |machine: &Machine| machine.state.task(task).unwrap().arbiter;
    // The creator was not linked with the admin: it hears of it from the node that the admin named.
    desk.pass(MINUTE);
    laptop.pass(MINUTE);
    laptop.tell(Input::LinkDown { node: arbiter });
    let creator = laptop.me();
    desk.tell(Input::LinkDown { node: creator });
    link(&mut desk, &mut laptop);
    assert!(laptop.state.roster().unwrap().member(subject).is_none());
    assert_eq!(decides(&laptop), arbiter);
    let entries = desk.kept_tasks();
    desk.restart();
    desk.tell(Input::Recalled { entries });
    assert_eq!(decides(&desk), arbiter);
}

#[test]
fn an_agent_that_tells_too_often_how_far_it_is_is_told_to_wait_and_another_is_not() {
    let (mut desk, mut laptop) = two();
    let task = created(&mut desk, &mut laptop, definition("parser"));
    let other = created(&mut desk, &mut laptop, definition("lexer"));
    ordered(&mut laptop, &mut desk, claim(task, "coder", 1)).unwrap();
    ordered(&mut laptop, &mut desk, claim(other, "reader", 2)).unwrap();
    let update = |task, name| TaskOrder::Update {
        task,
        agent: agent(name),
        fence: None,
        percent: None,
        note: Some("at it".to_owned()),
    };
    for _ in 0..60 {
        ordered(&mut laptop, &mut desk, update(task, "coder")).unwrap();
    }
    let refused = ordered(&mut laptop, &mut desk, update(task, "coder"));
    let wait = Duration::from_secs(5);
    let coder = agent("coder");
    assert_eq!(refused, Err(TaskError::TooOften { agent: coder, wait }));
    ordered(&mut laptop, &mut desk, update(other, "reader")).unwrap();
    laptop.pass(wait);
    ordered(&mut laptop, &mut desk, update(task, "coder")).unwrap();
}

#[test]
fn another_result_than_the_one_that_was_told_is_refused_by_name() {
    let (mut desk, mut laptop) = two();
    let task = created(&mut desk, &mut laptop, definition("parser"));
    ordered(&mut laptop, &mut desk, claim(task, "coder", 1)).unwrap();
    ordered(&mut laptop, &mut desk, complete(task, "coder")).unwrap();
    let other = |result: &str| TaskOrder::Complete {
        task,
        agent: agent("coder"),
        fence: None,
        result: result.to_owned(),
    };
    let refused = ordered(&mut laptop, &mut desk, other("reverted"));
    let coder = agent("coder");
    assert_eq!(refused, Err(TaskError::OtherResult { agent: coder }));
    assert!(ordered(&mut laptop, &mut desk, other("")).is_ok());
}

#[test]
fn a_definition_over_its_bounds_is_refused_before_it_is_written() {
    let (mut desk, mut laptop) = two();
    let mut long = definition("x");
    long.title = "x".repeat(definition::TITLE_BYTES_MAX + 1);
    let order = TaskOrder::Create {
        nonce: [1; 16],
        definition: long,
        arbiters: 1,
    };
    let refused = ordered(&mut desk, &mut laptop, order);
    assert!(matches!(refused, Err(TaskError::Item(_))), "{refused:?}");
}

#[test]
fn a_task_that_was_granted_to_somebody_who_had_gone_is_given_back() {
    let (mut desk, mut laptop) = two();
    let task = created(&mut desk, &mut laptop, definition("parser"));
    ordered(&mut laptop, &mut desk, claim(task, "coder", 1)).unwrap();
    let request = RequestId(laptop.requests);
    let told = laptop.tell(Input::TaskUnheard { request });
    let told = told.into_iter().map(|output| (true, output)).collect();
    carried(&mut laptop, &mut desk, told);
    assert_eq!(desk.state.task(task).unwrap().phase, TaskPhase::Open);
    assert!(ordered(&mut desk, &mut laptop, claim(task, "reader", 2)).is_ok());
}
