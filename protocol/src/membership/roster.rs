//! The members of a mesh as one node knows them: an immutable snapshot, replaced whole.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::certificate::{CertificateChain, Role, Validity};
use crate::id::{MeshId, NodeId, NodeName};
use crate::limits::{ISSUER_CHAIN_MAX, ROSTER_MAX};
use crate::time::Timestamp;

/// What one node knows of its mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// The mesh.
    pub mesh: MeshId,
    /// This node's own certificate.
    pub own: Arc<CertificateChain>,
    members: BTreeMap<NodeId, Arc<CertificateChain>>,
}

impl Roster {
    /// A roster with nobody but its owner.
    pub fn new(mesh: MeshId, own: Arc<CertificateChain>) -> Self {
        Self {
            mesh,
            own,
            members: BTreeMap::new(),
        }
    }

    /// The same members, with a fresh certificate of the owner's.
    #[must_use]
    pub fn with_own(self, own: Arc<CertificateChain>) -> Self {
        Self { own, ..self }
    }

    /// The certificate of another member, whether or not it is valid now.
    pub fn member(&self, node: NodeId) -> Option<&Arc<CertificateChain>> {
        self.members.get(&node)
    }

    /// All other members, by node id.
    pub fn members(&self) -> impl Iterator<Item = (NodeId, &Arc<CertificateChain>)> {
        self.members.iter().map(|(node, chain)| (*node, chain))
    }

    /// All other members once, in a circle that begins behind `after`; by node id where it is `None`.
    pub fn members_after(
        &self,
        after: Option<NodeId>,
    ) -> impl Iterator<Item = (NodeId, &Arc<CertificateChain>)> {
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.members.range((first, Bound::Unbounded));
        let before = after.map(|after| self.members.range(..=after));
        behind
            .chain(before.into_iter().flatten())
            .map(|(node, chain)| (*node, chain))
    }

    /// How many other members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no other member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether a link to `node` may stand at `now`.
    pub fn admits(&self, node: NodeId, now: Timestamp) -> bool {
        self.members
            .get(&node)
            .is_some_and(|chain| chain.validity(now) == Validity::Valid)
    }

    /// Whether this node may issue certificates.
    pub fn is_admin(&self) -> bool {
        self.own.body().role == Role::Admin
    }

    /// Whether certificates that this node issues at `now` will be accepted: it is an admin, its own certificate is
    /// valid, and there is room in the chain below it.
    pub fn may_issue(&self, now: Timestamp) -> bool {
        self.is_admin()
            && self.own.validity(now) == Validity::Valid
            && self.own.issuers.len() < ISSUER_CHAIN_MAX
    }

    /// Who goes by `name`, this node included.
    pub fn named(&self, name: &NodeName) -> Option<NodeId> {
        let own = self.own.body();
        if own.name == *name {
            return Some(own.subject);
        }
        let named = |chain: &&Arc<CertificateChain>| chain.body().name == *name;
        self.members
            .values()
            .find(named)
            .map(|chain| chain.body().subject)
    }

    /// Takes a certificate that has been verified; says whether it is news. An older certificate of the same node
    /// never replaces a newer one, and a full roster takes nobody new.
    pub fn insert(&mut self, chain: Arc<CertificateChain>) -> Inserted {
        let subject = chain.body().subject;
        if subject == self.own.body().subject {
            return Inserted::Known;
        }
        match self.members.get(&subject) {
            Some(known) if known.body().expires >= chain.body().expires => Inserted::Known,
            None if self.members.len() >= ROSTER_MAX => Inserted::Full,
            _ => {
                self.members.insert(subject, chain);
                Inserted::New
            }
        }
    }

    /// Forgets a member that left; says whether it was known.
    pub fn remove(&mut self, node: NodeId) -> bool {
        self.members.remove(&node).is_some()
    }
}

/// What became of a certificate offered to a roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It was taken.
    New,
    /// It says nothing new.
    Known,
    /// There is no room: [`ROSTER_MAX`] members are known.
    Full,
}
