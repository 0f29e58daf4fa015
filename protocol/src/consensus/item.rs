//! What stands in the lane of decisions.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::proof::Proof;
use super::proposal::Proposal;
use super::vote::Vote;
use crate::wire::{CborError, decode_cbor, encode_cbor};

/// An item of [`Lane::DECISIONS`](crate::log::Lane::DECISIONS).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecisionItem {
    /// Something is to be decided.
    Proposed(Arc<Proposal>),
    /// Somebody has voted.
    Voted(Vote),
    /// It is decided.
    Decided(Arc<Proof>),
}

impl DecisionItem {
    /// As an item of the log.
    pub fn encode(&self) -> Bytes {
        encode_cbor(self).into()
    }

    /// Reads an item, of which nothing is checked but its form.
    ///
    /// # Errors
    ///
    /// What is wrong with it; an item of a later version's kind is one.
    pub fn decode(item: &[u8]) -> Result<Self, ItemError> {
        let read: Self = decode_cbor(item)?;
        match read.encode() == item {
            true => Ok(read),
            false => Err(ItemError::NotCanonical),
        }
    }
}

/// Why an item is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// Not CBOR, or of another kind.
    #[error("not an item of the lane of decisions: {0}")]
    NotAnItem(#[from] CborError),
    /// The same could be said in other bytes.
    #[error("not in the one encoding that items have")]
    NotCanonical,
}
