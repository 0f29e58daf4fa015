//! A mesh of signers that propose and vote, and what their votes come to.

#![allow(clippy::unwrap_used)]

mod books;
mod golden;
mod proofs;
mod tallies;

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;

use super::electorate::{Elector, Electorate, Voter};
use super::proof::{Proof, ProofError};
use super::proposal::{Choice, PROPOSAL_VERSION, Proposal, ProposalBody};
use super::tally::Ballots;
use super::threshold::Threshold;
use super::vote::Vote;
use crate::id::{MeshId, NodeId};
use crate::limits::CERTIFICATE_LIFETIME;
use crate::membership::certificate::{CertificateBody, CertificateChain, Role};
use crate::signature::Signer;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const YES: Choice = Choice(1);
const NO: Choice = Choice(2);

/// A root, and any number of members; the first is the admin that lets in the others.
struct Mesh {
    root: SigningKey,
    role: Role,
}

impl Mesh {
    fn new(root: u8) -> Self {
        Self {
            root: SigningKey::from_bytes(&[root; 32]),
            role: Role::Member,
        }
    }

    fn id(&self) -> MeshId {
        MeshId::from_public_key(self.root.public_key())
    }

    fn key(member: u8) -> SigningKey {
        SigningKey::from_bytes(&[member + 1; 32])
    }

    fn node(member: u8) -> NodeId {
        NodeId::from_public_key(Self::key(member).public_key())
    }

    fn body(&self, member: u8, role: Role) -> CertificateBody {
        CertificateBody {
            version: CertificateBody::version_for(role),
            mesh: self.id(),
            serial: u64::from(member),
            subject: Self::node(member),
            name: format!("node-{member}").parse().unwrap(),
            role,
            not_before: NOW,
            expires: NOW + CERTIFICATE_LIFETIME,
            only: Vec::new(),
            replaces: None,
        }
    }

    fn chain(&self, member: u8) -> CertificateChain {
        let admin = self.body(0, Role::Admin).sign(&self.root, Vec::new());
        match member {
            0 => admin,
            _ => self
                .body(member, self.role)
                .sign(&Self::key(0), vec![admin.certificate]),
        }
    }

    fn certificate(&self, members: u8) -> impl Fn(NodeId) -> Option<Arc<CertificateChain>> {
        let chains: Vec<_> = (0..members).map(|at| Arc::new(self.chain(at))).collect();
        move |node| {
            let mut known = chains.iter();
            known.find(|chain| chain.body().subject == node).cloned()
        }
    }

    /// A proposal of the first to nodes of these weights.
    fn propose(&self, weights: &[u32], threshold: Threshold) -> Proposal {
        let elector = |(at, weight): (usize, &u32)| Elector {
            voter: Voter {
                node: Self::node(at as u8),
                agent: None,
            },
            weight: *weight,
        };
        let electors = weights.iter().enumerate().map(elector).collect();
        let body = ProposalBody {
            version: PROPOSAL_VERSION,
            mesh: self.id(),
            nonce: [7; 16],
            node: Self::node(0),
            agent: "coder".parse().unwrap(),
            question: "Merge it?".to_owned(),
            options: vec!["yes".to_owned(), "no".to_owned()],
            electorate: Electorate::new(1, electors).unwrap(),
            threshold,
            proposed: NOW + Duration::from_secs(60),
            lifetime: 3_600,
        };
        body.check().unwrap();
        body.sign(&Self::key(0))
    }

    fn vote(&self, proposal: &Proposal, member: u8, choice: Choice) -> Vote {
        let voter = Voter {
            node: Self::node(member),
            agent: None,
        };
        let key = Self::key(member);
        Vote::sign(self.id(), proposal.body.id(), voter, choice, &key)
    }

    fn ballots(&self, proposal: &Proposal, votes: &[(u8, Choice)]) -> Ballots {
        let mut ballots = Ballots::default();
        for (member, choice) in votes {
            ballots.add(self.vote(proposal, *member, *choice));
        }
        ballots
    }

    fn prove(
        &self,
        proposal: &Proposal,
        votes: &[(u8, Choice)],
        choice: Choice,
    ) -> Result<Proof, ProofError> {
        let ballots = self.ballots(proposal, votes);
        Proof::build(proposal, choice, &ballots, self.certificate(32))
    }
}
