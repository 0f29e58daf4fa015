//! Decisions of the mesh, as this node's agents take part in them: proposing, voting, seeing how it stands.
//!
//! What is decided, and when, is control's to say ([`peerage_protocol::consensus`]); here names become voters and
//! voters become names.

mod error;
mod service;
mod shown;

pub use error::DecidingError;
pub use service::{Deciding, ProposalRequest, Voters, WAIT_MAX};
pub use shown::{ShownDoubleVote, ShownElector, ShownOption, ShownProposal};
