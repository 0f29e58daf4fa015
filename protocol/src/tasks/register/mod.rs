//! A register over a few acceptors, for tasks whose holder is to be known though one arbiter is gone: CASPaxos
//! (D. Rystsov, "CASPaxos: Replicated State Machines without logs", 2018).
//!
//! A [proposer](proposer::Proposer) has a majority of [acceptors](acceptor::Acceptor) promise its ballot, learns the value
//! that they accepted last, changes it, and has a majority accept the change. Two changes of one register therefore come
//! one after the other, and the second starts from what the first left. Whoever only reads has what it read accepted again, for
//! a value that a minority accepted is not settled yet. A promise and an acceptance hold only if they
//! outlast a crash: whoever runs an acceptor writes its state before it answers, and one that is not sure to know all that
//! it answered is [lost](acceptor::Acceptor::lost), which never answers again.
//!
//! Deliberately absent: messages and time; and what the value means, which is the proposer's business.

pub mod acceptor;
pub mod proposer;

#[cfg(test)]
mod tests;

use crate::id::NodeId;

/// Orders attempts to change a register: the number first, then who tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// Rises with every attempt of a proposer, beyond whatever it was refused for.
    pub number: u64,
    /// Who tries: no two proposers have one ballot.
    pub proposer: NodeId,
}

impl Ballot {
    /// The proposer's next attempt after it was refused for `other`.
    #[must_use]
    pub fn beyond(self, other: Self) -> Self {
        Self {
            number: self.number.max(other.number) + 1,
            proposer: self.proposer,
        }
    }
}
