//! Messages between agents: what they say, how they travel in the log, and when they are done with.
//!
//! A *public* message, to everybody or to a topic, is an item of [`Lane::MESSAGES`](crate::log::Lane::MESSAGES), in the
//! clear for every member. A *direct* one is an item of the lane of its recipient's node, sealed to that node's
//! [key](sealing), so that mailboxes keep what they cannot read. The recipient's node says what it has by
//! [receipts](receipt): whoever keeps the entries for it then drops them. What waits unread at a node is divided into
//! [shares](shares), so that no sender crowds out another.
//!
//! Deliberately absent: encryption itself, which needs randomness, and inboxes, which are indexes in a database.

pub mod message;
pub mod receipt;
pub mod sealing;
pub mod shares;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::wire::{CborError, decode_cbor, encode_cbor};
use message::{MessageError, PublicMessage};
use receipt::Receipt;
use sealing::SealedMessage;

/// An item of a direct lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectItem {
    /// A message for an agent of the recipient.
    Sealed(SealedMessage),
    /// What the author of this chain has of others.
    Receipt(Receipt),
}

impl DirectItem {
    /// As an item of the log.
    pub fn encode(&self) -> Bytes {
        encode_cbor(self).into()
    }

    /// Reads an item of a direct lane.
    ///
    /// # Errors
    ///
    /// What is wrong with it; an item of a later version's kind is one.
    pub fn decode(item: &[u8]) -> Result<Self, ItemError> {
        let read: Self = decode_cbor(item)?;
        if let Self::Receipt(receipt) = &read {
            receipt.check()?;
        }
        Ok(read)
    }
}

impl PublicMessage {
    /// As an item of the log.
    pub fn encode(&self) -> Bytes {
        encode_cbor(self).into()
    }

    /// Reads an item of the lane of public messages.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn decode(item: &[u8]) -> Result<Self, ItemError> {
        let read: Self = decode_cbor(item)?;
        read.content.check()?;
        Ok(read)
    }
}

/// Why an item is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// Not CBOR, or of another kind.
    #[error("not an item of this lane: {0}")]
    NotAnItem(#[from] CborError),
    /// A message over its bounds.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A receipt for more chains than one may name.
    #[error("a receipt for {found} chains; at most {limit} are allowed")]
    ReceiptTooLong {
        /// How many.
        found: usize,
        /// The bound.
        limit: usize,
    },
}

#[cfg(test)]
mod tests;
