//! The next key of a node: kept beside the one in force until its certificate is kept too, then put in its place.

use std::fs::{self, File};
use std::io::ErrorKind::NotFound;

use ed25519_dalek::SigningKey;

use super::{KeyError, load, load_or_create};
use crate::home::{Home, HomeError};

/// The key that is to follow: the one of a rotation that was begun, or a new one.
pub fn next_key(home: &Home) -> Result<SigningKey, KeyError> {
    load_or_create(&home.next_identity_key())
}

/// The key of a rotation that was begun and not ended.
pub fn begun(home: &Home) -> Result<Option<SigningKey>, KeyError> {
    load(&home.next_identity_key())
}

/// Puts the next key in the place of the one in force; on disk when this returns.
pub fn put_in_force(home: &Home) -> Result<(), KeyError> {
    let (from, to) = (home.next_identity_key(), home.identity_key());
    let replaced = fs::rename(&from, &to).and_then(|()| File::open(home.root())?.sync_all());
    replaced.map_err(|source| HomeError::io("replace", &to, source).into())
}

/// Forgets a rotation that was begun, if there is one.
pub fn forget_next(home: &Home) -> Result<(), KeyError> {
    let path = home.next_identity_key();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != NotFound => Err(HomeError::io("remove", &path, error).into()),
        _ => Ok(()),
    }
}
