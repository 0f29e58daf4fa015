//! Decision proofs: everything by which anybody who knows the mesh's id can check a decision, offline and for ever.
//!
//! A proof holds the proposal, votes of enough weight for one outcome, and the certificates by which the proposer and
//! these voters belong to the mesh. Certificates of voters that are not counted would add nothing: the threshold is a
//! part of the whole electorate, so a voter that does not exist only makes the outcome harder to reach.
//!
//! What it does not say: that nobody who signed was put out of the mesh later, and that no voter has signed for
//! another outcome as well. A valid proof stands whatever comes to light.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::electorate::{Elector, Voter};
pub use super::proof_error::ProofError;
use super::proposal::{Choice, Proposal, ProposalId};
use super::tally::Ballots;
use super::vote::Vote;
use crate::id::{MeshId, NodeId};
use crate::log::entry::ITEM_BYTES_MAX;
use crate::membership::certificate::{Certificate, CertificateChain};
use crate::signature::{Signature, Verifier};
use crate::wire::{decode_cbor, encode_cbor};

/// The version of proofs that this program writes and reads.
pub const PROOF_VERSION: u16 = 1;
/// Bytes of a proof: with what is around it, it fits an item of the log.
pub const PROOF_BYTES_MAX: usize = ITEM_BYTES_MAX - 64;

/// A vote as a proof holds it; the rest is in the proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CountedVote(u16, Signature);

/// A certificate and, by their places among the issuers, those that lead from it to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct HeldCertificate(Certificate, Vec<u16>);

/// Proof that an electorate has decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    version: u16,
    proposal: Proposal,
    choice: Choice,
    /// By the voters' places in the electorate.
    votes: Vec<CountedVote>,
    /// Of the proposer and the voters, by node.
    certificates: Vec<HeldCertificate>,
    /// Each once, in the order in which they are first needed.
    issuers: Vec<Certificate>,
}

impl Proof {
    /// The proof for `choice` from as few of the votes as can be, with the certificates that `certificate` knows.
    ///
    /// # Errors
    ///
    /// When what is known here does not make a proof, yet.
    pub fn build(
        proposal: &Proposal,
        choice: Choice,
        ballots: &Ballots,
        certificate: impl Fn(NodeId) -> Option<Arc<CertificateChain>>,
    ) -> Result<Self, ProofError> {
        let body = &proposal.body;
        let certificate = |node: NodeId| certificate(node).filter(|chain| may_vote(chain, body));
        let votes = ballots.counted().filter(|vote| vote.choice == choice);
        let mut usable: Vec<(usize, &Elector, &Vote)> = votes
            .filter_map(|vote| {
                let at = body.electorate.index_of(&vote.voter)?;
                Some((at, &body.electorate.electors[at], vote))
            })
            .filter(|(_, elector, _)| certificate(elector.voter.node).is_some())
            .collect();
        usable.sort_by_key(|(at, elector, _)| (std::cmp::Reverse(elector.weight), *at));
        let (mut weight, needed) = (0, body.needed());
        usable.retain(|(_, elector, _)| {
            let take = weight < needed;
            weight += if take { u64::from(elector.weight) } else { 0 };
            take
        });
        usable.sort_by_key(|(at, ..)| *at);
        let votes = usable
            .iter()
            .map(|(at, _, vote)| {
                CountedVote(u16::try_from(*at).unwrap_or(u16::MAX), vote.signature)
            })
            .collect();
        let mut chains = BTreeMap::new();
        let voters = usable.iter().map(|(_, elector, _)| elector.voter.node);
        for node in voters.chain([body.node]) {
            let chain = certificate(node).ok_or(ProofError::NoCertificate { node })?;
            chains.insert(node, chain);
        }
        let (certificates, issuers) = pack(chains.into_values());
        Ok(Self {
            version: PROOF_VERSION,
            proposal: proposal.clone(),
            choice,
            votes,
            certificates,
            issuers,
        })
    }

    /// What was proposed.
    pub fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// What was decided.
    pub fn choice(&self) -> Choice {
        self.choice
    }

    /// What its votes weigh together, valid or not.
    pub(super) fn weight(&self) -> u64 {
        let electors = self.votes.iter();
        let electors = electors.filter_map(|CountedVote(at, _)| self.elector(*at));
        electors.map(|elector| u64::from(elector.weight)).sum()
    }

    /// The CBOR encoding, which is the only one.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads an encoded proof, which proves nothing before [`Proof::verify`].
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(ProofError::TooLarge { found: bytes.len() });
        }
        let proof: Self = decode_cbor(bytes)?;
        match proof.encode() == bytes {
            true => Ok(proof),
            false => Err(ProofError::NotCanonical),
        }
    }

    /// The votes that it counts, as they were signed.
    pub fn votes(&self) -> impl Iterator<Item = Vote> {
        let id = self.proposal.body.id();
        self.votes
            .iter()
            .filter_map(move |CountedVote(at, signature)| {
                let elector = self.elector(*at)?;
                Some(Vote {
                    proposal: id,
                    voter: elector.voter.clone(),
                    choice: self.choice,
                    signature: *signature,
                })
            })
    }

    fn elector(&self, at: u16) -> Option<&Elector> {
        self.proposal.body.electorate.electors.get(usize::from(at))
    }

    /// Checks all of it, with nothing but the mesh's id.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn verify(&self, mesh: MeshId, verifier: &dyn Verifier) -> Result<Verified, ProofError> {
        if self.version != PROOF_VERSION {
            let found = self.version;
            return Err(ProofError::Version { found });
        }
        self.proposal.check(mesh, verifier)?;
        let body = &self.proposal.body;
        if !body.has(self.choice) {
            return Err(ProofError::NoSuchOutcome);
        }
        let names = self.check_members(mesh, verifier)?;
        let mut weight = 0;
        for vote in self.votes() {
            if !vote.is_signed(mesh, verifier) {
                return Err(ProofError::Vote { voter: vote.voter });
            }
        }
        let mut voters = Vec::new();
        for CountedVote(at, _) in &self.votes {
            let elector = self.elector(*at).ok_or(ProofError::NotListed)?;
            weight += u64::from(elector.weight);
            voters.push(elector.voter.clone());
        }
        let needed = body.needed();
        if weight < needed {
            return Err(ProofError::TooFew { weight, needed });
        }
        Ok(Verified {
            id: body.id(),
            choice: self.choice,
            voters,
            weight,
            names,
        })
    }

    /// Proposer and voters belong to the mesh, and nobody else is in the proof.
    fn check_members(
        &self,
        mesh: MeshId,
        verifier: &dyn Verifier,
    ) -> Result<BTreeMap<NodeId, String>, ProofError> {
        let body = &self.proposal.body;
        let mut nodes = vec![body.node];
        let mut last = None;
        for CountedVote(at, _) in &self.votes {
            if last.replace(*at).is_some_and(|last| last >= *at) {
                return Err(ProofError::NotCanonical);
            }
            nodes.push(self.elector(*at).ok_or(ProofError::NotListed)?.voter.node);
        }
        nodes.sort();
        nodes.dedup();
        let chains = self.chains()?;
        if !chains.iter().map(|chain| chain.body().subject).eq(nodes) {
            return Err(ProofError::OtherCertificates);
        }
        let mut names = BTreeMap::new();
        for chain in &chains {
            chain.verify(mesh, verifier)?;
            let node = chain.body().subject;
            if !may_vote(chain, body) {
                return Err(ProofError::NoVoter { node });
            }
            names.insert(node, chain.body().name.to_string());
        }
        let (certificates, issuers) = pack(chains.into_iter().map(Arc::new));
        match certificates == self.certificates && issuers == self.issuers {
            true => Ok(names),
            false => Err(ProofError::NotCanonical),
        }
    }

    fn chains(&self) -> Result<Vec<CertificateChain>, ProofError> {
        let each = self
            .certificates
            .iter()
            .map(|HeldCertificate(certificate, places)| {
                let issuers = places
                    .iter()
                    .map(|at| self.issuers.get(usize::from(*at)).cloned());
                let issuers: Option<Vec<Certificate>> = issuers.collect();
                Ok(CertificateChain {
                    certificate: certificate.clone(),
                    issuers: issuers.ok_or(ProofError::NotCanonical)?,
                })
            });
        each.collect()
    }
}

/// Whether the holder of a certificate had a vote: its role has one, and it was a member still when the proposal was
/// made.
fn may_vote(chain: &CertificateChain, body: &super::proposal::ProposalBody) -> bool {
    chain.body().role.offers() && chain.end() > body.proposed
}

/// Writes each issuer once.
fn pack(
    chains: impl Iterator<Item = Arc<CertificateChain>>,
) -> (Vec<HeldCertificate>, Vec<Certificate>) {
    let mut issuers: Vec<Certificate> = Vec::new();
    let mut place = |issuer: &Certificate| {
        let known = issuers.iter().position(|known| known == issuer);
        let at = known.unwrap_or_else(|| {
            issuers.push(issuer.clone());
            issuers.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    };
    let held = chains.map(|chain| {
        let places = chain.issuers.iter().map(&mut place).collect();
        HeldCertificate(chain.certificate.clone(), places)
    });
    let held = held.collect();
    (held, issuers)
}

/// What a proof proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What was decided on.
    pub id: ProposalId,
    /// What was decided.
    pub choice: Choice,
    /// Those whose votes it counts.
    pub voters: Vec<Voter>,
    /// Their weight.
    pub weight: u64,
    /// The names of proposer and voters, by their certificates.
    pub names: BTreeMap<NodeId, String>,
}
