//! Ed25519 that checks each signature once in a world: a thousand nodes are shown the same certificates.

use std::sync::{Mutex, PoisonError};

use peerage_protocol::signature::{Ed25519, Signature, Verifier};
use rustc_hash::FxHashMap;

/// Remembers every verdict.
#[derive(Default)]
pub(crate) struct MemoisingVerifier {
    known: Mutex<FxHashMap<[u8; 32], bool>>,
}

impl Verifier for MemoisingVerifier {
    fn verify(&self, public_key: &[u8; 32], message: &[u8], signature: &Signature) -> bool {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(public_key)
            .update(&signature.0)
            .update(message);
        let question = *hasher.finalize().as_bytes();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known
            .entry(question)
            .or_insert_with(|| Ed25519.verify(public_key, message, signature))
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use peerage_protocol::signature::Signer;

    use super::*;

    #[test]
    fn a_verdict_is_the_same_the_second_time_and_belongs_to_all_three_parts() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let signature = key.sign(b"message");
        let public_key = key.public_key();
        let verifier = MemoisingVerifier::default();
        for _ in 0..2 {
            assert!(verifier.verify(&public_key, b"message", &signature));
            assert!(!verifier.verify(&public_key, b"another", &signature));
            assert!(!verifier.verify(&[2; 32], b"message", &signature));
            assert!(!verifier.verify(&public_key, b"message", &Signature([0; 64])));
        }
    }
}
