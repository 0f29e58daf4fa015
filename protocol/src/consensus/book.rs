//! The proposals that one node knows, with their votes and decisions.

use std::sync::Arc;

pub use super::early::Carried;
use super::early::EarlyVotes;
use super::electorate::Voter;
use super::proof::{Proof, ProofError};
use super::proposal::{Choice, Proposal, ProposalBody, ProposalError, ProposalId};
pub use super::standing::{Proposals, Standing};
use super::tally::{Added, Ballots};
use super::vote::Vote;
use crate::id::{MeshId, NodeId};
use crate::log::retention::KEPT_FOR;
use crate::membership::certificate::CertificateChain;
use crate::mutation::Mutation;
use crate::signature::Verifier;
use crate::time::Timestamp;

/// Proposals that are known at one time; one more is not taken.
pub const PROPOSALS_MAX: usize = 2_048;
/// Of these, proposals of one node.
pub const PROPOSALS_PER_NODE_MAX: usize = 128;

/// What became of something that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is news.
    New,
    /// It is known, or waits for its proposal.
    Nothing,
}

/// What one node knows. Everything in it is signed by whom it says; nothing depends on the order in which it came, but
/// for what a full book refuses.
#[derive(Clone, Debug, Default)]
pub struct Book {
    proposals: Proposals,
    early: EarlyVotes,
}

impl Book {
    /// All of them.
    pub fn proposals(&self) -> &Proposals {
        &self.proposals
    }

    /// One of them.
    pub fn get(&self, id: ProposalId) -> Option<&Arc<Standing>> {
        self.proposals.get(&id)
    }

    /// Takes a proposal whose signature is checked here, with the votes that came before it.
    ///
    /// # Errors
    ///
    /// When it is none, or the book is full.
    pub fn propose(
        &mut self,
        proposal: &Arc<Proposal>,
        mesh: MeshId,
        verifier: &dyn Verifier,
    ) -> Result<Taken, BookError> {
        let id = proposal.body.id();
        if self.proposals.contains_key(&id) {
            return Ok(Taken::Nothing);
        }
        proposal.check(mesh, verifier)?;
        self.has_room(proposal.body.node)?;
        let standing = Standing {
            id,
            proposal: proposal.clone(),
            ballots: Ballots::default(),
            decision: None,
            conflicting: None,
        };
        self.proposals.insert(id, Arc::new(standing));
        for vote in self.early.take(id) {
            self.count(vote);
        }
        Ok(Taken::New)
    }

    /// Whether `node` may add a proposal.
    ///
    /// # Errors
    ///
    /// When it has too many, or all together have.
    pub fn has_room(&self, node: NodeId) -> Result<(), BookError> {
        let of_node = self.proposals.values();
        let of_node = of_node.filter(|known| known.body().node == node).count();
        match of_node >= PROPOSALS_PER_NODE_MAX || self.proposals.len() >= PROPOSALS_MAX {
            true => Err(BookError::Full {
                node,
                of_node,
                all: self.proposals.len(),
            }),
            false => Ok(()),
        }
    }

    /// Takes a vote whose signature is checked here.
    ///
    /// # Errors
    ///
    /// When it is forged, of nobody who has a vote, or too many wait for their proposals.
    pub fn vote(
        &mut self,
        vote: Vote,
        carried: Carried,
        mesh: MeshId,
        verifier: &dyn Verifier,
    ) -> Result<Taken, BookError> {
        if let Some(known) = self.proposals.get(&vote.proposal) {
            self.check_listed(known.body(), &vote)?;
        }
        if !vote.is_signed(mesh, verifier) {
            return Err(BookError::Forged { voter: vote.voter });
        }
        match self.proposals.contains_key(&vote.proposal) {
            true => Ok(self.count(vote)),
            false if self.early.keep(vote, carried) => Ok(Taken::Nothing),
            false => Err(BookError::TooEarly { node: carried.by }),
        }
    }

    fn check_listed(&self, body: &ProposalBody, vote: &Vote) -> Result<(), BookError> {
        let listed = body.electorate.index_of(&vote.voter).is_some();
        match body.has(vote.choice) && (listed || Mutation::AcceptUnlistedVoter.is_on()) {
            true => Ok(()),
            false => Err(BookError::NoVote {
                voter: vote.voter.clone(),
            }),
        }
    }

    fn count(&mut self, vote: Vote) -> Taken {
        let Some(known) = self.proposals.get(&vote.proposal) else {
            return Taken::Nothing;
        };
        if self.check_listed(known.body(), &vote).is_err() {
            return Taken::Nothing;
        }
        let mut changed = Standing::clone(known);
        match changed.ballots.add(vote) {
            Added::Known => Taken::Nothing,
            Added::New | Added::Contradicts => {
                self.proposals.insert(changed.id, Arc::new(changed));
                Taken::New
            }
        }
    }

    /// Takes a proof that somebody made, once it is verified here. The votes in it are taken too, so that a voter who
    /// told others another vote is found out.
    ///
    /// # Errors
    ///
    /// When it proves nothing, or its proposal is not known and the book is full.
    pub fn decided(
        &mut self,
        proof: &Arc<Proof>,
        mesh: MeshId,
        verifier: &dyn Verifier,
    ) -> Result<Taken, BookError> {
        let id = proof.proposal().body.id();
        let known = self.proposals.get(&id).and_then(|known| known.decision());
        if known.is_some_and(|known| known.choice() == proof.choice()) {
            return Ok(Taken::Nothing);
        }
        proof.verify(mesh, verifier)?;
        self.restore(proof, mesh, verifier)?;
        Ok(Taken::New)
    }

    /// Takes back what was decided in an earlier run: it was checked then.
    ///
    /// # Errors
    ///
    /// When its proposal is none any more, or the book is full.
    pub fn restore(
        &mut self,
        proof: &Arc<Proof>,
        mesh: MeshId,
        verifier: &dyn Verifier,
    ) -> Result<(), BookError> {
        let id = proof.proposal().body.id();
        self.propose(&Arc::new(proof.proposal().clone()), mesh, verifier)?;
        for vote in proof.votes() {
            self.count(vote);
        }
        self.decide(id, proof);
        Ok(())
    }

    /// The outcome of a proposal that has one and no decision yet.
    pub fn outcome(&self, id: ProposalId, now: Timestamp) -> Option<Choice> {
        let known = self.proposals.get(&id)?;
        if known.decision.is_some() {
            return None;
        }
        let tally = known.tally();
        let overdue = Mutation::DeadlineDecides.is_on() && now >= known.body().deadline();
        match overdue {
            true => tally.outcome().or(tally.leading()),
            false => tally.outcome(),
        }
    }

    /// The proof for an outcome, from the votes that are known.
    ///
    /// # Errors
    ///
    /// When what is known here makes no proof, yet.
    pub fn prove(
        &self,
        id: ProposalId,
        choice: Choice,
        certificate: impl Fn(NodeId) -> Option<Arc<CertificateChain>>,
    ) -> Result<Option<Proof>, ProofError> {
        let Some(known) = self.proposals.get(&id) else {
            return Ok(None);
        };
        let proof = Proof::build(&known.proposal, choice, &known.ballots, certificate)?;
        // Votes of nodes whose certificates are not known count in a tally, and prove nothing.
        let (weight, needed) = (proof.weight(), known.proposal.body.needed());
        let broken = Mutation::DeadlineDecides.is_on() || Mutation::AcceptUnlistedVoter.is_on();
        match weight < needed && !broken {
            true => Err(ProofError::TooFew { weight, needed }),
            false => Ok(Some(proof)),
        }
    }

    /// Keeps a proof that is valid: the first stands, and one of another outcome beside it.
    pub fn decide(&mut self, id: ProposalId, proof: &Arc<Proof>) {
        let Some(known) = self.proposals.get(&id) else {
            return;
        };
        let mut changed = Standing::clone(known);
        match &changed.decision {
            None => changed.decision = Some(proof.clone()),
            Some(first) if first.choice() == proof.choice() => return,
            Some(_) => _ = changed.conflicting.get_or_insert_with(|| proof.clone()),
        }
        self.proposals.insert(id, Arc::new(changed));
    }

    /// Forgets what the log does not keep any more either, and says what.
    pub fn forget_old(&mut self, now: Timestamp) -> Vec<ProposalId> {
        self.early.forget_before(now - KEPT_FOR);
        let old = |known: &Standing| known.body().proposed + KEPT_FOR < now;
        let forgotten = self.proposals.extract_if(.., |_, known| old(known));
        forgotten.map(|(id, _)| id).collect()
    }
}

/// Why something is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The proposal is none.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// The proof is none.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// There is no room for a proposal.
    #[error(
        "{node} has {of_node} proposals that are younger than 30 days, of {all} in all; a machine may have \
         {PROPOSALS_PER_NODE_MAX} and the mesh {PROPOSALS_MAX}: propose again when the oldest is that old"
    )]
    Full {
        /// Whose.
        node: NodeId,
        /// How many it has.
        of_node: usize,
        /// How many there are.
        all: usize,
    },
    /// The voter's node did not sign it.
    #[error("the vote of {voter} is not signed by its node")]
    Forged {
        /// Whose it is said to be.
        voter: Voter,
    },
    /// Not in the electorate, or for no outcome of the proposal.
    #[error("{voter} has no such vote on this proposal")]
    NoVote {
        /// Who.
        voter: Voter,
    },
    /// Too many votes that a node put into the log wait for their proposals.
    #[error("too many votes that {node} tells of are for proposals that are not known here")]
    TooEarly {
        /// Whose.
        node: NodeId,
    },
}
