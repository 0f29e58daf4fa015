//! Another key for a node: the old key names the new one, and the new one says that it is wanted.
//!
//! An admin that sees both signatures certifies the new key with the name and the rights of the old one, and puts the
//! old one out: see `node_state/rotating.rs`.

use serde::{Deserialize, Serialize};

use crate::id::{MeshId, NodeId};
use crate::signature::{Signature, Signer, Verifier};
use crate::wire::encode_cbor;

/// Separates signatures over rotations from signatures over anything else.
const SIGNING_CONTEXT: &[u8] = b"peerage key rotation v1\0";

/// The word of two keys that one takes the place of the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// Where.
    pub mesh: MeshId,
    /// The key that is to end.
    pub old: NodeId,
    /// The key that takes its place.
    pub new: NodeId,
    /// By the old key.
    pub old_signature: Signature,
    /// By the new key: nobody's key takes a place against its holder's will.
    pub new_signature: Signature,
}

#[derive(Serialize)]
struct Signed {
    mesh: MeshId,
    old: NodeId,
    new: NodeId,
}

impl Rotation {
    /// Signs with both keys.
    pub fn sign(mesh: MeshId, old: &dyn Signer, new: &dyn Signer) -> Self {
        let ids = [old, new].map(|key| NodeId::from_public_key(key.public_key()));
        let bytes = signing_bytes(mesh, ids[0], ids[1]);
        Self {
            mesh,
            old: ids[0],
            new: ids[1],
            old_signature: old.sign(&bytes),
            new_signature: new.sign(&bytes),
        }
    }

    /// Whether both keys signed it, and are two.
    pub fn verify(&self, verifier: &dyn Verifier) -> bool {
        let bytes = signing_bytes(self.mesh, self.old, self.new);
        let signed =
            |node: NodeId, signature| verifier.verify(node.public_key(), &bytes, signature);
        self.old != self.new
            && signed(self.old, &self.old_signature)
            && signed(self.new, &self.new_signature)
    }
}

fn signing_bytes(mesh: MeshId, old: NodeId, new: NodeId) -> Vec<u8> {
    let mut bytes = SIGNING_CONTEXT.to_vec();
    bytes.extend(encode_cbor(&Signed { mesh, old, new }));
    bytes
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::signature::Ed25519;

    fn rotation() -> Rotation {
        let mesh = MeshId::from_public_key([1; 32]);
        let keys = [2, 3].map(|byte| SigningKey::from_bytes(&[byte; 32]));
        Rotation::sign(mesh, &keys[0], &keys[1])
    }

    #[test]
    fn both_keys_must_have_signed_just_this() {
        let good = rotation();
        assert!(good.verify(&Ed25519));
        let others = [
            Rotation {
                mesh: MeshId::from_public_key([9; 32]),
                ..good.clone()
            },
            Rotation {
                old: good.new,
                new: good.old,
                ..good.clone()
            },
            Rotation {
                new_signature: good.old_signature,
                ..good.clone()
            },
            Rotation {
                old_signature: good.new_signature,
                ..good
            },
        ];
        for other in others {
            assert!(!other.verify(&Ed25519), "{other:?}");
        }
    }

    #[test]
    fn what_is_signed_in_version_one_is_fixed() {
        let shown = data_encoding::HEXLOWER.encode(&rotation().old_signature.0[..16]);
        assert_eq!(shown, "326431f8eb22dce3fcab64902ada7914");
    }
}
