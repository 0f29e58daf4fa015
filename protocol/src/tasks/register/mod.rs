//! A register over a few acceptors, for tasks whose holder is to be known though one arbiter is gone: CASPaxos
//! (D. Rystsov, "CASPaxos: Replicated State Machines without logs", 2018).
//!
//! A [proposer](proposer::Proposer) has a majority of [acceptors](acceptor::Acceptor) promise its ballot, learns the value
//! that they accepted last, changes it, and has a majority accept the change. Two changes of one register therefore come
//! one after the other, and the second starts from what the first left. Whoever only reads has what it read accepted again, for
//! a value that a minority accepted is not settled yet. A promise and an acceptance hold only if they
//! outlast a crash: they are items of the acceptor's log, on disk before anybody hears of them.
//!
//! An acceptor takes a [seat](Seat) in one epoch of its log, and answers in that epoch only. In another it may have
//! answered what it does not know: it is out of the quorum until *every* other acceptor has confirmed its new seat. Each tells it what
//! that one has promised and accepted, and from then on goes along with no ballot that counts on the old seat. Whatever
//! was decided with an answer that was forgotten needed one of those others, too: before that one confirmed, and then it told of it,
//! or after, and then it refused. That holds while fewer than a majority have truly lost what they said.
//!
//! What is said is folded into a [record](record::RegisterRecord) in whatever order it arrives; any node that holds the log sees for
//! itself what a majority has accepted. Deliberately absent: time, and when to try.

pub mod acceptor;
pub mod proposer;
pub mod record;
pub mod standing;
pub mod word;

#[cfg(test)]
mod record_tests;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::log::chain_id::EpochId;

pub use acceptor::Acceptor;
pub use proposer::Proposer;
pub use record::RegisterRecord;
pub use standing::{End, Standing};
pub use word::RegisterWord;

/// Orders attempts to change a register: the number first, then who tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ballot {
    /// Rises with every attempt of a proposer, beyond whatever it was refused for.
    pub number: u64,
    /// Who tries: no two proposers have one ballot.
    pub proposer: NodeId,
    /// In which epoch of its log: a proposer that forgot a ballot does not try the same one again.
    pub epoch: EpochId,
}

impl Ballot {
    /// The proposer's next attempt after it was refused for `other`.
    #[must_use]
    pub fn beyond(self, other: Self) -> Self {
        Self {
            number: self.number.max(other.number).saturating_add(1),
            ..self
        }
    }
}

/// An acceptor in one epoch of its log. The later turn is the later seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seat {
    /// How often it has taken its seat anew.
    pub turn: u32,
    /// In which epoch.
    pub epoch: EpochId,
}

/// How many of so many acceptors are a majority.
pub const fn majority(acceptors: usize) -> usize {
    acceptors / 2 + 1
}
