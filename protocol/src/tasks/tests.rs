//! What items come to, told by a few nodes and in every order.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::definition::{CAPABILITIES_MAX, LEASE, TITLE_BYTES_MAX};
use super::item::{ItemError, NOTE_BYTES_MAX, RESULT_BYTES_MAX, Refusal};
use super::reassignment::tests::reassignment;
use super::record::Said;
use super::table::{TASKS_PER_NODE_MAX, UNKNOWN_PER_NODE_MAX};
use super::*;
use crate::id::{Hash, NodeId};
use crate::log::chain_id::EpochId;
use crate::messaging::message::Priority;
use crate::time::Timestamp;

const CREATOR: NodeId = NodeId::from_public_key([1; 32]);
const WORKER: NodeId = NodeId::from_public_key([2; 32]);
const OTHER: NodeId = NodeId::from_public_key([3; 32]);
const EPOCH: EpochId = EpochId([9; 16]);

fn said(author: NodeId) -> Said {
    Said {
        author,
        epoch: EPOCH,
        time: Timestamp(1_800_000_000_000),
    }
}

fn definition() -> Definition {
    Definition {
        title: "port the parser".to_owned(),
        description: "keep the tests green".to_owned(),
        by: "planner".parse().unwrap(),
        priority: Priority::High,
        after: vec![TaskId([5; 16])],
        capabilities: vec!["rust".to_owned()],
        deadline: Some(Timestamp(1_800_000_100_000)),
        lease: u64::try_from(LEASE.as_millis()).unwrap(),
        arbiters: Vec::new(),
    }
}

fn task() -> TaskId {
    TaskId::derive(CREATOR, &[7; 16])
}

fn created() -> TaskItem {
    TaskItem::Created {
        nonce: [7; 16],
        definition: definition(),
    }
}

fn fence(round: u32, number: u64) -> Fence {
    Fence {
        round,
        number,
        epoch: EPOCH,
    }
}

fn holder(node: NodeId) -> Holder {
    Holder {
        node,
        agent: "coder".parse().unwrap(),
    }
}

fn granted(fence: Fence, node: NodeId) -> TaskItem {
    TaskItem::Granted {
        task: task(),
        claim: ClaimId([4; 16]),
        holder: holder(node),
        fence,
    }
}

fn finished(fence: Fence, result: &str) -> TaskItem {
    TaskItem::Finished {
        task: task(),
        fence,
        result: result.to_owned(),
    }
}

fn completed(fence: Fence, node: NodeId, result: &str) -> TaskItem {
    TaskItem::Completed {
        task: task(),
        fence,
        holder: holder(node),
        result: Hash::of(result.as_bytes()),
    }
}

/// The seed of an admin's key.
const ADMIN: u8 = 50;

fn admin(seed: u8) -> NodeId {
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    NodeId::from_public_key(key.verifying_key().to_bytes())
}

fn reassigned(seed: u8, arbiter: NodeId) -> TaskItem {
    TaskItem::Reassigned(Box::new(reassignment(seed, task(), 1, arbiter)))
}

fn table(items: &[(Said, TaskItem)]) -> TaskTable {
    let mut table = TaskTable::default();
    for (said, item) in items {
        table.apply(*said, item.clone());
    }
    table
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[test]
fn the_bytes_of_items_are_fixed() {
    let fence = fence(1, 3);
    let items = [
        (
            created(),
            "a16743726561746564a2656e6f6e63655007070707070707070707070707070707",
        ),
        (granted(fence, WORKER), "a1674772616e746564a4647461736b50"),
        (
            TaskItem::Refused {
                task: task(),
                claim: ClaimId([4; 16]),
                reason: Refusal::Waiting { milliseconds: 5 },
            },
            "a16752656675736564a3647461736b50",
        ),
    ];
    for (item, beginning) in items {
        let bytes = hex(&item.encode());
        assert!(bytes.starts_with(beginning), "{bytes}");
        assert_eq!(TaskItem::decode(&item.encode()), Ok(item));
    }
    let all = hex(&Hash::of(
        &every_kind()
            .iter()
            .flat_map(|item| item.encode())
            .collect::<Vec<u8>>(),
    )
    .as_bytes()[..]);
    assert_eq!(all, GOLDEN);
}

/// BLAKE3 over the encodings of [`every_kind`], one after the other.
const GOLDEN: &str = "831131fc716a5b4a0448e2c24ad9d90fc7988d89239fd9328db0f2b131e6495c";

fn every_kind() -> Vec<TaskItem> {
    let (task, claim, fence) = (task(), ClaimId([4; 16]), fence(1, 3));
    vec![
        created(),
        TaskItem::Claimed {
            task,
            claim,
            agent: "coder".parse().unwrap(),
            seen: Some(fence),
        },
        TaskItem::Withdrawn { task, claim },
        granted(fence, WORKER),
        TaskItem::Refused {
            task,
            claim,
            reason: Refusal::Blocked,
        },
        TaskItem::Working {
            task,
            fence,
            step: 2,
            percent: Some(40),
            note: Some("lexer done".to_owned()),
        },
        TaskItem::Extended {
            task,
            fence,
            step: 2,
        },
        TaskItem::Released { task, fence },
        finished(fence, "merged"),
        completed(fence, WORKER, "merged"),
        TaskItem::Cancelled { task },
        reassigned(ADMIN, OTHER),
    ]
}

#[test]
fn ids_and_fences_are_read_back_from_text() {
    assert_eq!(task().to_string().parse(), Ok(task()));
    let fence = fence(2, 17);
    assert_eq!(fence.to_string().parse(), Ok(fence));
    assert!("7".parse::<TaskId>().is_err());
    assert!("1-2".parse::<Fence>().is_err());
    assert_eq!(task().to_string(), "06bab5db75efaebdad164a63bb07e0e2");
}

#[test]
fn every_bound_is_a_named_refusal() {
    let refused = |change: fn(&mut Definition)| {
        let mut definition = definition();
        change(&mut definition);
        definition.check().unwrap_err()
    };
    assert_eq!(
        refused(|one| one.title = "x".repeat(TITLE_BYTES_MAX + 1)),
        DefinitionError::Title {
            found: TITLE_BYTES_MAX + 1
        }
    );
    assert!(matches!(
        refused(|one| one.title.clear()),
        DefinitionError::Title { found: 0 }
    ));
    assert!(matches!(
        refused(|one| one.capabilities = vec!["x".to_owned(); CAPABILITIES_MAX + 1]),
        DefinitionError::Capabilities { .. }
    ));
    assert!(matches!(
        refused(|one| one.capabilities = vec![String::new()]),
        DefinitionError::Capability { found: 0 }
    ));
    assert!(matches!(
        refused(|one| one.lease = 999),
        DefinitionError::Lease { milliseconds: 999 }
    ));
    let long = finished(fence(0, 1), &"x".repeat(RESULT_BYTES_MAX + 1));
    assert!(matches!(
        TaskItem::decode(&long.encode()),
        Err(ItemError::Result { .. })
    ));
    let working = |percent, note: usize| TaskItem::Working {
        task: task(),
        fence: fence(0, 1),
        step: 1,
        percent: Some(percent),
        note: Some("x".repeat(note)),
    };
    assert_eq!(
        working(101, 1).check(),
        Err(ItemError::Percent { found: 101 })
    );
    assert!(matches!(
        working(1, NOTE_BYTES_MAX + 1).check(),
        Err(ItemError::Note { .. })
    ));
}

#[test]
fn nobody_creates_a_task_of_anothers_id() {
    let table = table(&[(said(OTHER), created())]);
    assert_eq!(table.task(task()), None);
}

#[test]
fn a_grant_counts_by_the_arbiter_alone_and_in_its_own_epoch() {
    let mut elsewhere = said(CREATOR);
    elsewhere.epoch = EpochId([8; 16]);
    for speaker in [said(OTHER), said(WORKER), elsewhere] {
        let table = table(&[
            (said(CREATOR), created()),
            (speaker, granted(fence(0, 1), WORKER)),
        ]);
        assert_eq!(table.task(task()).unwrap().phase, TaskPhase::Open);
    }
    let table = table(&[
        (said(CREATOR), created()),
        (said(CREATOR), granted(fence(0, 1), WORKER)),
    ]);
    let task = table.task(task()).unwrap();
    assert_eq!(task.held(), Some((&holder(WORKER), fence(0, 1))));
}

#[test]
fn a_result_under_an_older_fence_is_not_the_one_to_accept() {
    let table = table(&[
        (said(CREATOR), created()),
        (said(CREATOR), granted(fence(0, 1), WORKER)),
        (said(CREATOR), granted(fence(0, 2), OTHER)),
        (said(WORKER), finished(fence(0, 1), "mine")),
    ]);
    assert_eq!(table.record(task()).unwrap().finished(), None);
}

#[test]
fn only_an_admin_names_another_arbiter_and_then_the_old_one_decides_no_more() {
    let word = || reassigned(ADMIN, OTHER);
    let refused = table(&[(said(CREATOR), created()), (said(WORKER), word())]);
    assert_eq!(refused.task(task()).unwrap().arbiter, CREATOR);
    let table = table(&[
        (said(CREATOR), created()),
        (said(admin(ADMIN)), word()),
        (said(OTHER), granted(fence(1, 1), WORKER)),
        (said(CREATOR), granted(fence(0, 9), OTHER)),
    ]);
    let task = table.task(task()).unwrap();
    assert_eq!((task.arbiter, task.round), (OTHER, 1));
    assert_eq!(task.held(), Some((&holder(WORKER), fence(1, 1))));
}

#[test]
fn of_two_arbiters_that_one_admin_names_in_a_round_everybody_takes_the_same() {
    let told = |first: NodeId, then: NodeId| {
        let words = [first, then].map(|arbiter| (said(admin(ADMIN)), reassigned(ADMIN, arbiter)));
        let items = [&[(said(CREATOR), created())], &words[..]].concat();
        table(&items).task(task()).unwrap().arbiter
    };
    assert_eq!(told(WORKER, OTHER), told(OTHER, WORKER));
}

#[test]
fn only_its_creator_cancels_a_task_and_a_completion_outlasts_that() {
    let cancelled = TaskItem::Cancelled { task: task() };
    let by_other = table(&[(said(CREATOR), created()), (said(OTHER), cancelled.clone())]);
    assert_eq!(by_other.task(task()).unwrap().phase, TaskPhase::Open);
    let mut table = table(&[(said(CREATOR), created()), (said(CREATOR), cancelled)]);
    assert_eq!(table.task(task()).unwrap().phase, TaskPhase::Cancelled);
    table.apply(said(CREATOR), completed(fence(0, 1), WORKER, "merged"));
    assert!(table.task(task()).unwrap().is_over());
    assert_ne!(table.task(task()).unwrap().phase, TaskPhase::Cancelled);
}

#[test]
fn what_is_over_makes_room_and_where_nothing_is_no_more_is_taken() {
    let mut table = TaskTable::default();
    let nonce = |number: usize| {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&number.to_be_bytes());
        nonce
    };
    let create = |number| TaskItem::Created {
        nonce: nonce(number),
        definition: definition(),
    };
    for number in 0..TASKS_PER_NODE_MAX {
        assert!(table.apply(said(CREATOR), create(number)).changed.is_some());
    }
    assert!(!table.has_room_for(CREATOR));
    let refused = table.apply(said(CREATOR), create(TASKS_PER_NODE_MAX));
    assert_eq!(refused, Applied::default());
    assert!(table.has_room_for(OTHER));
    let first = TaskId::derive(CREATOR, &nonce(0));
    table.apply(said(CREATOR), TaskItem::Cancelled { task: first });
    assert!(table.has_room_for(CREATOR));
    let applied = table.apply(said(CREATOR), create(TASKS_PER_NODE_MAX));
    assert!(applied.changed.is_some());
    assert_eq!(applied.forgotten, Some(first));
    assert_eq!(table.task(first), None);
    assert_eq!(table.all().count(), TASKS_PER_NODE_MAX);
}

#[test]
fn what_an_open_task_comes_after_is_not_forgotten_to_make_room() {
    let mut table = TaskTable::default();
    let nonce = |number: usize| {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&number.to_be_bytes());
        nonce
    };
    let id = |number| TaskId::derive(CREATOR, &nonce(number));
    let create = |number| TaskItem::Created {
        nonce: nonce(number),
        definition: Definition {
            after: if number == 2 { vec![id(0)] } else { Vec::new() },
            ..definition()
        },
    };
    for number in 0..TASKS_PER_NODE_MAX {
        assert!(table.apply(said(CREATOR), create(number)).changed.is_some());
    }
    for over in [0, 1] {
        table.apply(said(CREATOR), TaskItem::Cancelled { task: id(over) });
    }
    let more = create(TASKS_PER_NODE_MAX);
    assert!(table.apply(said(CREATOR), more).changed.is_some());
    assert!(table.task(id(0)).is_some() && table.task(id(1)).is_none());
    assert!(!table.has_room_for(CREATOR));
}

fn claimed(task: TaskId, number: u16) -> TaskItem {
    let mut claim = [0; 16];
    claim[..2].copy_from_slice(&number.to_be_bytes());
    TaskItem::Claimed {
        task,
        claim: ClaimId(claim),
        agent: "coder".parse().unwrap(),
        seen: None,
    }
}

#[test]
fn claims_that_one_node_makes_up_keep_no_other_node_from_claiming() {
    let mut table = table(&[(said(CREATOR), created())]);
    for number in 0..1_000 {
        table.apply(said(WORKER), claimed(task(), number));
    }
    table.apply(said(OTHER), claimed(task(), 1_000));
    let record = table.record(task()).unwrap();
    let of = |node| {
        record
            .claims()
            .filter(|one| one.holder.node == node)
            .count()
    };
    assert_eq!((of(WORKER), of(OTHER)), (8, 1));
    let last = record
        .claims()
        .filter(|one| one.holder.node == WORKER)
        .last();
    assert_eq!(last.unwrap().id.0[..2], 999u16.to_be_bytes());
}

#[test]
fn ids_that_one_node_makes_up_fill_its_own_part_alone_and_age() {
    let mut table = TaskTable::default();
    let id = |number: u16| {
        let mut id = [1; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        TaskId(id)
    };
    for number in 0..2_000 {
        let applied = table.apply(said(WORKER), claimed(id(number), 1));
        let heard = usize::from(number) < UNKNOWN_PER_NODE_MAX;
        assert_eq!(applied.changed.is_some(), heard, "{number}");
    }
    let of_other = table.apply(said(OTHER), claimed(id(3_000), 1));
    assert!(of_other.changed.is_some());
    let later = Timestamp(said(WORKER).time.0 + 1);
    assert_eq!(table.forget_before(later), []);
    assert!(table.is_empty());
    let again = table.apply(said(WORKER), claimed(id(0), 1));
    assert!(again.changed.is_some());
}

#[test]
fn rounds_that_one_node_makes_up_leave_room_for_an_arbiter_that_is_named_later() {
    let mut table = table(&[(said(CREATOR), created())]);
    for round in 0..200 {
        table.apply(said(OTHER), granted(fence(round, 1), OTHER));
    }
    let late = fence(1, 1);
    table.apply(said(WORKER), granted(late, WORKER));
    for round in 0..200 {
        table.apply(said(OTHER), granted(fence(round, 2), OTHER));
    }
    table.apply(said(admin(ADMIN)), reassigned(ADMIN, WORKER));
    let task = table.task(task()).unwrap();
    assert_eq!(task.held(), Some((&holder(WORKER), late)));
}

/// Everything that a creator, an admin and two holders may say of one task.
fn story() -> Vec<(Said, TaskItem)> {
    let working = |fence, step, percent| TaskItem::Working {
        task: task(),
        fence,
        step,
        percent,
        note: percent.map(|percent| format!("{percent} %")),
    };
    vec![
        (said(CREATOR), created()),
        (said(CREATOR), granted(fence(0, 1), WORKER)),
        (said(WORKER), working(fence(0, 1), 1, Some(10))),
        (said(WORKER), working(fence(0, 1), 2, None)),
        (
            said(CREATOR),
            TaskItem::Extended {
                task: task(),
                fence: fence(0, 1),
                step: 2,
            },
        ),
        (
            said(WORKER),
            TaskItem::Released {
                task: task(),
                fence: fence(0, 1),
            },
        ),
        (said(CREATOR), granted(fence(0, 2), OTHER)),
        (said(admin(ADMIN)), reassigned(ADMIN, WORKER)),
        (said(WORKER), reassigned(ADMIN, WORKER)),
        (said(WORKER), granted(fence(1, 3), WORKER)),
        (said(WORKER), working(fence(1, 3), 1, Some(90))),
        (said(WORKER), finished(fence(1, 3), "merged")),
        (said(WORKER), completed(fence(1, 3), WORKER, "merged")),
    ]
}

proptest! {
    #[test]
    fn the_same_items_in_any_order_come_to_the_same_task(
        order in Just((0..story().len()).collect::<Vec<_>>()).prop_shuffle(),
        told in 1..=story().len(),
        again in 0..story().len(),
    ) {
        let story = &story()[..told];
        let in_order = table(story);
        let mut shuffled: Vec<_> = order.into_iter().filter(|place| *place < told).map(|place| story[place].clone()).collect();
        shuffled.push(story[again % told].clone());
        prop_assert_eq!(table(&shuffled).task(task()), in_order.task(task()));
    }

    #[test]
    fn any_bytes_are_an_item_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = TaskItem::decode(&bytes);
    }

    #[test]
    fn an_item_with_one_byte_changed_never_panics(kind in 0usize..12, place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = every_kind()[kind].encode().to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(item) = TaskItem::decode(&bytes) {
            let mut table = TaskTable::default();
            table.apply(said(CREATOR), item);
        }
    }
}
