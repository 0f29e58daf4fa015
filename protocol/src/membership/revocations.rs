//! All revocations a node knows, and who is put out by them: a set that only grows, and the same outcome wherever the
//! same set is known, in whatever order it was heard.
//!
//! A revocation counts unless somebody nearer to the root revoked whoever signed it, or whoever certified the signer:
//! what a revoked node issued is void, its revocations too. So admins of one rank can put each other out, and whoever
//! is nearer to the root decides. It applies to certificates of its signer's own rank or farther from the root.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::admission::Refusal;
use super::certificate::{Certificate, CertificateBody, CertificateChain};
use super::revocation::{CertificateDigest, Rank, Revocation, RevocationId};
use crate::id::NodeId;
use crate::limits::{REVOCATIONS_MAX, REVOCATIONS_PER_BRANCH_MAX};
use crate::mutation::Mutation;

/// Groups of revocations that are compared one by one.
pub const REVOCATION_GROUPS: usize = 16;

/// One number for each group of revocations: the exclusive or of their ids' numbers.
pub type RevocationDigests = [u64; REVOCATION_GROUPS];

/// Every revocation known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    known: BTreeMap<RevocationId, Arc<Revocation>>,
    /// Those that count, by whom they put out.
    effective: BTreeMap<NodeId, Vec<Arc<Revocation>>>,
    digests: RevocationDigests,
}

/// What became of a revocation offered to the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was taken.
    New,
    /// It was known.
    Known,
    /// There is no room: for its branch of the mesh, or for any but the root.
    Full,
}

impl Revocations {
    /// Takes a revocation that has been verified.
    pub fn add(&mut self, revocation: Arc<Revocation>) -> Added {
        let id = revocation.id();
        if self.knows(id) {
            return Added::Known;
        }
        if !self.has_room_for(&revocation) {
            return Added::Full;
        }
        self.digests[group_of(id)] ^= id.number();
        self.known.insert(id, revocation);
        self.effective = effective(&self.known);
        Added::New
    }

    /// A revoked admin cannot keep its own revocation out by filling the set: each branch has places of its own.
    fn has_room_for(&self, revocation: &Revocation) -> bool {
        let branch = revocation.branch();
        let same_branch = self.known.values().filter(|known| known.branch() == branch);
        let room = self.known.len() < REVOCATIONS_MAX || branch.is_none();
        room && same_branch.count() < REVOCATIONS_PER_BRANCH_MAX
    }

    /// Whether `chain` still proves membership.
    ///
    /// # Errors
    ///
    /// [`Refusal::Revoked`] for its subject, [`Refusal::IssuerRevoked`] for an issuer.
    pub fn check(&self, chain: &CertificateChain) -> Result<(), Refusal> {
        if self.effective.is_empty() || Mutation::IgnoreRevocations.is_on() {
            return Ok(());
        }
        let subject = chain.body().subject;
        if self.revoking(subject, Rank::of_holder(chain)).is_some() {
            return Err(Refusal::Revoked);
        }
        let mut issued = &chain.certificate;
        for (place, issuer) in chain.issuers.iter().enumerate() {
            let rank = Rank::of(&issuer.body, chain.issuers.len() - place - 1);
            if self.voids(&issuer.body, rank, CertificateDigest::of(issued)) {
                return Err(Refusal::IssuerRevoked {
                    issuer: issuer.body.subject,
                });
            }
            issued = issuer;
        }
        Ok(())
    }

    /// Whether `node` may be a member at all, whatever certificate it were given.
    ///
    /// # Errors
    ///
    /// [`Refusal::Revoked`] where it may not.
    pub fn check_node(&self, node: NodeId) -> Result<(), Refusal> {
        match self.effective.contains_key(&node) && !Mutation::IgnoreRevocations.is_on() {
            true => Err(Refusal::Revoked),
            false => Ok(()),
        }
    }

    fn revoking(&self, node: NodeId, rank: Rank) -> Option<&Arc<Revocation>> {
        let of_node = self.effective.get(&node)?;
        of_node.iter().find(|revocation| revocation.rank() <= rank)
    }

    fn voids(&self, issuer: &CertificateBody, rank: Rank, issued: CertificateDigest) -> bool {
        let of_issuer = self.effective.get(&issuer.subject).into_iter().flatten();
        of_issuer
            .filter(|revocation| revocation.rank() <= rank)
            .any(|revocation| !revocation.body.spared.contains(&issued))
    }

    /// Whether this one is known.
    pub fn knows(&self, id: RevocationId) -> bool {
        self.known.contains_key(&id)
    }

    /// Every revocation known, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Revocation>> {
        self.known.values()
    }

    /// The revocations that count, by whom they put out.
    pub fn in_force(&self) -> impl Iterator<Item = &Arc<Revocation>> {
        self.effective.values().flatten()
    }

    /// How many are known; at most [`REVOCATIONS_MAX`] and the root's.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What the set is compared by, group by group.
    pub fn digests(&self) -> RevocationDigests {
        self.digests
    }

    /// One number for the whole set; 0 where it is empty.
    pub fn digest(&self) -> u64 {
        self.digests.iter().fold(0, |all, one| all ^ one)
    }

    /// Those that somebody whose set has `theirs` may not know: every one in a group that differs.
    pub fn unknown_to(&self, theirs: &RevocationDigests) -> impl Iterator<Item = &Arc<Revocation>> {
        let differs: [bool; REVOCATION_GROUPS] =
            std::array::from_fn(|group| self.digests[group] != theirs[group]);
        let told = self
            .known
            .iter()
            .filter(move |(id, _)| differs[group_of(**id)]);
        told.map(|(_, revocation)| revocation)
    }
}

fn group_of(id: RevocationId) -> usize {
    usize::from(id.0[0]) * REVOCATION_GROUPS / 256
}

/// From the root outwards: who counts is settled before anybody farther away is looked at.
fn effective(
    known: &BTreeMap<RevocationId, Arc<Revocation>>,
) -> BTreeMap<NodeId, Vec<Arc<Revocation>>> {
    let mut by_rank: Vec<(Rank, RevocationId, &Arc<Revocation>)> = known
        .iter()
        .map(|(id, revocation)| (revocation.rank(), *id, revocation))
        .collect();
    by_rank.sort_by_key(|(rank, id, _)| (*rank, *id));
    let mut effective: BTreeMap<NodeId, Vec<Arc<Revocation>>> = BTreeMap::new();
    for (_, id, revocation) in by_rank {
        if !is_void(&effective, id, revocation) {
            let of_subject = effective.entry(revocation.body.subject).or_default();
            of_subject.push(revocation.clone());
        }
    }
    effective
}

/// Whether somebody nearer to the root revoked whoever signed `revocation`, or one of those who certified the signer.
fn is_void(
    effective: &BTreeMap<NodeId, Vec<Arc<Revocation>>>,
    id: RevocationId,
    revocation: &Revocation,
) -> bool {
    let Some(chain) = &revocation.revoker else {
        return false;
    };
    let holders = std::iter::once(&chain.certificate).chain(&chain.issuers);
    let mut issued = CertificateDigest(id.0);
    holders.enumerate().any(|(place, holder)| {
        let void = is_void_at(effective, holder, chain.issuers.len() - place, issued);
        issued = CertificateDigest::of(holder);
        void
    })
}

fn is_void_at(
    effective: &BTreeMap<NodeId, Vec<Arc<Revocation>>>,
    holder: &Certificate,
    issuers: usize,
    issued: CertificateDigest,
) -> bool {
    let rank = Rank::of(&holder.body, issuers);
    let of_holder = effective.get(&holder.body.subject).into_iter().flatten();
    of_holder
        .filter(|nearer| nearer.rank() < rank)
        .any(|nearer| !nearer.body.spared.contains(&issued))
}

#[cfg(test)]
mod tests;
