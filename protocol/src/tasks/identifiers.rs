//! Names of tasks, of claims and of grants.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{AgentName, NodeId};
use crate::log::chain_id::EpochId;

/// Separates the ids of tasks from other hashes.
const TASK_CONTEXT: &[u8] = b"peerage task v1\0";

/// Names a task. It is derived from its creator's key, so that nobody else can create a task of that id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl TaskId {
    /// The task that `creator` made with these random bytes: half of the BLAKE3 hash over both.
    pub fn derive(creator: NodeId, nonce: &[u8; 16]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(TASK_CONTEXT);
        hasher.update(creator.public_key());
        hasher.update(nonce);
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        Self(id)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0[..4]))
    }
}

impl FromStr for TaskId {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        sixteen_bytes(text).map(Self).ok_or(IdentifierError::TaskId)
    }
}

/// Names one attempt to get a task: random, from the claimer's node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimId(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl fmt::Debug for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0[..4]))
    }
}

/// Names a grant. Of two fences of one task the greater is the later: the round first, then the number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fence {
    /// How often an admin has named another arbiter: the creator's node is that of round 0.
    pub round: u32,
    /// Rises with every grant of the arbiter, of whatever task, as far as it remembers.
    pub number: u64,
    /// The arbiter's epoch in the log: an arbiter that forgot what it granted does not grant the same fence again.
    pub epoch: EpochId,
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.round, self.number, self.epoch)
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:?}", self.round, self.number, self.epoch)
    }
}

impl FromStr for Fence {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let mut parts = text.splitn(3, '-');
        let round = parts.next().and_then(|round| round.parse().ok());
        let number = parts.next().and_then(|number| number.parse().ok());
        let epoch = parts.next().and_then(sixteen_bytes);
        match (round, number, epoch) {
            (Some(round), Some(number), Some(epoch)) => Ok(Self {
                round,
                number,
                epoch: EpochId(epoch),
            }),
            _ => Err(IdentifierError::Fence),
        }
    }
}

/// Whoever has a task: an agent, by the word of its node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Holder {
    /// The node that claimed.
    pub node: NodeId,
    /// The agent there.
    pub agent: AgentName,
}

fn sixteen_bytes(text: &str) -> Option<[u8; 16]> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok()?;
    bytes.try_into().ok()
}

/// Why a text names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Not the id of a task.
    #[error("the id of a task is 32 hexadecimal digits, as task_list shows it")]
    TaskId,
    /// Not a fence.
    #[error("a fence is ROUND-NUMBER-EPOCH, as task_claim gave it")]
    Fence,
}
