//! Seals what a caller hands back: nobody else can make it, read it, or use it for another request.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::BASE64URL_NOPAD;

/// Bytes of the nonce before the sealed text.
const NONCE_BYTES: usize = 24;
/// Characters of sealed text that are looked at.
const SEALED_MAX: usize = 512;

/// Begins what this seals, so that an upstream's own state is told from it.
const MARK: &str = "peerage.";

/// A key of this run alone: what it seals is of no use after a restart, and neither are the calls it names.
pub(super) struct Seal(XChaCha20Poly1305);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// A fresh key; `None` where the machine has no randomness.
    pub(super) fn new() -> Option<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).ok()?;
        Some(Self(XChaCha20Poly1305::new(&key.into())))
    }

    /// `text`, sealed for whoever has the same `binding`.
    pub(super) fn seal(&self, text: &[u8], binding: &[u8]) -> Option<String> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let payload = Payload {
            msg: text,
            aad: binding,
        };
        let sealed = self.0.encrypt(XNonce::from_slice(&nonce), payload).ok()?;
        let whole = [&nonce[..], &sealed].concat();
        Some(format!("{MARK}{}", BASE64URL_NOPAD.encode(&whole)))
    }

    /// What was sealed; `None` where it is not whole, or was sealed for another `binding`.
    pub(super) fn open(&self, sealed: &str, binding: &[u8]) -> Option<Vec<u8>> {
        if sealed.len() > SEALED_MAX {
            return None;
        }
        let text = sealed.strip_prefix(MARK)?;
        let whole = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (nonce, sealed) = whole.split_at_checked(NONCE_BYTES)?;
        let payload = Payload {
            msg: sealed,
            aad: binding,
        };
        self.0.decrypt(XNonce::from_slice(nonce), payload).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_same_binding_opens_what_was_sealed() {
        let seal = Seal::new().unwrap();
        let sealed = seal.seal(b"call 7", b"ada").unwrap();
        assert_eq!(seal.open(&sealed, b"ada").unwrap(), b"call 7");
        assert_eq!(seal.open(&sealed, b"bob"), None);
        assert_eq!(Seal::new().unwrap().open(&sealed, b"ada"), None);
    }

    proptest! {
        #[test]
        fn a_changed_seal_does_not_open(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_-]") {
            let seal = Seal::new().unwrap();
            let sealed = seal.seal(b"call 7", b"ada").unwrap();
            let at = at.index(sealed.len());
            let mut changed = sealed.clone();
            changed.replace_range(at..=at, &to);
            prop_assert!(changed == sealed || seal.open(&changed, b"ada").is_none());
        }

        #[test]
        fn any_text_is_refused(text in "\\PC{0,80}") {
            prop_assert_eq!(Seal::new().unwrap().open(&text, b""), None);
        }
    }
}
