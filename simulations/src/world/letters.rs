//! Direct messages of a world: sealed by a cipher that hides their words from whoever looks for them, and the inboxes
//! where they wait until their agent reads, which it does now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use bytes::Bytes;
use peerage_protocol::id::{Hash, NodeId};
use peerage_protocol::log::chain_id::Lane;
use peerage_protocol::log::entry::Entry;
use peerage_protocol::messaging::DirectItem;
use peerage_protocol::messaging::message::{
    Content, DirectMessage, LIFETIME, MessageId, Priority, TEXT_BYTES_MAX,
};
use peerage_protocol::messaging::sealing::{MessageKey, SealedMessage, seal};
use peerage_protocol::messaging::shares::{MESSAGE_AROUND_BYTES, Shares};
use peerage_protocol::node_state::Input;
use peerage_protocol::time::Timestamp;

use super::World;
use super::event::Event;
use super::machine::EPOCH_MS;

/// What every direct message says: it must be nowhere but at its ends.
pub(crate) const WORDS: &str = "only its two ends may read this";
/// What may wait unread at a node of a world: so little that a flood fills it.
pub(crate) const SHARES: Shares = Shares {
    all: 4 * 1024 * 1024,
    most: 512 * 1024,
    least: 64 * 1024,
};
/// How long after something has come an agent reads all that waits.
const READ_AFTER_US: u64 = 15_000_000;

/// The inboxes of one node, on its disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inboxes {
    unread: BTreeMap<NodeId, u64>,
}

impl Inboxes {
    /// An entry for the agents of this node is on disk.
    pub(crate) fn take(&mut self, entry: &Entry) {
        for item in entry.items() {
            if let Ok(DirectItem::Sealed(sealed)) = DirectItem::decode(&item) {
                let unread = self.unread.entry(entry.chain().author).or_default();
                *unread += sealed.ciphertext.len() as u64 + MESSAGE_AROUND_BYTES;
            }
        }
    }

    /// Bytes unread, by sender.
    pub(crate) fn unread(&self) -> &BTreeMap<NodeId, u64> {
        &self.unread
    }

    /// The agents have read everything.
    pub(crate) fn read(&mut self) {
        self.unread.clear();
    }
}

impl World {
    /// Looks at what waits in the inboxes of a node, holds whose messages are too many, and has the rest read later.
    pub(crate) fn look_into_inboxes(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        let unread = machine.disk.inboxes.unread();
        let Some(process) = &mut machine.process else {
            return;
        };
        if !unread.is_empty() && !process.reads {
            process.reads = true;
            let boot = process.boot;
            let at_us = self.now_us + READ_AFTER_US;
            self.queue.schedule(at_us, Event::Read { node, boot });
        }
        let held: BTreeSet<NodeId> = SHARES.held(unread, &process.held);
        if held != process.held {
            process.held.clone_from(&held);
            self.tell(node, Input::HoldDirect { authors: held });
        }
    }

    /// The agents of a node read what waits.
    pub(crate) fn read_inboxes(&mut self, node: usize, boot: u32) {
        if self.machines[node].runs(boot) {
            let machine = &mut self.machines[node];
            machine.disk.inboxes.read();
            if let Some(process) = &mut machine.process {
                process.reads = false;
            }
            self.look_into_inboxes(node);
        }
    }
}

/// A message to an agent of `recipient` with about so many bytes, as an item of the log.
pub(crate) fn letter(recipient: NodeId, number: u64, bytes: usize) -> Bytes {
    let mut text = WORDS.to_owned();
    let padding = bytes.min(TEXT_BYTES_MAX - text.len());
    text.extend(std::iter::repeat_n('7', padding));
    let message = DirectMessage {
        to: "reader".parse().unwrap_or_else(|_| unreachable!("a name")),
        content: Content {
            id: MessageId(u128::from(number).to_be_bytes()),
            from: "writer".parse().unwrap_or_else(|_| unreachable!("a name")),
            number,
            sent: Timestamp(EPOCH_MS),
            lifetime: u32::try_from(LIFETIME.as_secs()).unwrap_or(u32::MAX),
            priority: Priority::Normal,
            reply_to: None,
            text,
        },
    };
    let key = MessageKey(*recipient.public_key());
    let sealed = seal(&key, number, &message.encode(), |plain| {
        Ok::<_, Infallible>(([0; 32], hidden(recipient, number, plain)))
    });
    let sealed: SealedMessage = sealed.unwrap_or_else(|never| match never {});
    DirectItem::Sealed(sealed).encode()
}

/// Bytes that show nothing of what they hide, and become it again when they are hidden once more.
fn hidden(recipient: NodeId, number: u64, plain: &[u8]) -> Vec<u8> {
    let pad = Hash::of(&[&recipient.public_key()[..], &number.to_be_bytes()].concat());
    let pad = pad.as_bytes().iter().cycle();
    plain
        .iter()
        .zip(pad)
        .map(|(byte, pad)| byte ^ pad)
        .collect()
}

/// Whether an entry is for the agents of `node`.
pub(crate) fn is_for(node: NodeId, entry: &Entry) -> bool {
    entry.chain().lane == Lane::Direct(node) && entry.chain().author != node
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_letter_hides_its_words_and_its_recipient_finds_them() {
        let recipient = NodeId::from_public_key([3; 32]);
        let item = letter(recipient, 5, 100);
        let words = WORDS.as_bytes();
        assert!(!item.windows(words.len()).any(|part| part == words));
        let DirectItem::Sealed(sealed) = DirectItem::decode(&item).unwrap() else {
            panic!("it is sealed");
        };
        let plain = hidden(recipient, sealed.number, &sealed.ciphertext);
        let message = DirectMessage::decode(&plain).unwrap();
        assert_eq!(message.content.text.len(), WORDS.len() + 100);
    }
}
