//! Names of chains: whose it is, in which epoch of its author, and for whom or what.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::NodeId;

/// One run of an author's memory: 128 random bits, drawn anew whenever it cannot be sure to know all that it said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EpochId(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl fmt::Display for EpochId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for EpochId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0[..4]))
    }
}

/// What the entries of a chain are for, and so who holds them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Held by all members, told apart by a number. Those that this version does not know are carried, not understood.
    Public(u8),
    /// Held by the author, this recipient and the recipient's mailboxes.
    Direct(NodeId),
}

impl Lane {
    /// Broadcasts and topics.
    pub const MESSAGES: Self = Self::Public(1);
    /// Tasks and their grants.
    pub const TASKS: Self = Self::Public(2);
    /// Proposals and votes.
    pub const DECISIONS: Self = Self::Public(3);
    /// What is known to all.
    pub const KNOWLEDGE: Self = Self::Public(4);

    /// The lanes whose rooms keep in memory what follows from the entries, and so are handed them again after a start.
    pub const RECALLED: [Self; 2] = [Self::TASKS, Self::DECISIONS];

    /// Whether all members hold it.
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Public(_))
    }
}

/// The public lanes that have names.
const NAMES: [(Lane, &str); 4] = [
    (Lane::MESSAGES, "messages"),
    (Lane::TASKS, "tasks"),
    (Lane::DECISIONS, "decisions"),
    (Lane::KNOWLEDGE, "knowledge"),
];

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMES.iter().find(|(lane, _)| lane == self);
        match (named, self) {
            (Some((_, name)), _) => f.write_str(name),
            (None, Self::Public(number)) => write!(f, "public-{number}"),
            (None, Self::Direct(node)) => write!(f, "direct:{node}"),
        }
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Lane {
    type Err = UnknownLane;

    fn from_str(text: &str) -> Result<Self, UnknownLane> {
        let unknown = || UnknownLane {
            found: text.to_owned(),
        };
        if let Some((lane, _)) = NAMES.iter().find(|(_, name)| *name == text) {
            return Ok(*lane);
        }
        if let Some(number) = text.strip_prefix("public-") {
            return number.parse().map(Self::Public).map_err(|_| unknown());
        }
        let node = text.strip_prefix("direct:").ok_or_else(unknown)?;
        node.parse().map(Self::Direct).map_err(|_| unknown())
    }
}

/// A text that names no lane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no lane {found:?}; lanes are messages, tasks, decisions, knowledge, public-NUMBER and direct:NODE"
)]
pub struct UnknownLane {
    /// What was given.
    pub found: String,
}

/// A public lane is its number, a direct one the 32 bytes of its recipient.
impl Serialize for Lane {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Public(number) => serializer.serialize_u8(*number),
            Self::Direct(node) => serializer.serialize_bytes(node.public_key()),
        }
    }
}

impl<'de> Deserialize<'de> for Lane {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LaneVisitor)
    }
}

struct LaneVisitor;

impl Visitor<'_> for LaneVisitor {
    type Value = Lane;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of a public lane or the key of a recipient")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Lane, E> {
        let number = u8::try_from(number);
        number
            .map(Lane::Public)
            .map_err(|_| E::custom("a public lane is a number up to 255"))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Lane, E> {
        let key = <[u8; 32]>::try_from(bytes);
        key.map(|key| Lane::Direct(NodeId::from_public_key(key)))
            .map_err(|_| E::invalid_length(bytes.len(), &"32 bytes"))
    }
}

/// Names a chain: append-only, numbered from 1, each entry naming the one before by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChainId {
    /// Who signs it.
    pub author: NodeId,
    /// In which epoch of the author.
    pub epoch: EpochId,
    /// For whom or what.
    pub lane: Lane,
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.author, self.epoch, self.lane)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::wire::{decode_cbor, encode_cbor};

    fn any_lane() -> impl Strategy<Value = Lane> {
        let direct = any::<[u8; 32]>().prop_map(NodeId::from_public_key);
        prop_oneof![
            any::<u8>().prop_map(Lane::Public),
            direct.prop_map(Lane::Direct)
        ]
    }

    #[test]
    fn the_bytes_of_lanes_are_fixed() {
        assert_eq!(encode_cbor(&Lane::MESSAGES), [1]);
        assert_eq!(encode_cbor(&Lane::Public(200)), [0x18, 200]);
        let direct = Lane::Direct(NodeId::from_public_key([7; 32]));
        assert_eq!(encode_cbor(&direct), [&[0x58, 32][..], &[7; 32]].concat());
    }

    #[test]
    fn what_names_no_lane_is_refused() {
        assert!("news".parse::<Lane>().is_err());
        assert!("public-256".parse::<Lane>().is_err());
        assert!(decode_cbor::<Lane>(&[0x19, 1, 0]).is_err());
        assert!(decode_cbor::<Lane>(&[0x41, 7]).is_err());
    }

    proptest! {
        #[test]
        fn every_lane_is_read_back_from_bytes_and_from_text(lane in any_lane()) {
            prop_assert_eq!(decode_cbor::<Lane>(&encode_cbor(&lane)), Ok(lane));
            prop_assert_eq!(lane.to_string().parse::<Lane>(), Ok(lane));
        }
    }
}
