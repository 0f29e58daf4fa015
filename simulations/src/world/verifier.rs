//! Ed25519 that checks each signature once in a world: a thousand nodes are shown the same certificates.

use std::sync::{Mutex, PoisonError};

use peerage_protocol::signature::{Ed25519, Signature, Verifier};
use rustc_hash::FxHashMap;

/// Remembers the verdict on the first key and message that each signature came with; others are checked each time.
#[derive(Default)]
pub(crate) struct MemoisingVerifier {
    known: Mutex<FxHashMap<[u8; 64], Verdict>>,
}

struct Verdict {
    public_key: [u8; 32],
    message: Box<[u8]>,
    holds: bool,
}

impl Verifier for MemoisingVerifier {
    fn verify(&self, public_key: &[u8; 32], message: &[u8], signature: &Signature) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&signature.0) {
            Some(verdict) if verdict.public_key == *public_key && *verdict.message == *message => {
                verdict.holds
            }
            Some(_) => Ed25519.verify(public_key, message, signature),
            None => {
                let holds = Ed25519.verify(public_key, message, signature);
                let verdict = Verdict {
                    public_key: *public_key,
                    message: message.into(),
                    holds,
                };
                known.insert(signature.0, verdict);
                holds
            }
        }
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
