//! One proposal as a node knows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::evidence::Evidence;
use super::proof::Proof;
use super::proposal::{Proposal, ProposalBody, ProposalId};
use super::tally::{Ballots, Tally};

/// Proposals by id; cheap to clone.
pub type Proposals = BTreeMap<ProposalId, Arc<Standing>>;

/// One proposal, and what has come of it so far. Immutable: a change makes a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub(super) id: ProposalId,
    pub(super) proposal: Arc<Proposal>,
    pub(super) ballots: Ballots,
    pub(super) decision: Option<Arc<Proof>>,
    pub(super) conflicting: Option<Arc<Proof>>,
}

impl Standing {
    /// The proposal's id.
    pub fn id(&self) -> ProposalId {
        self.id
    }

    /// What is proposed.
    pub fn body(&self) -> &ProposalBody {
        &self.proposal.body
    }

    /// The votes.
    pub fn ballots(&self) -> &Ballots {
        &self.ballots
    }

    /// What they come to.
    pub fn tally(&self) -> Tally {
        self.ballots.tally(self.body())
    }

    /// Who has voted twice.
    pub fn evidence(&self) -> Vec<Evidence> {
        self.ballots.evidence().collect()
    }

    /// What was decided, with its proof; it never changes once it is there.
    pub fn decision(&self) -> Option<&Arc<Proof>> {
        self.decision.as_ref()
    }

    /// A valid proof of another outcome: so many voters have signed two votes that nothing is decided for those who see
    /// both.
    pub fn conflicting(&self) -> Option<&Arc<Proof>> {
        self.conflicting.as_ref()
    }
}
