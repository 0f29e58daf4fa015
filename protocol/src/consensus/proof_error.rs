//! Why something is no proof of a decision.

use super::electorate::Voter;
use super::proof::{PROOF_BYTES_MAX, PROOF_VERSION};
use super::proposal::ProposalError;
use crate::id::NodeId;
use crate::membership::certificate::CertificateError;
use crate::wire::CborError;

/// Why something is no proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Over [`PROOF_BYTES_MAX`].
    #[error("a proof of {found} bytes; at most {PROOF_BYTES_MAX} are allowed")]
    TooLarge {
        /// How large.
        found: usize,
    },
    /// Not CBOR, or not the parts of a proof.
    #[error("not a proof: {0}")]
    NotAProof(#[from] CborError),
    /// The same could be said in other bytes.
    #[error("not in the one encoding that proofs have")]
    NotCanonical,
    /// From a later version.
    #[error("a proof of version {found}; this program reads {PROOF_VERSION}")]
    Version {
        /// Which.
        found: u16,
    },
    /// The proposal is none, or for another mesh.
    #[error("its proposal is not good: {0}")]
    Proposal(#[from] ProposalError),
    /// An outcome that the proposal does not have.
    #[error("it is for an outcome that the proposal does not have")]
    NoSuchOutcome,
    /// A certificate does not lead to the mesh.
    #[error("a certificate in it is not good: {0}")]
    Certificate(#[from] CertificateError),
    /// Not the certificates of the proposer and the voters.
    #[error("it does not hold the certificates of its proposer and voters, and those alone")]
    OtherCertificates,
    /// The certificate of a voter is not known here.
    #[error("the certificate of {node} is not known here, or gives it no vote")]
    NoCertificate {
        /// Whose.
        node: NodeId,
    },
    /// The role has no vote, or the membership had ended.
    #[error("{node} has no vote: it is an observer or a guest, or was no member any more")]
    NoVoter {
        /// Who.
        node: NodeId,
    },
    /// A vote of somebody outside the electorate.
    #[error("it counts a vote of somebody who is not in the electorate")]
    NotListed,
    /// A vote that was not signed.
    #[error("the vote of {voter} is not signed by its node")]
    Vote {
        /// Whose.
        voter: Voter,
    },
    /// The votes do not suffice.
    #[error("its votes weigh {weight} and the outcome needs {needed}")]
    TooFew {
        /// How much there is.
        weight: u64,
        /// How much is needed.
        needed: u64,
    },
}
