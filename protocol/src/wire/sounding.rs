//! The sounding: a question that shows how far away a member is, how its clock stands, and whether it hears another
//! node with the asker's key.

use serde::{Deserialize, Serialize};

use super::{CborError, decode_cbor, encode_cbor};
use crate::time::Timestamp;

/// Most bytes of what a node says of where it runs.
pub const PLACE_BYTES_MAX: usize = 128;

/// Random, made anew with each start: tells two nodes with one key apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Instance(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// The question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sounding {
    /// Which of the nodes with its key asks.
    pub instance: Instance,
    /// Where it runs, for its owner's eyes: at most [`PLACE_BYTES_MAX`] bytes.
    pub place: String,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sounded {
    /// The answerer's clock.
    pub wall: Timestamp,
    /// Where another live node with the asker's key runs, as that one says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
}

impl Sounding {
    /// The bytes of the question.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads a question.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let sounding: Self = decode_cbor(bytes)?;
        bounded(&sounding.place)?;
        Ok(sounding)
    }
}

impl Sounded {
    /// The bytes of the answer.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads an answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let sounded: Self = decode_cbor(bytes)?;
        sounded.other.as_deref().map_or(Ok(()), bounded)?;
        Ok(sounded)
    }
}

fn bounded(place: &str) -> Result<(), CborError> {
    match place.len() <= PLACE_BYTES_MAX {
        true => Ok(()),
        false => Err(CborError::Value {
            why: format!("a place of more than {PLACE_BYTES_MAX} bytes"),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_encoding_is_fixed() {
        let question = Sounding {
            instance: Instance([7; 16]),
            place: "desk".to_owned(),
        };
        let bytes = b"\xa2hinstanceP\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07eplaceddesk";
        assert_eq!(question.encode(), bytes);
        assert_eq!(Sounding::decode(bytes), Ok(question));
        let answer = |other: Option<&str>| Sounded {
            wall: Timestamp(24),
            other: other.map(str::to_owned),
        };
        assert_eq!(answer(None).encode(), b"\xa1dwall\x18\x18");
        let bytes = b"\xa2dwall\x18\x18eothercold";
        assert_eq!(answer(Some("old")).encode(), bytes);
        assert_eq!(Sounded::decode(bytes), Ok(answer(Some("old"))));
    }

    #[test]
    fn a_place_is_bounded_both_ways() {
        let question = Sounding {
            instance: Instance([7; 16]),
            place: "x".repeat(PLACE_BYTES_MAX + 1),
        };
        assert!(Sounding::decode(&question.encode()).is_err());
        let answer = Sounded {
            wall: Timestamp(0),
            other: Some(question.place),
        };
        assert!(Sounded::decode(&answer.encode()).is_err());
    }
}
