//! The log between machines: put in, told, missed, repaired, contradicted.

use bytes::Bytes;

use super::*;
use crate::log::chain_id::{ChainId, Lane};
use crate::log::entry::Entry;
use crate::log::{AppendError, Appended};

impl Machine {
    fn seeded(mut self, seed: u8) -> Self {
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
                told.entries
                    .extend(kept.map(|entry| entry.sealed().clone()));
            }
        }
        told
    }

    pub(super) fn kept_entry(&self, chain: ChainId, sequence: u64) -> Option<Arc<Entry>> {
        let kept = self.entries().into_iter();
        kept.rev()
            .find(|entry| (entry.chain(), entry.sequence()) == (chain, sequence))
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
