//! Why something was not proposed, voted or found, for the model or the person that asked.

use peerage_protocol::node_state::{ProposeError, VoteError};

use super::service::ID_DIGITS_MIN;
use crate::control::ControlClosed;

/// Why something was not proposed, voted or found.
#[derive(Debug, thiserror::Error)]
pub enum DecidingError {
    /// No such proposal.
    #[error(
        "no proposal {proposal} is known here; consensus_status without arguments lists those that are, and the first \
         {ID_DIGITS_MIN} digits of an id or more name one"
    )]
    UnknownProposal {
        /// As the caller named it.
        proposal: String,
    },
    /// Several ids begin so.
    #[error("several proposals begin with {digits}; give more digits")]
    Ambiguous {
        /// As the caller named it.
        digits: String,
    },
    /// No such option.
    #[error("there is no option {option:?}; there are: {}", options.join(", "))]
    NoSuchOption {
        /// As the caller named it.
        option: String,
        /// What there is.
        options: Vec<String>,
    },
    /// No member goes by that name.
    #[error(
        "{voter} is nobody who could vote: name machines as `peerage nodes` shows them, and agents as name@node"
    )]
    UnknownVoter {
        /// As the caller named it.
        voter: String,
    },
    /// A guest, an observer, or a member no more.
    #[error(
        "{voter} has no vote: only machines that are members or admins of the mesh, and their agents, have one"
    )]
    NoVote {
        /// Who.
        voter: String,
    },
    /// A weight without a vote.
    #[error("{voter} has a weight and is not in the electorate")]
    WeightOfNobody {
        /// Who.
        voter: String,
    },
    /// It was not proposed.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The vote was not cast.
    #[error(transparent)]
    Vote(#[from] VoteError),
    /// The system has no randomness.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// Control does not answer: it may have happened.
    #[error(
        "the node did not answer in time, so it may have happened or not; look with consensus_status"
    )]
    Unanswered(#[from] ControlClosed),
}
