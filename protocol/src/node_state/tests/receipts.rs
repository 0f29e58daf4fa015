//! Receipts for direct entries: told once they are on disk, and whoever kept the entries keeps no more than their end.

use bytes::Bytes;

use super::*;
use crate::log::chain_id::{ChainId, Lane};
use crate::log::entry::Entry;
use crate::log::retention::Swept;
use crate::log::{AppendError, LANE_BYTES_MAX};
use crate::messaging::DirectItem;
use crate::messaging::receipt::Receipt;
use crate::messaging::sealing::{KeyId, SealedMessage};

const SECOND: Duration = Duration::from_secs(1);

fn two_linked() -> (Machine, Machine) {
    let (mut desk, mut laptop) = (Machine::founder(1), Machine::new(2));
    for (machine, seed) in [(&mut desk, 1), (&mut laptop, 2)] {
        machine.tell(Input::LogSeed { seed: [seed; 32] });
    }
    laptop.join(&mut desk, "laptop");
    link(&mut desk, &mut laptop);
    (desk, laptop)
}

/// A message of `from` for `to`; the entries that are handed over because of it.
fn send(from: &mut Machine, to: NodeId) -> Vec<Arc<Entry>> {
    send_bytes(from, to, 1)
}

fn send_bytes(from: &mut Machine, to: NodeId, bytes: usize) -> Vec<Arc<Entry>> {
    let sealed = SealedMessage {
        key: KeyId(1),
        number: 1,
        encapsulated: [1; 32],
        ciphertext: vec![1; bytes],
    };
    let items = vec![DirectItem::Sealed(sealed).encode()];
    let lane = Lane::Direct(to);
    let request = RequestId(0);
    let outputs = from.tell(Input::Append {
        request,
        lane,
        items,
    });
    pushed(&outputs, to)
}

fn pushed(outputs: &[Output], whom: NodeId) -> Vec<Arc<Entry>> {
    let each = outputs.iter().filter_map(|output| match output {
        Output::PushEntries { to, entries } if *to == whom => Some(entries.clone()),
        _ => None,
    });
    each.flatten().collect()
}

fn hand_over(from: &mut Machine, to: &mut Machine, entries: Vec<Arc<Entry>>) -> Vec<Output> {
    from.tell(Input::PushAnswered { to: to.me() });
    let from = from.me();
    to.tell(Input::EntriesPushed { from, entries })
}

fn receipts(entries: &[Arc<Entry>]) -> Vec<Receipt> {
    let items = entries.iter().flat_map(|entry| entry.items());
    let read = items.map(|item: Bytes| DirectItem::decode(&item).unwrap());
    read.filter_map(|item| match item {
        DirectItem::Receipt(receipt) => Some(receipt),
        DirectItem::Sealed(_) => None,
    })
    .collect()
}

fn pruned(outputs: &[Output]) -> Vec<(ChainId, u64)> {
    let writes = outputs.iter().filter_map(|output| match output {
        Output::Persist(writes) => Some(writes.clone()),
        _ => None,
    });
    writes
        .flatten()
        .filter_map(|write| match write {
            Write::Prune { chain, first } => Some((chain, first)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_receipt_follows_a_second_later_and_the_author_keeps_the_end_alone() {
    let (mut desk, mut laptop) = two_linked();
    let first = send(&mut desk, laptop.me());
    let second = send(&mut desk, laptop.me());
    assert_eq!((first.len(), second.len()), (1, 1));
    let chain = first[0].chain();
    for entries in [first, second] {
        let outputs = hand_over(&mut desk, &mut laptop, entries);
        assert_eq!(receipts(&pushed(&outputs, desk.me())), []);
    }
    laptop.pass(SECOND);
    let outputs = laptop.tell(Input::Wake);
    assert_eq!(
        pruned(&outputs),
        [(chain, 3)],
        "what is in the inbox is kept there"
    );
    let told = pushed(&outputs, desk.me());
    let receipt = &receipts(&told)[0];
    assert_eq!(receipt.received.len(), 1);
    let received = receipt.received[0];
    assert_eq!((received.author, received.sequence), (desk.me(), 2));
    let outputs = hand_over(&mut laptop, &mut desk, told);
    assert_eq!(pruned(&outputs), [(chain, 3)]);

    let third = send(&mut desk, laptop.me());
    let header = third[0].header();
    assert_eq!((header.sequence, header.live_from), (3, 3));
}

#[test]
fn what_is_sent_after_a_receipt_was_signed_is_kept() {
    let (mut desk, mut laptop) = two_linked();
    let first = send(&mut desk, laptop.me());
    hand_over(&mut desk, &mut laptop, first);
    laptop.pass(SECOND);
    let outputs = laptop.tell(Input::Wake);
    let told = pushed(&outputs, desk.me());
    send(&mut desk, laptop.me());
    let outputs = hand_over(&mut laptop, &mut desk, told);
    assert_eq!(pruned(&outputs), []);
}

#[test]
fn a_recipient_that_was_killed_before_its_receipt_says_it_when_it_is_back() {
    let (mut desk, mut laptop) = two_linked();
    let first = send(&mut desk, laptop.me());
    hand_over(&mut desk, &mut laptop, first);
    laptop.restart();
    laptop.tell(Input::LogSeed { seed: [3; 32] });
    link(&mut desk, &mut laptop);
    laptop.pass(SECOND);
    let outputs = laptop.tell(Input::Wake);
    let told = receipts(&pushed(&outputs, desk.me()));
    assert_eq!(told[0].received[0].sequence, 1);
}

#[test]
fn a_receipt_that_is_answered_by_a_receipt_ends_there() {
    let (mut desk, mut laptop) = two_linked();
    let first = send(&mut desk, laptop.me());
    hand_over(&mut desk, &mut laptop, first);
    laptop.pass(SECOND);
    let outputs = laptop.tell(Input::Wake);
    let told = pushed(&outputs, desk.me());
    hand_over(&mut laptop, &mut desk, told);
    desk.pass(SECOND);
    let outputs = desk.tell(Input::Wake);
    let for_mailboxes = pushed(&outputs, laptop.me());
    let outputs = hand_over(&mut desk, &mut laptop, for_mailboxes);
    assert_eq!(
        pruned(&outputs).len(),
        1,
        "a receipt that was received is not kept either"
    );
    laptop.pass(SECOND);
    let outputs = laptop.tell(Input::Wake);
    assert_eq!(pushed(&outputs, desk.me()), [] as [Arc<Entry>; 0]);
}

fn applied(outputs: &[Output]) -> usize {
    let each = outputs.iter().map(|output| match output {
        Output::Applied(entries) => entries.len(),
        _ => 0,
    });
    each.sum()
}

fn asks_to_compare(outputs: &[Output], whom: NodeId) -> bool {
    outputs
        .iter()
        .any(|output| matches!(output, Output::AskLog { to, .. } if *to == whom))
}

#[test]
fn of_a_held_sender_nothing_is_taken_or_received_until_it_is_freed_and_then_it_is_asked_at_once() {
    let (mut desk, mut laptop) = two_linked();
    let authors = [desk.me()].into();
    laptop.tell(Input::HoldDirect { authors });
    let first = send(&mut desk, laptop.me());
    let chain = first[0].chain();
    let outputs = hand_over(&mut desk, &mut laptop, first.clone());
    assert_eq!(applied(&outputs), 0);
    laptop.pass(SECOND);
    let outputs = laptop.tell(Input::Wake);
    assert_eq!(receipts(&pushed(&outputs, desk.me())), []);
    assert_eq!(laptop.state.log.chains.head(chain), 0);

    laptop.pass(MINUTE);
    laptop.tell(Input::Wake);
    let authors = Default::default();
    let outputs = laptop.tell(Input::HoldDirect { authors });
    assert!(asks_to_compare(&outputs, desk.me()), "{outputs:?}");
    let outputs = hand_over(&mut desk, &mut laptop, first);
    assert_eq!(applied(&outputs), 1);
}

#[test]
fn whoever_holds_one_sender_takes_what_others_send_and_what_that_one_tells_everybody() {
    let (mut desk, mut laptop) = two_linked();
    let authors = [NodeId::from_public_key([9; 32])].into();
    laptop.tell(Input::HoldDirect { authors });
    let first = send(&mut desk, laptop.me());
    let outputs = hand_over(&mut desk, &mut laptop, first);
    assert_eq!(applied(&outputs), 1);
    let authors = [desk.me()].into();
    laptop.tell(Input::HoldDirect { authors });
    let request = RequestId(0);
    let lane = Lane::MESSAGES;
    let items = vec![Bytes::from_static(b"for all")];
    let told = desk.tell(Input::Append {
        request,
        lane,
        items,
    });
    let told = told.into_iter().map(|output| (true, output)).collect();
    exchange(&mut desk, &mut laptop, told);
    let public = laptop.state.log.chains.of_author(desk.me());
    assert!(
        public
            .into_iter()
            .any(|chain| chain.id.lane == lane && chain.head == 1)
    );
}

#[test]
fn who_never_pauses_keeps_no_more_than_what_is_on_its_way() {
    let (mut desk, mut laptop) = two_linked();
    let to = laptop.me();
    let mut chain = None;
    for _ in 0..40 {
        let entries = send_bytes(&mut desk, to, 40_000);
        chain = Some(entries[0].chain());
        hand_over(&mut desk, &mut laptop, entries);
    }
    laptop.pass(SECOND);
    let outputs = laptop.tell(Input::Wake);
    let told = pushed(&outputs, desk.me());
    let later = send_bytes(&mut desk, to, 40_000);
    let outputs = hand_over(&mut laptop, &mut desk, told);
    let sweep = outputs.iter().find_map(|output| match output {
        Output::SweepLog(sweeps) => sweeps.first().copied(),
        _ => None,
    });
    let sweep = sweep.unwrap();
    assert_eq!((Some(sweep.chain), sweep.live_from), (chain, 41));
    desk.tell(Input::LogSwept(vec![Swept {
        chain: sweep.chain,
        first: 41,
        bytes: 40 * 40_000,
    }]));
    let left = desk
        .state
        .log
        .chains
        .lane_bytes(desk.me(), Lane::Direct(to));
    assert!(left < 100_000, "{left}");
    let next = send(&mut desk, to);
    assert_eq!(next[0].header().live_from, 41);
    let _ = later;
}

#[test]
fn who_sends_on_to_a_node_that_takes_no_more_is_refused_by_name_there_and_nowhere_else() {
    let (mut desk, laptop) = two_linked();
    let to = laptop.me();
    let direct = Lane::Direct(to);
    let item = Bytes::from(vec![7; 60 * 1024]);
    let append = |desk: &mut Machine, lane| {
        let items = vec![item.clone()];
        match desk.ask(|request| Input::Append {
            request,
            lane,
            items,
        }) {
            Reply::Appended(appended) => appended,
            other => panic!("no answer: {other:?}"),
        }
    };
    let all = LANE_BYTES_MAX / item.len() as u64;
    let taken = (0..=all).take_while(|_| append(&mut desk, direct).is_ok());
    let taken = taken.count() as u64;
    assert!(taken > all * 9 / 10, "{taken} of {all}");
    let refused = append(&mut desk, direct).unwrap_err();
    assert!(matches!(refused, AppendError::LaneFull { lane, .. } if lane == direct));
    append(&mut desk, Lane::MESSAGES).unwrap();
}
