//! The log between machines: put in, told, missed, repaired, contradicted.

use bytes::Bytes;

use super::*;
use crate::log::chain_id::{ChainId, Lane};
use crate::log::entry::Entry;
use crate::log::{AppendError, Appended};

impl Machine {
    pub(super) fn seeded(mut self, seed: u8) -> Self {
        self.tell(Input::LogSeed { seed: [seed; 32] });
        self
    }

    fn append(&mut self, lane: Lane, item: &'static str) -> (Appended, Vec<Output>) {
        self.requests += 1;
        let request = RequestId(self.requests);
        let outputs = self.tell(Input::Append {
            request,
            lane,
            items: vec![Bytes::from_static(item.as_bytes())],
        });
        let appended = outputs.iter().find_map(|output| match output {
            Output::Reply {
                reply: Reply::Appended(Ok(appended)),
                ..
            } => Some(*appended),
            _ => None,
        });
        (appended.unwrap(), outputs)
    }

    /// What its disk answers to a question for entries.
    pub(super) fn kept_entries(&self, asked: &EntriesAsked) -> EntriesTold {
        let mut told = EntriesTold::default();
        for range in &asked.ranges {
            for sequence in range.from..=range.to {
                let kept = self.kept_entry(range.chain, sequence);
                let Some(sealed) = kept.map(|entry| entry.sealed().clone()) else {
                    continue;
                };
                match sealed.body {
                    Some(_) => told.entries.push(sealed),
                    None => told.pruned.push(sealed),
                }
            }
        }
        told
    }

    pub(super) fn kept_entry(&self, chain: ChainId, sequence: u64) -> Option<Arc<Entry>> {
        let pruned = self.records.iter().filter_map(|write| match write {
            Write::Prune { chain: of, first } if *of == chain => Some(*first),
            _ => None,
        });
        let first = pruned.max().unwrap_or(1);
        let mut kept = self.entries().into_iter().rev();
        let entry = kept.find(|entry| (entry.chain(), entry.sequence()) == (chain, sequence))?;
        match sequence {
            whole if whole >= first => Some(entry),
            last if last + 1 == first => Some(Arc::new(entry.without_body())),
            _ => None,
        }
    }

    /// Every entry on its disk, in order of arrival.
    fn entries(&self) -> Vec<Arc<Entry>> {
        let appended = self.records.iter().filter_map(|write| match write {
            Write::Append(entry) => Some(entry.clone()),
            _ => None,
        });
        appended.collect()
    }

    fn items(&self) -> Vec<String> {
        let entries = self.entries();
        let items = entries.iter().flat_map(|entry| entry.items());
        items
            .map(|item| String::from_utf8(item.to_vec()).unwrap())
            .collect()
    }
}

fn two_linked() -> (Machine, Machine) {
    let mut desk = Machine::founder(1).seeded(1);
    let mut laptop = Machine::new(2).seeded(2);
    laptop.join(&mut desk, "laptop");
    link(&mut desk, &mut laptop);
    (desk, laptop)
}

fn by(from_first: bool, outputs: Vec<Output>) -> Vec<(bool, Output)> {
    outputs
        .into_iter()
        .map(|output| (from_first, output))
        .collect()
}

#[test]
fn what_is_put_in_is_on_disk_before_it_is_answered_applied_and_told() {
    let mut desk = Machine::founder(1).seeded(1);
    let (appended, outputs) = desk.append(Lane::MESSAGES, "hello");
    assert_eq!((appended.sequence, appended.first), (1, 0));
    let place = |wanted: fn(&Output) -> bool| outputs.iter().position(wanted).unwrap();
    let persisted = place(|output| matches!(output, Output::Persist(_)));
    let applied = place(|output| matches!(output, Output::Applied(_)));
    let answered = place(|output| matches!(output, Output::Reply { .. }));
    let told = outputs
        .iter()
        .rposition(|output| matches!(output, Output::Publish(_)));
    assert!(persisted < applied && applied < answered && answered < told.unwrap());
}

#[test]
fn what_is_handed_in_together_is_one_entry_and_one_write() {
    let mut desk = Machine::founder(1).seeded(1);
    for number in 1..=300 {
        let input = Input::Append {
            request: RequestId(number),
            lane: Lane::TASKS,
            items: vec![Bytes::from_static(b"x")],
        };
        desk.state.handle(desk.now, input);
    }
    let outputs = desk.tell(Input::Wake);
    let answered: Vec<(u64, u16)> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Reply {
                reply: Reply::Appended(Ok(appended)),
                ..
            } => Some((appended.sequence, appended.first)),
            _ => None,
        })
        .collect();
    assert_eq!(answered.len(), 300);
    assert_eq!((answered[255], answered[256]), ((1, 255), (2, 0)));
    let appends = |output: &&Output| match output {
        Output::Persist(writes) => writes.iter().any(|write| matches!(write, Write::Append(_))),
        _ => false,
    };
    assert_eq!(outputs.iter().filter(appends).count(), 1);
}

#[test]
fn whoever_may_not_or_cannot_write_is_told_why() {
    let mut alone = Machine::new(1).seeded(1);
    let items = || vec![Bytes::from_static(b"x")];
    let append = |lane| {
        move |request| Input::Append {
            request,
            lane,
            items: items(),
        }
    };
    let refused = |reply| match reply {
        Reply::Appended(Err(refused)) => refused,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(alone.ask(append(Lane::TASKS))), AppendError::NoMesh);
    let mut unseeded = Machine::founder(1);
    assert_eq!(
        refused(unseeded.ask(append(Lane::TASKS))),
        AppendError::NotOpen
    );
    let mut desk = Machine::founder(1).seeded(1);
    let stranger = Lane::Direct(NodeId::from_public_key([7; 32]));
    assert_eq!(
        refused(desk.ask(append(stranger))),
        AppendError::NoSuchRecipient
    );
    let mut watcher = Machine::new(2).seeded(2);
    watcher.join_as(&mut desk, "watcher", Role::Observer);
    assert_eq!(
        refused(watcher.ask(append(Lane::TASKS))),
        AppendError::NotAWriter
    );
}

#[test]
fn an_entry_is_gossiped_and_on_disk_at_the_other() {
    let (mut desk, mut laptop) = two_linked();
    let (_, outputs) = desk.append(Lane::MESSAGES, "hello");
    exchange(&mut desk, &mut laptop, by(true, outputs));
    assert_eq!(laptop.items(), ["hello"]);
    assert_eq!(laptop.entries(), desk.entries());
}

#[test]
fn what_gossip_missed_is_pulled_when_frontiers_are_compared() {
    let (mut desk, mut laptop) = two_linked();
    for item in ["one", "two", "three"] {
        desk.append(Lane::MESSAGES, item);
        laptop.append(Lane::TASKS, item);
    }
    desk.pass(10 * crate::log::COMPARE_EVERY);
    laptop.pass(10 * crate::log::COMPARE_EVERY);
    let outputs = desk.tell(Input::Wake);
    exchange(&mut desk, &mut laptop, by(true, outputs));
    for _ in 0..4 {
        desk.pass(crate::log::COMPARE_EVERY);
        laptop.pass(crate::log::COMPARE_EVERY);
        let outputs = desk.tell(Input::Wake);
        exchange(&mut desk, &mut laptop, by(true, outputs));
        let outputs = laptop.tell(Input::Wake);
        exchange(&mut desk, &mut laptop, by(false, outputs));
    }
    assert_eq!(desk.entries().len(), 6);
    assert_eq!(laptop.entries().len(), 6);
}

fn gossip(to: &mut Machine, from: NodeId, outputs: Vec<Output>) -> Vec<Output> {
    let told = outputs.into_iter().filter_map(|output| match output {
        Output::Publish(announcement) => Some(announcement),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let heard = told.into_iter().flat_map(|announcement| {
        to.tell(Input::Gossiped {
            request: RequestId(0),
            from,
            announcement: Announcement::clone(&announcement),
        })
    });
    heard.collect()
}

fn look_ups(machine: &mut Machine, outputs: Vec<Output>) -> Vec<Output> {
    let asked = outputs.into_iter().filter_map(|output| match output {
        Output::LookUp { theirs } => Some(theirs),
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    let answered = asked.into_iter().flat_map(|theirs| {
        let ours = machine.kept_entry(theirs.chain(), theirs.sequence());
        machine.tell(Input::LookedUp { theirs, ours })
    });
    answered.collect()
}

#[test]
fn two_histories_are_evidence_that_stops_the_epoch_and_keeps_what_was_applied() {
    let (mut desk, mut laptop) = two_linked();
    let mut copy = Machine::new(2).seeded(2);
    copy.records = laptop.records.clone();
    copy.restart();
    copy.tell(Input::LogSeed { seed: [2; 32] });
    let (me, from) = (desk.me(), laptop.me());
    let (_, one) = laptop.append(Lane::MESSAGES, "one");
    gossip(&mut desk, from, one);
    let (_, other) = copy.append(Lane::MESSAGES, "other");
    let heard = gossip(&mut desk, from, other);
    let told = look_ups(&mut desk, heard);
    let forks = told.iter().find_map(|output| match output {
        Output::Publish(announcement) => announcement.forks.first(),
        _ => None,
    });
    assert!(forks.is_some(), "everybody is told: {told:?}");
    assert_eq!(desk.items(), ["one"]);
    let (_, next) = laptop.append(Lane::TASKS, "more");
    gossip(&mut desk, from, next);
    assert_eq!(desk.items(), ["one"], "nothing more is taken of that epoch");
    gossip(&mut laptop, me, told);
    let (after, outputs) = laptop.append(Lane::MESSAGES, "new epoch");
    assert_eq!(after.sequence, 1);
    gossip(&mut desk, from, outputs);
    assert_eq!(desk.items(), ["one", "new epoch"]);
    desk.restart();
    let (_, still) = copy.append(Lane::MESSAGES, "still");
    gossip(&mut desk, from, still);
    assert_eq!(desk.items(), ["one", "new epoch"], "evidence is kept");
}

fn meet(one: &mut Machine, other: &mut Machine) {
    let (a, b) = (one.me(), other.me());
    one.tell(Input::LinkDown { node: b });
    other.tell(Input::LinkDown { node: a });
    link(one, other);
    for _ in 0..3 {
        one.pass(crate::log::COMPARE_EVERY);
        other.pass(crate::log::COMPARE_EVERY);
        let outputs = one.tell(Input::Wake);
        exchange(one, other, by(true, outputs));
        let outputs = other.tell(Input::Wake);
        exchange(one, other, by(false, outputs));
    }
}

#[test]
fn an_epoch_goes_on_after_a_clean_stop_that_the_others_confirm() {
    let (mut desk, mut laptop) = two_linked();
    let (first, _) = laptop.append(Lane::TASKS, "one");
    meet(&mut desk, &mut laptop);
    laptop.tell(Input::Stopping {
        request: RequestId(1_000),
    });
    laptop.restart();
    laptop.tell(Input::LogSeed { seed: [9; 32] });
    meet(&mut desk, &mut laptop);
    let (second, _) = laptop.append(Lane::TASKS, "two");
    assert_eq!((second.chain, second.sequence), (first.chain, 2));
    laptop.restart();
    laptop.tell(Input::LogSeed { seed: [10; 32] });
    meet(&mut desk, &mut laptop);
    let (third, _) = laptop.append(Lane::TASKS, "three");
    assert_ne!(
        third.chain.epoch, first.chain.epoch,
        "it did not stop in peace"
    );
}

#[test]
fn an_old_backup_takes_a_new_epoch_and_back_what_it_forgot() {
    let (mut desk, mut laptop) = two_linked();
    laptop.append(Lane::TASKS, "one");
    meet(&mut desk, &mut laptop);
    laptop.tell(Input::Stopping {
        request: RequestId(1_000),
    });
    let backup = laptop.records.clone();
    laptop.restart();
    laptop.tell(Input::LogSeed { seed: [9; 32] });
    meet(&mut desk, &mut laptop);
    laptop.append(Lane::TASKS, "two");
    meet(&mut desk, &mut laptop);
    laptop.records = backup;
    laptop.restart();
    laptop.tell(Input::LogSeed { seed: [10; 32] });
    meet(&mut desk, &mut laptop);
    assert_eq!(laptop.items(), ["one", "two"]);
    let (after, _) = laptop.append(Lane::TASKS, "other");
    assert_eq!(after.sequence, 1, "a new epoch: nothing is used twice");
    meet(&mut desk, &mut laptop);
    assert_eq!(desk.items(), ["one", "two", "other"]);
}

#[test]
fn what_is_too_old_is_dropped_and_a_newcomer_begins_after_it() {
    let (mut desk, mut laptop) = two_linked();
    let (old, _) = desk.append(Lane::MESSAGES, "old");
    desk.append(Lane::MESSAGES, "old too");
    let month = crate::log::retention::KEPT_FOR;
    desk.now.wall = desk.now.wall + month;
    laptop.now.wall = laptop.now.wall + month;
    desk.append(Lane::MESSAGES, "young");
    let outputs = desk.tell(Input::LogSwept(vec![crate::log::retention::Swept {
        chain: old.chain,
        first: 3,
        bytes: 10,
    }]));
    let pruned = |output: &Output| match output {
        Output::Persist(writes) => writes
            .iter()
            .any(|write| matches!(write, Write::Prune { .. })),
        _ => false,
    };
    assert!(outputs.iter().any(pruned));
    meet(&mut desk, &mut laptop);
    assert_eq!(laptop.items(), ["young"]);
    assert_eq!(laptop.state.log.chains.head(old.chain), 3);
}

#[test]
fn whoever_missed_what_is_dropped_elsewhere_keeps_nothing_of_before_either() {
    let (mut desk, mut laptop) = two_linked();
    let (old, _) = desk.append(Lane::MESSAGES, "old");
    meet(&mut desk, &mut laptop);
    assert!(laptop.kept_entry(old.chain, 1).is_some());
    desk.append(Lane::MESSAGES, "missed");
    desk.append(Lane::MESSAGES, "missed too");
    let month = crate::log::retention::KEPT_FOR;
    desk.now.wall = desk.now.wall + month;
    laptop.now.wall = laptop.now.wall + month;
    let (young, _) = desk.append(Lane::MESSAGES, "young");
    desk.tell(Input::LogSwept(vec![crate::log::retention::Swept {
        chain: old.chain,
        first: 4,
        bytes: 10,
    }]));
    meet(&mut desk, &mut laptop);
    let kept = |sequence| laptop.kept_entry(old.chain, sequence);
    assert_eq!(
        [1, 2, 3, 4].map(|n| kept(n).is_some()),
        [false, false, true, true]
    );
    let chain = laptop.state.log.chains.get(young.chain).unwrap();
    assert_eq!((chain.first, chain.head), (4, 4));
    let young = kept(4).unwrap().sealed().len() as u64;
    assert_eq!(chain.bytes, young);
}

#[test]
fn a_direct_entry_is_held_by_its_ends_and_the_mailboxes_alone() {
    let mut desk = Machine::founder(1).seeded(1);
    let mut others: Vec<Machine> = (2..=8).map(Machine::new).collect();
    for (at, other) in others.iter_mut().enumerate() {
        other.join(&mut desk, &format!("node-{at}"));
        link(&mut desk, other);
    }
    let recipient = others[0].me();
    let (_, outputs) = desk.append(Lane::Direct(recipient), "for you alone");
    assert!(
        !outputs
            .iter()
            .any(|output| matches!(output, Output::Publish(told) if !told.entries.is_empty())),
        "a direct entry is never gossiped"
    );
    for other in &mut others {
        meet(&mut desk, other);
    }
    let boxes = crate::log::direct::mailboxes(desk.state.roster().unwrap(), recipient);
    assert_eq!(boxes.len(), 3);
    for other in &others {
        let holds = other.me() == recipient || boxes.contains(&other.me());
        assert_eq!(!other.items().is_empty(), holds, "{:?}", other.me());
    }
}

#[test]
fn an_entry_too_large_for_gossip_is_told_of_and_pulled() {
    let (mut desk, mut laptop) = two_linked();
    let large: &'static str = Box::leak("x".repeat(50_000).into_boxed_str());
    let (_, outputs) = desk.append(Lane::KNOWLEDGE, large);
    exchange(&mut desk, &mut laptop, by(true, outputs));
    let outputs = laptop.tell(Input::Wake);
    exchange(&mut desk, &mut laptop, by(false, outputs));
    assert_eq!(laptop.items(), [large]);
}
