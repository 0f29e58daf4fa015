//! What this node's agents send sealed, in the clear, until the entry that carries it is written: the sender's own copy
//! goes to disk in the entry's transaction, and needs none of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerage_protocol::id::NodeId;
use peerage_protocol::messaging::message::DirectMessage;
use rusqlite::Connection;

use super::{Addressee, insert};
use crate::store::{Store, StoreError};

/// A copy that waits for its entry.
#[derive(Clone)]
struct Copy {
    author: NodeId,
    to: Addressee,
    message: DirectMessage,
}

/// Copies that wait, by the number of the message; as many as sends are under way.
#[derive(Clone, Default)]
pub(in crate::store) struct Sent(Arc<Mutex<BTreeMap<u64, Copy>>>);

impl Sent {
    fn copies(&self) -> MutexGuard<'_, BTreeMap<u64, Copy>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the sender's copy of the message that a sealed item of `author` carries, where it waits here.
    pub(super) fn keep(
        &self,
        connection: &Connection,
        author: NodeId,
        number: u64,
    ) -> Result<(), StoreError> {
        // It stays here until the sender hears that the entry is written: the transaction may fail.
        let waits = self.copies().get(&number).cloned();
        match waits.filter(|copy| copy.author == author) {
            Some(copy) => insert(connection, author, &copy.to, &copy.message.content),
            None => Ok(()),
        }
    }
}

/// Makes the copy wait for as long as this is held.
#[must_use]
pub struct SentCopy {
    sent: Sent,
    number: u64,
}

impl Drop for SentCopy {
    fn drop(&mut self) {
        self.sent.copies().remove(&self.number);
    }
}

impl Store {
    /// The entry that carries this message of `author`, to an agent of `node`, is about to be written: the sender's
    /// copy is written with it.
    pub fn keep_with_entry(
        &self,
        author: NodeId,
        message: DirectMessage,
        node: NodeId,
    ) -> SentCopy {
        let number = message.content.number;
        let to = Addressee::Agent {
            node,
            agent: message.to.clone(),
        };
        let copy = Copy {
            author,
            to,
            message,
        };
        self.sent.copies().insert(number, copy);
        SentCopy {
            sent: self.sent.clone(),
            number,
        }
    }
}
