//! Reassignments: an admin's signed word that another node decides on a task from here on.
//!
//! Such a word proves itself: whether it counts depends on nothing but what is in it, so that every node that holds it
//! judges it alike, whoever was put out of the mesh or took another key since, and after every start.

use serde::{Deserialize, Serialize};

use super::identifiers::TaskId;
use crate::id::{MeshId, NodeId};
use crate::membership::certificate::{CertificateChain, Role, Validity};
use crate::signature::{Signature, Signer, Verifier};
use crate::time::Timestamp;
use crate::wire::encode_cbor;

/// Separates signatures over reassignments from those of anything else.
const SIGNING_CONTEXT: &[u8] = b"peerage reassignment v1\0";

/// What an admin says, before it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReassignmentBody {
    /// Which task.
    pub task: TaskId,
    /// One more than the round before; the creator's node decides in round 0.
    pub round: u32,
    /// When it was said, by the admin's clock.
    pub at: Timestamp,
    /// Who decides.
    pub arbiter: NodeId,
}

/// What an admin said, with all that shows that it was one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reassignment {
    /// What it said.
    pub body: ReassignmentBody,
    /// The admin's certificate.
    pub admin: CertificateChain,
    /// By the admin's node, over mesh and body.
    pub signature: Signature,
}

impl Reassignment {
    /// Signs with the key that `admin` certifies.
    pub fn sign(
        body: ReassignmentBody,
        mesh: MeshId,
        admin: CertificateChain,
        signer: &dyn Signer,
    ) -> Self {
        let signature = signer.sign(&signing_bytes(mesh, &body));
        Self {
            body,
            admin,
            signature,
        }
    }

    /// Who said it.
    pub fn by(&self) -> NodeId {
        self.admin.body().subject
    }

    /// Whether an admin of this mesh said it while its certificate was valid.
    pub fn proves(&self, mesh: MeshId, verifier: &dyn Verifier) -> bool {
        let admin = self.admin.body();
        let signed = signing_bytes(mesh, &self.body);
        self.body.round > 0
            && admin.role == Role::Admin
            && self.admin.validity(self.body.at) == Validity::Valid
            && verifier.verify(admin.subject.public_key(), &signed, &self.signature)
            && self.admin.verify(mesh, verifier).is_ok()
    }
}

fn signing_bytes(mesh: MeshId, body: &ReassignmentBody) -> Vec<u8> {
    [SIGNING_CONTEXT, &encode_cbor(&(mesh, body))].concat()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::limits::CERTIFICATE_LIFETIME;
    use crate::membership::certificate::CertificateBody;
    use crate::signature::Ed25519;

    const AT: Timestamp = Timestamp(1_800_000_000_000);
    const OTHER: NodeId = NodeId::from_public_key([3; 32]);

    fn root() -> SigningKey {
        SigningKey::from_bytes(&[100; 32])
    }

    fn mesh() -> MeshId {
        MeshId::from_public_key(root().public_key())
    }

    fn certified(key: &SigningKey, role: Role) -> CertificateChain {
        let body = CertificateBody {
            version: CertificateBody::version_for(role),
            mesh: mesh(),
            serial: 1,
            subject: NodeId::from_public_key(key.public_key()),
            name: role.to_string().parse().unwrap(),
            role,
            not_before: AT,
            expires: AT + CERTIFICATE_LIFETIME,
            only: Vec::new(),
            replaces: None,
        };
        body.sign(&root(), Vec::new())
    }

    /// The word of the holder of this key that `arbiter` decides.
    pub(in crate::tasks) fn reassignment(
        key: u8,
        task: TaskId,
        round: u32,
        arbiter: NodeId,
    ) -> Reassignment {
        let key = SigningKey::from_bytes(&[key; 32]);
        let body = ReassignmentBody {
            task,
            round,
            at: AT,
            arbiter,
        };
        Reassignment::sign(body, mesh(), certified(&key, Role::Admin), &key)
    }

    #[test]
    fn an_admins_word_proves_itself_to_whoever_knows_the_mesh() {
        let word = reassignment(1, TaskId([1; 16]), 1, OTHER);
        assert!(word.proves(mesh(), &Ed25519));
        assert!(!word.proves(MeshId::from_public_key([8; 32]), &Ed25519));
    }

    #[test]
    fn nobody_but_an_admin_in_its_time_names_an_arbiter_and_no_word_is_changed() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let good = reassignment(1, TaskId([1; 16]), 1, OTHER);
        let mut changed = good.clone();
        changed.body.round = 2;
        let first = reassignment(1, TaskId([1; 16]), 0, OTHER);
        let mut by_member = good.clone();
        by_member.admin = certified(&key, Role::Member);
        let mut by_another = good.clone();
        by_another.admin = certified(&SigningKey::from_bytes(&[2; 32]), Role::Admin);
        let late = ReassignmentBody {
            at: good.admin.end(),
            ..good.body
        };
        let late = Reassignment::sign(late, mesh(), good.admin, &key);
        for word in [changed, first, by_member, by_another, late] {
            assert!(!word.proves(mesh(), &Ed25519), "{word:?}");
        }
    }
}
