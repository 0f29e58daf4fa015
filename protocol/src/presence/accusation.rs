//! Accusations: a watcher's signed word that a member has fallen silent, or a member's own that it stops.

use serde::{Deserialize, Serialize};

use crate::id::{MeshId, NodeId};
use crate::signature::{Signature, Signer, Verifier};
use crate::wire::encode_cbor;

/// Separates signatures over accusations from signatures over anything else.
const SIGNING_CONTEXT: &[u8] = b"peerage accusation v1\0";

/// Says that one member does not answer any more. It is cleared by a record of the accused with a higher sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accusation {
    /// Who is silent.
    pub accused: NodeId,
    /// The sequence of its latest record that the accuser knew.
    pub incarnation: u64,
    /// Who says so; where it is the accused itself, it has stopped and will not answer.
    pub accuser: NodeId,
    /// By the accuser.
    pub signature: Signature,
}

#[derive(Serialize)]
struct Signed {
    mesh: MeshId,
    accused: NodeId,
    incarnation: u64,
}

impl Accusation {
    /// An accusation signed by `signer`.
    pub fn sign(signer: &dyn Signer, mesh: MeshId, accused: NodeId, incarnation: u64) -> Self {
        let bytes = signing_bytes(mesh, accused, incarnation);
        Self {
            accused,
            incarnation,
            accuser: NodeId::from_public_key(signer.public_key()),
            signature: signer.sign(&bytes),
        }
    }

    /// Whether the accuser signed it for `mesh`.
    pub fn verify(&self, mesh: MeshId, verifier: &dyn Verifier) -> bool {
        let bytes = signing_bytes(mesh, self.accused, self.incarnation);
        verifier.verify(self.accuser.public_key(), &bytes, &self.signature)
    }

    /// Whether the accused says it of itself: it has stopped.
    pub fn is_own(&self) -> bool {
        self.accused == self.accuser
    }
}

fn signing_bytes(mesh: MeshId, accused: NodeId, incarnation: u64) -> Vec<u8> {
    let signed = Signed {
        mesh,
        accused,
        incarnation,
    };
    let mut bytes = SIGNING_CONTEXT.to_vec();
    bytes.extend(encode_cbor(&signed));
    bytes
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::signature::Ed25519;
    use crate::wire::decode_cbor;

    fn mesh() -> MeshId {
        MeshId::from_public_key([1; 32])
    }

    #[test]
    fn only_the_accuser_can_have_signed_it_and_only_for_this() {
        let (key, accused) = (
            SigningKey::from_bytes(&[2; 32]),
            NodeId::from_public_key([3; 32]),
        );
        let accusation = Accusation::sign(&key, mesh(), accused, 7);
        assert!(accusation.verify(mesh(), &Ed25519) && !accusation.is_own());
        let other_mesh = MeshId::from_public_key([9; 32]);
        assert!(!accusation.verify(other_mesh, &Ed25519));
        let later = Accusation {
            incarnation: 8,
            ..accusation.clone()
        };
        assert!(!later.verify(mesh(), &Ed25519));
        let another = Accusation {
            accuser: accused,
            ..accusation
        };
        assert!(!another.verify(mesh(), &Ed25519));
    }

    #[test]
    fn the_bytes_of_an_accusation_are_fixed() {
        let accusation = Accusation {
            accused: NodeId::from_public_key([2; 32]),
            incarnation: 300,
            accuser: NodeId::from_public_key([3; 32]),
            signature: Signature([9; 64]),
        };
        let golden = [
            b"\xa4gaccused\x58\x20",
            &[2; 32][..],
            b"kincarnation\x19\x01\x2cgaccuser\x58\x20",
            &[3; 32],
            b"isignature\x58\x40",
            &[9; 64],
        ]
        .concat();
        assert_eq!(encode_cbor(&accusation), golden);
        assert_eq!(decode_cbor::<Accusation>(&golden), Ok(accusation));
    }
}
