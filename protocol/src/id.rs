//! Identifiers of nodes, meshes, servers and agents, each parsed once into a type that cannot be wrong.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Multihash and protobuf prefix that libp2p puts before an Ed25519 public key to form a peer id
/// (identity multihash of 36 bytes: key type 1, 32 bytes of key; libp2p peer-ids specification).
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// A node, named by its Ed25519 public key; displayed as the libp2p peer id (`12D3Koo…`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(#[serde(with = "serde_bytes")] [u8; 32]);

/// The order of the keys' bytes. Nearly all are told apart by the first eight, which is one comparison in place of a
/// call: maps of nodes are searched for almost everything.
impl Ord for NodeId {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_beginning = self.leading_u64().cmp(&other.leading_u64());
        by_beginning.then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for NodeId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl NodeId {
    /// The node whose Ed25519 public key is `key`.
    pub const fn from_public_key(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The Ed25519 public key.
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 8 bytes of the key as a big-endian number: in the order of node ids.
    pub const fn leading_u64(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The binary libp2p peer id: 38 bytes.
    pub fn to_peer_id_bytes(&self) -> [u8; 38] {
        let mut bytes = [0; 38];
        bytes[..6].copy_from_slice(&PEER_ID_PREFIX);
        bytes[6..].copy_from_slice(&self.0);
        bytes
    }

    /// Reads a binary libp2p peer id; `None` unless it is an inlined Ed25519 key.
    pub fn from_peer_id_bytes(bytes: &[u8]) -> Option<Self> {
        let key = bytes.strip_prefix(&PEER_ID_PREFIX)?;
        Some(Self(key.try_into().ok()?))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bs58::encode(self.to_peer_id_bytes()).into_string())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for NodeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = decode_base58(text)?;
        Self::from_peer_id_bytes(&bytes).ok_or(IdError::NotAnEd25519PeerId)
    }
}

/// A mesh, named by the Ed25519 public key of its root; whoever knows it can check every certificate offline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MeshId(#[serde(with = "serde_bytes")] [u8; 32]);

impl MeshId {
    /// The mesh whose root public key is `key`.
    pub const fn from_public_key(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The root public key.
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for MeshId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bs58::encode(self.0).into_string())
    }
}

impl fmt::Debug for MeshId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MeshId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = decode_base58(text)?;
        let key = <[u8; 32]>::try_from(bytes).map_err(|bytes| IdError::Length {
            expected: 32,
            found: bytes.len(),
        })?;
        Ok(Self(key))
    }
}

/// A BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(#[serde(with = "serde_bytes")] [u8; 32]);

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 8 bytes as a big-endian number.
    pub const fn leading_u64(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0[..8]))
    }
}

/// Longest text that is decoded as base58: quadratic work stays small.
const LONGEST_BASE58: usize = 64;

fn decode_base58(text: &str) -> Result<Vec<u8>, IdError> {
    if text.len() > LONGEST_BASE58 {
        return Err(IdError::Length {
            expected: LONGEST_BASE58,
            found: text.len(),
        });
    }
    bs58::decode(text)
        .into_vec()
        .map_err(|_| IdError::NotBase58)
}

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Characters outside base58.
    #[error("it is not base58")]
    NotBase58,
    /// Base58, but not an inlined Ed25519 peer id.
    #[error("it is not the peer id of an Ed25519 key (those begin with 12D3Koo)")]
    NotAnEd25519PeerId,
    /// The wrong length.
    #[error("it has {found} bytes where {expected} are expected")]
    Length {
        /// What the identifier needs.
        expected: usize,
        /// What was given.
        found: usize,
    },
}

macro_rules! short_name {
    ($(#[$doc:meta])* $name:ident, $noun:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text: 1 to 20 characters of `[a-z0-9-]`.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check_short_name($noun, text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                check_short_name($noun, &text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

short_name!(
    /// The name of a node, unique within its mesh.
    NodeName,
    "node"
);
short_name!(
    /// The name of a region: a part of the mesh whose nodes are near each other.
    RegionName,
    "region"
);
short_name!(
    /// The name of an upstream MCP server, unique within its node.
    ServerName,
    "server"
);
short_name!(
    /// The name of an agent, unique within its node; shown to others as `name@node`.
    AgentName,
    "agent"
);

/// Most characters in the name of a node, server or agent.
pub const SHORT_NAME_MAX: usize = 20;

fn check_short_name(noun: &'static str, text: &str) -> Result<(), NameError> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match text {
        "" => Err(NameError::Empty { noun }),
        _ if text.len() > SHORT_NAME_MAX => Err(NameError::TooLong {
            noun,
            found: text.len(),
        }),
        _ => match text.chars().find(|c| !valid(*c)) {
            Some(character) => Err(NameError::Character { noun, character }),
            None => Ok(()),
        },
    }
}

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing given.
    #[error("the {noun} name is empty; use 1 to 20 characters of a-z, 0-9 and -")]
    Empty {
        /// What is named.
        noun: &'static str,
    },
    /// More than [`SHORT_NAME_MAX`] characters.
    #[error(
        "the {noun} name has {found} bytes; at most 20 characters of a-z, 0-9 and - are allowed"
    )]
    TooLong {
        /// What is named.
        noun: &'static str,
        /// Its length in bytes.
        found: usize,
    },
    /// A character outside `[a-z0-9-]`.
    #[error("the {noun} name contains {character:?}; only a-z, 0-9 and - are allowed")]
    Character {
        /// What is named.
        noun: &'static str,
        /// The first offender.
        character: char,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_id_is_shown_as_the_libp2p_peer_id_and_read_back() {
        let node = NodeId::from_public_key([7; 32]);
        let text = node.to_string();
        assert!(text.starts_with("12D3Koo"), "{text}");
        assert_eq!(text.parse::<NodeId>(), Ok(node));
    }

    #[test]
    fn a_peer_id_of_another_key_kind_is_refused() {
        assert_eq!(
            "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".parse::<NodeId>(),
            Err(IdError::NotAnEd25519PeerId)
        );
    }

    #[test]
    fn names_outside_the_alphabet_are_refused_by_character() {
        assert_eq!(
            "Laptop".parse::<NodeName>(),
            Err(NameError::Character {
                noun: "node",
                character: 'L'
            })
        );
        assert!("a".repeat(21).parse::<ServerName>().is_err());
        assert!("".parse::<AgentName>().is_err());
        assert!("my-laptop-2".parse::<NodeName>().is_ok());
    }
}
