//! Votes: one node's signature for one outcome of one proposal. It stands by itself, without any log.

use serde::{Deserialize, Serialize};

use super::electorate::Voter;
use super::proposal::{Choice, ProposalId};
use crate::id::MeshId;
use crate::signature::{Signature, Signer, Verifier};
use crate::wire::encode_cbor;

/// Separates signatures over votes from signatures over anything else.
const SIGNING_CONTEXT: &[u8] = b"peerage vote v1\0";

/// A signed vote. It is final: a second one of the same voter for something else is evidence against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// On what.
    pub proposal: ProposalId,
    /// Whose.
    pub voter: Voter,
    /// For what.
    pub choice: Choice,
    /// By the voter's node.
    pub signature: Signature,
}

/// As signed: an array.
#[derive(Serialize)]
struct Signed<'a>(MeshId, ProposalId, &'a Voter, Choice);

impl Vote {
    /// Signs a vote with the key of the voter's node.
    pub fn sign(
        mesh: MeshId,
        proposal: ProposalId,
        voter: Voter,
        choice: Choice,
        signer: &dyn Signer,
    ) -> Self {
        let signature = signer.sign(&signing_bytes(mesh, proposal, &voter, choice));
        Self {
            proposal,
            voter,
            choice,
            signature,
        }
    }

    /// Whether the voter's node signed it, for this mesh.
    pub fn is_signed(&self, mesh: MeshId, verifier: &dyn Verifier) -> bool {
        let message = signing_bytes(mesh, self.proposal, &self.voter, self.choice);
        verifier.verify(self.voter.node.public_key(), &message, &self.signature)
    }
}

fn signing_bytes(mesh: MeshId, proposal: ProposalId, voter: &Voter, choice: Choice) -> Vec<u8> {
    let signed = Signed(mesh, proposal, voter, choice);
    [SIGNING_CONTEXT, &encode_cbor(&signed)].concat()
}
