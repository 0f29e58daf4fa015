//! The bytes between nodes: frames, the gate handshake, calls, announcements, summaries, manifests, the log, soundings.

pub mod announcement;
pub mod call;
pub mod failure;
pub mod frame;
pub mod hello;
pub mod log;
pub mod manifests;
pub mod sounding;
pub mod summary;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The CBOR encoding (RFC 8949) of `value`; members in the order of their declaration.
pub(crate) fn encode_cbor<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("writing to memory does not fail");
    bytes
}

/// Reads one CBOR value that takes up all of `bytes`.
pub(crate) fn decode_cbor<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, CborError> {
    let value = ciborium::from_reader(&mut bytes).map_err(|error| CborError::Value {
        why: match error {
            ciborium::de::Error::Semantic(_, why) => why,
            other => other.to_string(),
        },
    })?;
    if !bytes.is_empty() {
        return Err(CborError::Trailing { found: bytes.len() });
    }
    Ok(value)
}

/// Why bytes are not the CBOR that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// Not CBOR, or not the members that are needed.
    #[error("{why}")]
    Value {
        /// What the decoder found wrong.
        why: String,
    },
    /// Something follows the value.
    #[error("{found} bytes follow the value")]
    Trailing {
        /// How many.
        found: usize,
    },
}
