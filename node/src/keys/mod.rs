//! The node's own key and the mesh's root key: made in the home and kept there; the root key can be shown as words.

mod recovery;
mod rotation;

use std::path::Path;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

pub use recovery::{RECOVERY_WORDS, RecoveryError, key_of_words, recovery_words};
pub use rotation::{begun, forget_next, next_key, put_in_force};

use crate::home::{HomeError, read_secret, write_secret};

/// Reads the Ed25519 key at `path`; `None` where there is none.
pub fn load(path: &Path) -> Result<Option<SigningKey>, KeyError> {
    let secret = read_secret::<32>(path)?;
    Ok(secret.map(|secret| SigningKey::from_bytes(&secret)))
}

/// Reads the Ed25519 key at `path`, or makes one and keeps it there.
pub fn load_or_create(path: &Path) -> Result<SigningKey, KeyError> {
    match load(path)? {
        Some(key) => Ok(key),
        None => create(path),
    }
}

/// Keeps `key` at `path`; it is on disk when this returns.
pub fn keep(path: &Path, key: &SigningKey) -> Result<(), KeyError> {
    let secret = Zeroizing::new(key.to_bytes());
    Ok(write_secret(path, secret.as_ref())?)
}

/// Makes an Ed25519 key; it is on disk at `path` when this returns.
pub fn create(path: &Path) -> Result<SigningKey, KeyError> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut()).map_err(|_| KeyError::NoRandomness)?;
    write_secret(path, secret.as_ref())?;
    Ok(SigningKey::from_bytes(&secret))
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written, or others may read it.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The system has no randomness to give.
    #[error("the system's random number generator failed")]
    NoRandomness,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        assert!(load(&path).unwrap().is_none());
        let made = load_or_create(&path).unwrap();
        let found = load_or_create(&path).unwrap();
        assert_eq!(made.to_bytes(), found.to_bytes());
    }
}
