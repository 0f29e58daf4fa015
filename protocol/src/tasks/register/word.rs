//! What is said about a task's register, as items of the log.

use serde::{Deserialize, Serialize};

use super::standing::Standing;
use super::{Ballot, Seat};
use crate::id::NodeId;
use crate::log::chain_id::EpochId;

/// One thing that is said about a register. An arbiter is one of the nodes that the task names for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegisterWord {
    /// By an arbiter: from here on it knows all that it says about this task, in the epoch that this stands in.
    Seated {
        /// How often it has taken its seat anew.
        turn: u32,
    },
    /// By the creator, in the epoch in which it created the task: all have taken their seats, and answer from here on.
    Opened {
        /// The epochs of the arbiters, in the order in which the task names them.
        epochs: Vec<EpochId>,
    },
    /// By an arbiter: it goes along with no ballot any more that counts on an earlier seat of that other arbiter.
    Confirmed {
        /// Who has taken its seat anew.
        node: NodeId,
        /// Which seat.
        seat: Seat,
        /// The latest ballot that the author has promised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        promised: Option<Ballot>,
        /// What it accepted last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted: Option<(Ballot, Standing)>,
    },
    /// By whoever wants to change the register: promise this ballot.
    Prepared {
        /// Its epoch is that of the chain that this stands in.
        ballot: Ballot,
        /// The epochs of the arbiters that it counts on.
        epochs: Vec<EpochId>,
    },
    /// By an arbiter: nothing of an earlier ballot is accepted any more.
    Promised {
        /// Which.
        ballot: Ballot,
        /// The epoch of the arbiter's seat: that of the chain that this stands in.
        seat: EpochId,
        /// What it accepted last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted: Option<(Ballot, Standing)>,
    },
    /// By whoever prepared the ballot: accept this.
    Proposed {
        /// Its epoch is that of the chain that this stands in.
        ballot: Ballot,
        /// As when it was prepared.
        epochs: Vec<EpochId>,
        /// What is to stand.
        value: Standing,
    },
    /// By an arbiter: accepted.
    Accepted {
        /// Which.
        ballot: Ballot,
        /// The epoch of the arbiter's seat: that of the chain that this stands in.
        seat: EpochId,
        /// What.
        value: Standing,
    },
}

impl RegisterWord {
    /// The epoch that the chain must be of in which this stands, where it says one: written in another it is void, for its
    /// author has lost its own in between.
    pub(super) fn epoch(&self) -> Option<EpochId> {
        match self {
            Self::Seated { .. } | Self::Opened { .. } | Self::Confirmed { .. } => None,
            Self::Prepared { ballot, .. } | Self::Proposed { ballot, .. } => Some(ballot.epoch),
            Self::Promised { seat, .. } | Self::Accepted { seat, .. } => Some(*seat),
        }
    }
}
