//! Items of the lane of tasks: one for everything that can be said of a task.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::definition::{Definition, DefinitionError};
use super::identifiers::{ClaimId, Fence, Holder, TaskId};
use super::reassignment::Reassignment;
use super::register::RegisterWord;
use crate::id::{AgentName, Hash};
use crate::wire::{CborError, decode_cbor, encode_cbor};

/// Bytes of a result.
pub const RESULT_BYTES_MAX: usize = 16 * 1024;
/// Bytes of what a holder says of its progress.
pub const NOTE_BYTES_MAX: usize = 1024;

/// What is said of a task, and by whom it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskItem {
    /// There is a task: its id is derived from the author and `nonce`.
    Created {
        /// 16 random bytes.
        #[serde(with = "serde_bytes")]
        nonce: [u8; 16],
        /// What it asks for.
        definition: Definition,
    },
    /// An agent of the author asks for the task.
    Claimed {
        /// Which task.
        task: TaskId,
        /// This attempt.
        claim: ClaimId,
        /// For whom.
        agent: AgentName,
        /// The latest grant that the author knew of: it claims what comes after that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Fence>,
    },
    /// The author does not want what it claimed any more.
    Withdrawn {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        claim: ClaimId,
    },
    /// By the arbiter: the task is this holder's for one lease.
    Granted {
        /// Which task.
        task: TaskId,
        /// The attempt that is granted.
        claim: ClaimId,
        /// To whom.
        holder: Holder,
        /// Its epoch is that of the chain that this stands in.
        fence: Fence,
    },
    /// By the arbiter: not now.
    Refused {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        claim: ClaimId,
        /// Why.
        reason: Refusal,
    },
    /// By the holder: the agent is at it; the lease is to begin anew.
    Working {
        /// Which task.
        task: TaskId,
        /// Under which fence.
        fence: Fence,
        /// Rises with every sign under this fence, from 1.
        step: u64,
        /// How much is done, 0 to 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
        /// What is done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// By the arbiter: the lease was extended for this sign.
    Extended {
        /// Which task.
        task: TaskId,
        /// Under which fence.
        fence: Fence,
        /// The holder's sign.
        step: u64,
    },
    /// By the holder: it gives the task back.
    Released {
        /// Which task.
        task: TaskId,
        /// Under which fence.
        fence: Fence,
    },
    /// By the holder: it is done, if the fence stands.
    Finished {
        /// Which task.
        task: TaskId,
        /// Under which fence.
        fence: Fence,
        /// What came of it.
        result: String,
    },
    /// By the arbiter: it is done, for ever.
    Completed {
        /// Which task.
        task: TaskId,
        /// Under which fence.
        fence: Fence,
        /// By whom.
        holder: Holder,
        /// The hash of the result.
        result: Hash,
    },
    /// By the creator: nobody is to do it any more.
    Cancelled {
        /// Which task.
        task: TaskId,
    },
    /// By an admin, or by the arbiter that the admin named: another node decides on this task from here on.
    Reassigned(Box<Reassignment>),
    /// By the arbiters of a task that has several, and by whoever wants something of them.
    Register {
        /// Which task.
        task: TaskId,
        /// What.
        word: RegisterWord,
    },
}

/// Why an arbiter does not grant a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// It has lost sight of what it granted, and waits until every old lease is over.
    Waiting {
        /// For how much longer, in milliseconds.
        milliseconds: u64,
    },
    /// A task that is to come first is not completed, as far as the arbiter knows.
    Blocked,
}

impl TaskItem {
    /// As an item of the log.
    pub fn encode(&self) -> Bytes {
        encode_cbor(self).into()
    }

    /// The task of whose register this says something.
    pub fn of_register(&self) -> Option<TaskId> {
        match self {
            Self::Register { task, .. } => Some(*task),
            _ => None,
        }
    }

    /// Reads an item of the lane of tasks.
    ///
    /// # Errors
    ///
    /// What is wrong with it; an item of a later version's kind is one.
    pub fn decode(item: &[u8]) -> Result<Self, ItemError> {
        let read: Self = decode_cbor(item)?;
        read.check()?;
        Ok(read)
    }

    /// Checks the bounds.
    ///
    /// # Errors
    ///
    /// Names the first that is broken.
    pub fn check(&self) -> Result<(), ItemError> {
        match self {
            Self::Created { definition, .. } => definition.check()?,
            Self::Finished { result, .. } if result.len() > RESULT_BYTES_MAX => {
                return Err(ItemError::Result {
                    found: result.len(),
                });
            }
            Self::Working {
                note: Some(note), ..
            } if note.len() > NOTE_BYTES_MAX => {
                return Err(ItemError::Note { found: note.len() });
            }
            Self::Working {
                percent: Some(percent @ 101..),
                ..
            } => return Err(ItemError::Percent { found: *percent }),
            _ => {}
        }
        Ok(())
    }
}

/// Why an item is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// Not CBOR, or of another kind.
    #[error("not an item of the lane of tasks: {0}")]
    NotAnItem(#[from] CborError),
    /// A task over its bounds.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// Too long.
    #[error(
        "the result has {found} bytes; at most {RESULT_BYTES_MAX} are allowed: put more into a file or a resource"
    )]
    Result {
        /// Its length.
        found: usize,
    },
    /// Too long.
    #[error("the note has {found} bytes; at most {NOTE_BYTES_MAX} are allowed")]
    Note {
        /// Its length.
        found: usize,
    },
    /// More than everything.
    #[error("{found} % done; at most 100 are")]
    Percent {
        /// How much.
        found: u8,
    },
}
