//! Each check fires when it is shown something wrong, and is silent when it is not.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use peerage_protocol::catalog::manifest::{Manifest, ServerManifest, ToolEntry};
use peerage_protocol::catalog::shelf::Shelf;
use peerage_protocol::catalog::snapshot::{Catalog, MemberOffer};
use peerage_protocol::consensus::book::{Book, Carried, Proposals};
use peerage_protocol::consensus::electorate::{Elector, Electorate, Voter};
use peerage_protocol::consensus::proof::Proof;
use peerage_protocol::consensus::proposal::{Choice, PROPOSAL_VERSION, ProposalBody};
use peerage_protocol::consensus::threshold::Threshold;
use peerage_protocol::consensus::vote::Vote;
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::log::chain::Chain;
use peerage_protocol::log::chain_id::{ChainId, EpochId, Lane};
use peerage_protocol::log::entry::{Draft, Entry};
use peerage_protocol::membership::admission::{Refusal, Verdict};
use peerage_protocol::membership::certificate::Role;
use peerage_protocol::membership::issuer::TicketRecord;
use peerage_protocol::membership::ticket::{TicketId, TicketSecret};
use peerage_protocol::messaging::DirectItem;
use peerage_protocol::messaging::receipt::{Receipt, Received};
use peerage_protocol::node_state::{Record, Write};
use peerage_protocol::signature::Ed25519;
use peerage_protocol::tasks::{ClaimId, Fence, Holder, TaskId, TaskItem};
use peerage_protocol::time::Timestamp;

use super::disk::Disk;
use super::letters::{SHARES, WORDS, letter};
use super::process::definition;
use super::tests::plan;
use super::*;
use crate::action::{Action, Attempt, TimedAction};
use crate::checks::names::StableNames;
use crate::checks::records::Records;
use crate::checks::tasks::Tasks;
use crate::checks::{Observation, View};

/// Two nodes that have met, and nothing wrong.
fn world() -> World {
    world_of(&plan(2, 1))
}

fn world_of(plan: &Plan) -> World {
    let mut world = World::new(plan, &Options::default());
    world.begin();
    while let Some((at_us, event)) = world.queue.next() {
        if at_us > 5_000_000 {
            break;
        }
        world.now_us = at_us;
        world.happen(event);
    }
    assert_eq!(world.violation, None);
    world
}

fn violated(world: &World) -> Option<&str> {
    world
        .violation
        .as_ref()
        .map(|violation| violation.check.as_str())
}

/// A catalog in which the second node is said to offer `tool` of `server`.
fn catalog(world: &World, name: &str, server: &str, tool: &str) -> Catalog {
    let entry = ToolEntry {
        name: tool.into(),
        definition: definition(0, 0),
    };
    let server = ServerManifest {
        name: server.parse().unwrap(),
        tools: vec![entry],
        shelf: Shelf::default(),
    };
    let offer = MemberOffer {
        node: world.machines[1].id,
        node_name: name.parse().unwrap(),
        manifest: Arc::new(Manifest::new(vec![server])),
        reachable: true,
        near: true,
    };
    Catalog::build(Vec::new(), vec![offer])
}

fn publish(world: &mut World, catalog: &Catalog) {
    world.observe(&Observation::CatalogPublished { node: 0, catalog });
}

#[test]
fn a_link_to_somebody_who_was_never_admitted_is_seen() {
    let mut world = world();
    let known = world.machines[1].id;
    world.observe(&Observation::LinkOpened {
        node: 0,
        other: known,
    });
    assert_eq!(violated(&world), None);
    let other = NodeId::from_public_key([9; 32]);
    world.observe(&Observation::LinkOpened { node: 0, other });
    assert_eq!(violated(&world), Some("admission"));
}

#[test]
fn a_link_over_an_expired_certificate_is_seen() {
    let mut world = world();
    world.machines[0].skew_ms = 15 * 24 * 60 * 60 * 1_000;
    let other = world.machines[1].id;
    world.observe(&Observation::LinkOpened { node: 0, other });
    assert_eq!(violated(&world), Some("admission"));
}

#[test]
fn a_link_that_outlives_a_certificate_is_seen() {
    let mut world = world();
    let stepped = Observation::Stepped {
        node: 0,
        outputs: 0,
    };
    (0..8).for_each(|_| world.observe(&stepped));
    assert_eq!(violated(&world), None);
    world.machines[0].skew_ms = 15 * 24 * 60 * 60 * 1_000;
    (0..8).for_each(|_| world.observe(&stepped));
    assert_eq!(violated(&world), Some("expiry"));
}

#[test]
fn a_stranger_that_hears_why_it_is_refused_is_seen() {
    let mut world = world();
    let attempt = Attempt::Forged;
    let silent = Verdict::silent(Refusal::Expired);
    world.stranger_answered(0, attempt, &silent);
    assert_eq!(violated(&world), None);
    world.stranger_answered(0, attempt, &Verdict::spoken(Refusal::Expired));
    assert_eq!(violated(&world), Some("admission"));
}

#[test]
fn a_ticket_redeemed_too_often_and_one_that_is_not_on_disk_are_seen() {
    let world = world();
    let issued = world.machines[1]
        .process
        .as_ref()
        .unwrap()
        .roster
        .as_ref()
        .unwrap()
        .own
        .clone();
    let record = TicketRecord {
        id: TicketId([1; 16]),
        secret: TicketSecret([2; 32]),
        expires: issued.body().expires,
        uses: 1,
        role: Role::Member,
        only: Vec::new(),
        lifetime_ms: None,
        redeemed: BTreeMap::new(),
    };
    let mut unwritten = world;
    unwritten.observe(&Observation::Invited {
        node: 0,
        record: &record,
    });
    assert_eq!(violated(&unwritten), Some("promises"));
    let mut twice = self::world();
    twice.truth.invited(record.id, 0, 1);
    for key in [3, 4] {
        twice
            .truth
            .redeemed(record.id, NodeId::from_public_key([key; 32]));
    }
    twice.observe(&Observation::Redeemed {
        node: 0,
        ticket: record.id,
        issued: &issued,
    });
    assert_eq!(violated(&twice), Some("admission"));
}

#[test]
fn a_member_that_forgets_its_mesh_over_a_restart_is_seen() {
    let mut world = world();
    world.observe(&Observation::Booted { node: 1 });
    assert_eq!(violated(&world), None);
    world.machines[1].process.as_mut().unwrap().roster = None;
    world.observe(&Observation::Booted { node: 1 });
    assert_eq!(violated(&world), Some("promises"));
}

/// The epoch of the chains that the tests below make up.
const EPOCH: EpochId = EpochId([1; 16]);

/// The first entry that a node writes to another.
fn direct_entry(world: &World, from: usize, to: usize, item: bytes::Bytes) -> Entry {
    let chain = ChainId {
        author: world.machines[from].id,
        epoch: EPOCH,
        lane: Lane::Direct(world.machines[to].id),
    };
    let draft = Draft {
        chain,
        sequence: 1,
        previous: [0; 32].into(),
        predecessor: None,
        time: Timestamp(1),
        live_from: 1,
    };
    let mesh = MeshId::from_public_key([1; 32]);
    Entry::seal(draft, &[item], mesh, &*world.machines[from].key)
}

/// What node 0 says of the first entry that node 1 wrote to it.
fn receipt(world: &World) -> Entry {
    let received = vec![Received {
        author: world.machines[1].id,
        epoch: EPOCH,
        sequence: 1,
    }];
    let said = DirectItem::Receipt(Receipt { received }).encode();
    direct_entry(world, 0, 0, said)
}

#[test]
fn a_receipt_for_an_entry_that_its_signer_does_not_have_is_seen() {
    let mut world = world();
    let entry = &receipt(&world);
    world.observe(&Observation::Applied { node: 0, entry });
    assert_eq!(violated(&world), Some("receipts"));
}

#[test]
fn a_receipt_that_comes_back_to_a_node_put_back_to_before_it_is_no_fault() {
    let mut world = world();
    let told = direct_entry(&world, 1, 0, bytes::Bytes::from_static(b"x"));
    let mut chain = Chain::new(told.chain());
    (chain.head, chain.head_hash) = (1, told.hash());
    // Written by a node that was killed before it acted on it.
    let writes = vec![
        Write::Append(Arc::new(told)),
        Write::Put(Record::Chain(chain)),
    ];
    world.machines[0].disk.commit(1, writes);
    world.observe(&Observation::Booted { node: 0 });
    world.machines[0].disk = Disk::new(true, true);
    let entry = &receipt(&world);
    world.observe(&Observation::Applied { node: 0, entry });
    assert_ne!(violated(&world), Some("receipts"));
}

/// An entry in which the first node says this of a task.
fn task_entry(world: &World, sequence: u64, item: &TaskItem) -> Arc<Entry> {
    let author = world.machines[0].id;
    let draft = Draft {
        chain: ChainId {
            author,
            epoch: EPOCH,
            lane: Lane::TASKS,
        },
        sequence,
        previous: [1; 32].into(),
        predecessor: None,
        time: Timestamp(1),
        live_from: 1,
    };
    let mesh = MeshId::from_public_key([1; 32]);
    Arc::new(Entry::seal(
        draft,
        &[item.encode()],
        mesh,
        &*world.machines[0].key,
    ))
}

/// What the checks make of the first node's having said this, one after the other.
fn task_findings(world: &World, items: &[TaskItem]) -> Vec<bool> {
    let place = |node| world.place(node);
    let view = View {
        now_us: world.now_us,
        machines: &world.machines,
        truth: &world.truth,
        place: &place,
    };
    let mut tasks = Tasks::default();
    let items = (1..).zip(items);
    let found = items.map(|(sequence, item)| {
        let entry = &*task_entry(world, sequence, item);
        tasks
            .observe(&Observation::Applied { node: 0, entry }, &view)
            .is_err()
    });
    found.collect()
}

const TASK: TaskId = TaskId([7; 16]);

const fn fence(number: u64) -> Fence {
    Fence {
        round: 0,
        number,
        epoch: EPOCH,
    }
}

fn completed(world: &World, number: u64) -> TaskItem {
    TaskItem::Completed {
        task: TASK,
        fence: fence(number),
        holder: worker(world),
        result: [1; 32].into(),
    }
}

fn worker(world: &World) -> Holder {
    Holder {
        node: world.machines[0].id,
        agent: "worker".parse().unwrap(),
    }
}

#[test]
fn a_task_that_is_completed_under_a_second_fence_is_seen() {
    let world = world();
    let items = [completed(&world, 1), completed(&world, 2)];
    assert_eq!(task_findings(&world, &items), [false, true]);
}

#[test]
fn a_result_under_a_fence_that_another_followed_is_seen() {
    let world = world();
    let granted = |number: u64| TaskItem::Granted {
        task: TASK,
        claim: ClaimId([number as u8; 16]),
        holder: worker(&world),
        fence: fence(number),
    };
    let (one, two) = (granted(1), granted(2));
    let items = [one, two, completed(&world, 1)];
    assert_eq!(task_findings(&world, &items), [false, false, true]);
}

#[test]
fn an_author_that_lets_go_what_its_recipient_never_had_is_seen() {
    let mut world = world();
    let (me, other) = (world.machines[0].id, world.machines[1].id);
    let draft = Draft {
        chain: ChainId {
            author: me,
            epoch: EpochId([1; 16]),
            lane: Lane::Direct(other),
        },
        sequence: 2,
        previous: [1; 32].into(),
        predecessor: None,
        time: Timestamp(1),
        live_from: 2,
    };
    let mesh = MeshId::from_public_key([1; 32]);
    let key = world.machines[0].key.clone();
    let entry = Entry::seal(draft, &[bytes::Bytes::from_static(b"x")], mesh, &*key);
    world.observe(&Observation::Applied {
        node: 0,
        entry: &entry,
    });
    assert_eq!(violated(&world), Some("receipts"));
}

#[test]
fn a_private_tool_in_a_catalog_is_seen() {
    let mut world = world();
    let fine = catalog(&world, "node-1", "shared", "tool_0");
    publish(&mut world, &fine);
    assert_eq!(violated(&world), None);
    let private = catalog(&world, "node-1", "private", "tool_0");
    publish(&mut world, &private);
    assert_eq!(violated(&world), Some("audience"));
}

/// The world as it would be if each node were the machine that `owner` says.
fn owned_by<'a>(world: &'a World, owner: &'a dyn Fn(NodeId) -> Option<usize>) -> View<'a> {
    View {
        now_us: world.now_us,
        machines: &world.machines,
        truth: &world.truth,
        place: owner,
    }
}

#[test]
fn a_name_that_comes_to_mean_another_tool_is_seen() {
    let world = world();
    let seen = catalog(&world, "node-1", "shared", "tool_0");
    let seen = Observation::CatalogPublished {
        node: 0,
        catalog: &seen,
    };
    let view = |owner| owned_by(&world, owner);
    let mut check = StableNames::default();
    assert_eq!(check.observe(&seen, &view(&|_| Some(1))), Ok(()));
    assert_eq!(check.observe(&seen, &view(&|_| Some(1))), Ok(()));
    assert!(check.observe(&seen, &view(&|_| Some(0))).is_err());
}

#[test]
fn a_name_whose_holder_left_may_mean_another_tool() {
    let world = world();
    let seen = catalog(&world, "node-1", "shared", "tool_0");
    let seen = Observation::CatalogPublished {
        node: 0,
        catalog: &seen,
    };
    let view = |owner| owned_by(&world, owner);
    let mut check = StableNames::default();
    assert_eq!(check.observe(&seen, &view(&|_| Some(1))), Ok(()));
    let left = Observation::Left { node: 1 };
    assert_eq!(check.observe(&left, &view(&|_| Some(1))), Ok(()));
    assert_eq!(check.observe(&seen, &view(&|_| Some(0))), Ok(()));
}

#[test]
fn a_name_shown_before_its_holders_goodbye_is_heard_is_free() {
    let world = world();
    let seen = catalog(&world, "node-1", "shared", "tool_0");
    let seen = Observation::CatalogPublished {
        node: 0,
        catalog: &seen,
    };
    let view = |owner| owned_by(&world, owner);
    let mut check = StableNames::default();
    let left = Observation::Left { node: 1 };
    assert_eq!(check.observe(&left, &view(&|_| Some(1))), Ok(()));
    // The goodbye is not heard yet.
    assert_eq!(check.observe(&seen, &view(&|_| Some(1))), Ok(()));
    assert_eq!(check.observe(&seen, &view(&|_| Some(0))), Ok(()));
}

#[test]
fn a_member_that_is_known_as_it_was_before_is_seen() {
    let mut plan = plan(2, 1);
    let servers = Vec::new();
    let node = plan.nodes[1].number;
    let action = Action::SetServers { node, servers };
    plan.actions.push(TimedAction {
        at_us: 3_000_000,
        action,
    });
    let (earlier, later) = (world(), world_of(&plan));
    let mut check = Records::default();
    let mut look = |world: &World| {
        let place = |_| Some(1);
        let view = View {
            now_us: world.now_us,
            machines: &world.machines,
            truth: &world.truth,
            place: &place,
        };
        let stepped = Observation::Stepped {
            node: 0,
            outputs: 0,
        };
        let both = [
            check.observe(&stepped, &view),
            check.observe(&stepped, &view),
        ];
        both.into_iter().collect::<Result<Vec<()>, _>>().is_ok()
    };
    assert!(look(&earlier));
    assert!(look(&later));
    assert!(!look(&earlier));
}

#[test]
fn too_many_outputs_from_one_input_are_seen() {
    let mut world = world();
    world.observe(&Observation::Stepped {
        node: 0,
        outputs: 60,
    });
    assert_eq!(violated(&world), None);
    world.observe(&Observation::Stepped {
        node: 0,
        outputs: 10_000,
    });
    assert_eq!(violated(&world), Some("bounds"));
}

#[test]
fn a_world_that_does_not_converge_is_seen() {
    let mut world = world();
    world.check_convergence();
    assert_eq!(violated(&world), None);
    world.machines[1].servers.clear();
    world.check_convergence();
    assert_eq!(violated(&world), Some("convergence"));
}

#[test]
fn a_link_to_somebody_who_is_known_to_be_out_is_seen() {
    let mut world = world();
    let other = world.machines[1].id;
    world.begin_revocation(1, NodeNumber(0));
    while let Some((at_us, event)) = world.queue.next() {
        if at_us > 6_000_000 {
            break;
        }
        world.now_us = at_us;
        world.happen(event);
    }
    assert_eq!(violated(&world), None);
    assert_eq!(world.not_converged(), None);
    world.observe(&Observation::LinkOpened { node: 0, other });
    assert_eq!(violated(&world), Some("revocation"));
}

/// What the first node shows of a proposal of its own to two nodes, with these votes of theirs, and with a decision that
/// is made of them whether or not they suffice.
fn decided(world: &World, votes: &[(usize, u8)]) -> Proposals {
    let mesh = mesh(world);
    let proposer = &world.machines[0];
    let elector = |machine: &Machine| Elector {
        voter: voter(machine.id),
        weight: 1,
    };
    let electors = world.machines.iter().map(elector).collect();
    let body = ProposalBody {
        version: PROPOSAL_VERSION,
        mesh,
        nonce: [0; 16],
        node: proposer.id,
        agent: "agent".parse().unwrap(),
        question: "Which?".to_owned(),
        options: vec!["yes".to_owned()],
        electorate: Electorate::new(1, electors).unwrap(),
        threshold: Threshold::Majority,
        proposed: proposer.wall(world.now_us),
        lifetime: 60,
    };
    let id = body.id();
    let mut book = Book::default();
    let proposal = Arc::new(body.sign(&*proposer.key));
    book.propose(&proposal, mesh, &Ed25519).unwrap();
    for (place, choice) in votes {
        let machine = &world.machines[*place];
        let vote = Vote::sign(mesh, id, voter(machine.id), Choice(*choice), &*machine.key);
        let (by, at) = (machine.id, machine.wall(world.now_us));
        book.vote(vote, Carried { by, at }, mesh, &Ed25519).unwrap();
    }
    let certificate = |node| {
        let place = world.machines.iter().find(|machine| machine.id == node)?;
        let roster = place.process.as_ref()?.roster.as_ref()?;
        Some(roster.own.clone())
    };
    let choice = Choice(votes.first().unwrap().1);
    let ballots = book.proposals()[&id].ballots();
    let proof = Proof::build(&proposal, choice, ballots, certificate).unwrap();
    book.decide(id, &Arc::new(proof));
    book.proposals().clone()
}

fn voter(node: NodeId) -> Voter {
    Voter { node, agent: None }
}

fn mesh(world: &World) -> MeshId {
    let process = world.machines[0].process.as_ref().unwrap();
    process.roster.as_ref().unwrap().mesh
}

fn show(world: &mut World, node: usize, proposals: &Proposals) {
    world.observe(&Observation::ProposalsPublished { node, proposals });
}

#[test]
fn a_decision_without_enough_votes_is_seen() {
    let mut world = world();
    let fine = decided(&world, &[(0, 1), (1, 1)]);
    show(&mut world, 0, &fine);
    show(&mut world, 1, &fine);
    assert_eq!(violated(&world), None);
    let unproved = decided(&world, &[(0, 1)]);
    show(&mut world, 1, &unproved);
    assert_eq!(violated(&world), Some("decisions"));
}

#[test]
fn a_decision_that_another_node_decided_otherwise_is_seen() {
    let mut world = world();
    let yes = decided(&world, &[(0, 1), (1, 1)]);
    let no = decided(&world, &[(0, 0), (1, 0)]);
    show(&mut world, 0, &yes);
    assert_eq!(violated(&world), None);
    show(&mut world, 1, &no);
    assert_eq!(violated(&world), Some("decisions"));
}

fn keep(world: &mut World, node: usize, entry: &Entry) {
    let writes = vec![Write::Append(Arc::new(entry.clone()))];
    world.machines[node].disk.commit(1, writes);
}

#[test]
fn a_direct_message_that_anybody_can_read_is_seen_at_its_author_and_on_any_disk() {
    let mut world = world();
    let words = bytes::Bytes::from_static(WORDS.as_bytes());
    let entry = direct_entry(&world, 0, 1, words.clone());
    keep(&mut world, 0, &entry);
    let entry = &entry;
    world.observe(&Observation::Applied { node: 0, entry });
    assert_eq!(violated(&world), Some("secrecy"));

    let mut world = self::world();
    let entry = direct_entry(&world, 0, 1, words);
    keep(&mut world, 1, &entry);
    world.check_disks();
    assert_eq!(violated(&world), Some("secrecy"));
}

#[test]
fn a_direct_message_that_is_gossiped_is_seen() {
    let mut world = world();
    let entry = direct_entry(&world, 0, 1, bytes::Bytes::from_static(b"hidden"));
    world.entry_sent(0, None, entry.sealed());
    assert_eq!(violated(&world), Some("secrecy"));
}

#[test]
fn more_of_one_sender_in_an_inbox_than_its_share_is_seen() {
    let mut world = world();
    let to = world.machines[1].id;
    let mut sent = 0;
    while violated(&world).is_none() && sent < 100 {
        let entry = direct_entry(&world, 0, 1, letter(to, sent, 45_000));
        keep(&mut world, 1, &entry);
        world.machines[1].disk.inboxes.take(&entry);
        let entry = &entry;
        world.observe(&Observation::Applied { node: 1, entry });
        sent += 1;
    }
    assert_eq!(violated(&world), Some("shares"));
    assert!(sent > SHARES.most / 46_000, "{sent}");
}
