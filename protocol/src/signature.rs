//! Signing and verifying, injected so that simulations may memoise and nodes may guard their keys.

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// An Ed25519 signature (RFC 8032): 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(#[serde(with = "serde_bytes")] pub [u8; 64]);

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}…", data_encoding::HEXLOWER.encode(&self.0[..6]))
    }
}

/// Checks Ed25519 signatures.
pub trait Verifier: Send + Sync {
    /// Whether `signature` over `message` was made by the holder of `public_key`.
    fn verify(&self, public_key: &[u8; 32], message: &[u8], signature: &Signature) -> bool;
}

/// Signs with one Ed25519 key.
pub trait Signer: Send + Sync {
    /// The public half of the key.
    fn public_key(&self) -> [u8; 32];
    /// The signature over `message`.
    fn sign(&self, message: &[u8]) -> Signature;
}

/// The real thing: Ed25519 with strict verification (no small-order keys, canonical scalars).
#[derive(Clone, Copy, Debug, Default)]
pub struct Ed25519;

impl Verifier for Ed25519 {
    fn verify(&self, public_key: &[u8; 32], message: &[u8], signature: &Signature) -> bool {
        VerifyingKey::from_bytes(public_key).is_ok_and(|key| {
            key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0))
                .is_ok()
        })
    }
}

impl Signer for SigningKey {
    fn public_key(&self) -> [u8; 32] {
        self.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> Signature {
        Signature(ed25519_dalek::Signer::sign(self, message).to_bytes())
    }
}
