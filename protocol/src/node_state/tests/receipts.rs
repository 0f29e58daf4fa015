//! Receipts for direct entries: told once they are on disk, and whoever kept the entries keeps no more than their end.

use bytes::Bytes;

use super::*;
use crate::log::chain_id::{ChainId, Lane};
use crate::log::entry::Entry;
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
    let sealed = SealedMessage {
        key: KeyId(1),
        number: 1,
        encapsulated: [1; 32],
        ciphertext: vec![1],
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
