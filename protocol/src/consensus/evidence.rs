//! Evidence: two signed votes of one voter on one proposal for different outcomes.

use serde::{Deserialize, Serialize};

use super::vote::Vote;
use crate::id::MeshId;
use crate::signature::Verifier;

/// Proof that a voter's node signed two different votes. It is kept and shown, and both count for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The vote for the outcome that comes first.
    pub one: Vote,
    /// The vote for the other.
    pub other: Vote,
}

impl Evidence {
    /// Two votes, where they contradict each other.
    pub fn of(a: &Vote, b: &Vote) -> Option<Self> {
        let same = a.proposal == b.proposal && a.voter == b.voter;
        if !same || a.choice == b.choice {
            return None;
        }
        let (one, other) = match a.choice < b.choice {
            true => (a.clone(), b.clone()),
            false => (b.clone(), a.clone()),
        };
        Some(Self { one, other })
    }

    /// Whether it proves what it says: nobody but the voter's node can have made it.
    pub fn proves(&self, mesh: MeshId, verifier: &dyn Verifier) -> bool {
        Self::of(&self.one, &self.other).as_ref() == Some(self)
            && self.one.is_signed(mesh, verifier)
            && self.other.is_signed(mesh, verifier)
    }
}

#[cfg(test)]
mod tests {
    use super::super::electorate::Voter;
    use super::super::proposal::{Choice, ProposalId};
    use super::*;
    use crate::id::{Hash, NodeId};
    use crate::signature::{Ed25519, Signer};
    use ed25519_dalek::SigningKey;

    const MESH: MeshId = MeshId::from_public_key([9; 32]);

    fn vote(choice: u8, proposal: &[u8]) -> Vote {
        let key = SigningKey::from_bytes(&[1; 32]);
        let voter = Voter {
            node: NodeId::from_public_key(key.public_key()),
            agent: None,
        };
        let proposal = ProposalId(Hash::of(proposal));
        Vote::sign(MESH, proposal, voter, Choice(choice), &key)
    }

    #[test]
    fn two_votes_for_different_outcomes_prove_a_double_vote_whichever_came_first() {
        let (yes, no) = (vote(1, b"a"), vote(0, b"a"));
        let evidence = Evidence::of(&yes, &no);
        assert_eq!(evidence, Evidence::of(&no, &yes));
        assert!(evidence.is_some_and(|evidence| evidence.proves(MESH, &Ed25519)));
        assert_eq!(Evidence::of(&yes, &yes), None);
        assert_eq!(Evidence::of(&yes, &vote(0, b"b")), None);
    }

    #[test]
    fn nobody_is_blamed_for_a_vote_that_it_did_not_sign() {
        let (yes, mut no) = (vote(1, b"a"), vote(0, b"a"));
        no.signature = yes.signature;
        let evidence = Evidence::of(&yes, &no);
        assert!(evidence.is_some_and(|evidence| !evidence.proves(MESH, &Ed25519)));
        let evidence = Evidence::of(&yes, &vote(0, b"a"));
        let other = MeshId::from_public_key([8; 32]);
        assert!(evidence.is_some_and(|evidence| !evidence.proves(other, &Ed25519)));
    }
}
