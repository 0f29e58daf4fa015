//! Receipts: a recipient's node says which entries of direct lanes it has on its own disk.

use serde::{Deserialize, Serialize};

use super::ItemError;
use crate::id::NodeId;
use crate::log::chain_id::EpochId;

/// Chains that one receipt may name.
pub const CHAINS_MAX: usize = 256;

/// What the signer of the entry has of the chains that others wrote for it, from their beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// In order of author and epoch.
    pub received: Vec<Received>,
}

/// One chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Received {
    /// Who wrote it.
    pub author: NodeId,
    /// In which of its epochs.
    pub epoch: EpochId,
    /// The last entry that is there, and with it all before.
    pub sequence: u64,
}

impl Receipt {
    pub(super) fn check(&self) -> Result<(), ItemError> {
        let found = self.received.len();
        match found <= CHAINS_MAX {
            true => Ok(()),
            false => Err(ItemError::ReceiptTooLong {
                found,
                limit: CHAINS_MAX,
            }),
        }
    }
}
