//! The gate's codec: a length checked before allocation, one CBOR item, zero padding.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::GATE_MESSAGE_BYTES_MAX;

/// Bytes before each message: its length, big-endian.
pub const LENGTH_PREFIX_BYTES: usize = 4;

/// One of the four messages of the handshake.
pub trait GateMessage: Serialize + DeserializeOwned {
    /// What errors call it.
    const NAME: &'static str;

    /// The length its body is padded to; 0 for none.
    fn padded_length(&self) -> usize {
        0
    }

    /// What the encoding alone cannot promise.
    fn check(&self) -> Result<(), GateCodecError> {
        Ok(())
    }
}

/// The bytes of `message`, length prefix included.
pub fn encode<M: GateMessage>(message: &M) -> Result<Vec<u8>, GateCodecError> {
    let mut frame = vec![0; LENGTH_PREFIX_BYTES];
    ciborium::into_writer(message, &mut frame).expect("writing to memory does not fail");
    let padded = LENGTH_PREFIX_BYTES + message.padded_length();
    frame.resize(frame.len().max(padded), 0);
    let length = frame.len() - LENGTH_PREFIX_BYTES;
    let prefix = u32::try_from(length)
        .ok()
        .filter(|_| length <= GATE_MESSAGE_BYTES_MAX)
        .ok_or(GateCodecError::TooLong { found: length })?;
    frame[..LENGTH_PREFIX_BYTES].copy_from_slice(&prefix.to_be_bytes());
    Ok(frame)
}

/// The length of the body that follows `prefix`; to be asked before anything is allocated for it.
pub fn body_length(prefix: [u8; LENGTH_PREFIX_BYTES]) -> Result<usize, GateCodecError> {
    let found = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if found > GATE_MESSAGE_BYTES_MAX {
        return Err(GateCodecError::TooLong { found });
    }
    Ok(found)
}

/// Reads a body that [`body_length`] measured.
pub fn decode<M: GateMessage>(body: &[u8]) -> Result<M, GateCodecError> {
    let malformed = GateCodecError::Malformed { message: M::NAME };
    if body.len() > GATE_MESSAGE_BYTES_MAX {
        return Err(GateCodecError::TooLong { found: body.len() });
    }
    let mut rest = body;
    let message: M = ciborium::from_reader(&mut rest).map_err(|_| malformed.clone())?;
    if rest.iter().any(|byte| *byte != 0) {
        return Err(malformed);
    }
    message.check()?;
    Ok(message)
}

/// Why bytes are not a message of the gate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateCodecError {
    /// Longer than [`GATE_MESSAGE_BYTES_MAX`].
    #[error("a gate message of {found} bytes; at most {GATE_MESSAGE_BYTES_MAX} are allowed")]
    TooLong {
        /// Its length.
        found: usize,
    },
    /// The first bytes are another program's.
    #[error("the other end is not a Peerage node")]
    NotPeerage,
    /// Not the CBOR that belongs here.
    #[error("the {message} of the other end is malformed")]
    Malformed {
        /// Which message was expected.
        message: &'static str,
    },
}
