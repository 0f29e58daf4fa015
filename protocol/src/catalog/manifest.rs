//! Manifests: what one node offers to one audience, pulled by hash.
//!
//! The encoding is deterministic, so the same offer has the same hash. Tool definitions are raw JSON that this crate
//! carries and does not read: whoever lists them checks them first.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalog::shelf::{Shelf, ShelfError};
use crate::id::{Hash, ServerName};
use crate::limits::{
    MANIFEST_BYTES_MAX, MANIFEST_ITEMS_MAX, MANIFEST_SERVERS_MAX, MANIFEST_TOOLS_MAX,
    TOOL_NAME_BYTES_MAX,
};
use crate::mutation::Mutation;
use crate::wire::{CborError, decode_cbor, encode_cbor};

/// The version of the manifest's encoding.
pub const MANIFEST_VERSION: u16 = 1;

/// What a node offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this encoding.
    pub version: u16,
    /// The servers, each named once.
    pub servers: Vec<ServerManifest>,
}

/// What one server offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerManifest {
    /// Its name at its node.
    pub name: ServerName,
    /// Its tools in its own order, each named once.
    pub tools: Vec<ToolEntry>,
    /// Its prompts and resources.
    #[serde(default, skip_serializing_if = "Shelf::is_empty")]
    pub shelf: Shelf,
}

/// One tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolEntry {
    /// Its name at its server: any text of at most [`TOOL_NAME_BYTES_MAX`] bytes.
    pub name: Arc<str>,
    /// The raw JSON object that describes it, as its server gave it.
    pub definition: Arc<str>,
}

/// A manifest as it travels, with the hash it is asked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedManifest {
    /// The CBOR encoding, at most [`MANIFEST_BYTES_MAX`] bytes.
    pub bytes: Vec<u8>,
    /// BLAKE3 of `bytes`.
    pub hash: Hash,
}

impl Manifest {
    /// An offer of `servers` in this version's encoding.
    pub const fn new(servers: Vec<ServerManifest>) -> Self {
        Self {
            version: MANIFEST_VERSION,
            servers,
        }
    }

    /// The bytes that travel; refuses what the other end would refuse.
    pub fn encode(&self) -> Result<EncodedManifest, ManifestError> {
        self.check()?;
        let bytes = encode_cbor(self);
        check_bound("bytes", bytes.len(), MANIFEST_BYTES_MAX)?;
        let hash = Hash::of(&bytes);
        Ok(EncodedManifest { bytes, hash })
    }

    /// Reads a manifest that was asked for by `hash`.
    pub fn decode(bytes: &[u8], hash: Hash) -> Result<Self, ManifestError> {
        check_bound("bytes", bytes.len(), MANIFEST_BYTES_MAX)?;
        let found = Hash::of(bytes);
        if found != hash && !Mutation::TakeAnyManifest.is_on() {
            return Err(ManifestError::OtherHash {
                expected: hash,
                found,
            });
        }
        let manifest: Self = decode_cbor(bytes)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.version != MANIFEST_VERSION {
            return Err(ManifestError::Version {
                found: self.version,
            });
        }
        check_bound("servers", self.servers.len(), MANIFEST_SERVERS_MAX)?;
        let tools = self.servers.iter().map(|server| server.tools.len()).sum();
        check_bound("tools", tools, MANIFEST_TOOLS_MAX)?;
        let items = self.servers.iter().map(|server| server.shelf.len()).sum();
        check_bound("prompts and resources", items, MANIFEST_ITEMS_MAX)?;
        let mut seen = BTreeSet::new();
        for server in &self.servers {
            if !seen.insert(&server.name) {
                return Err(ManifestError::DuplicateServer {
                    server: server.name.clone(),
                });
            }
            server.check()?;
        }
        Ok(())
    }
}

impl ServerManifest {
    fn check(&self) -> Result<(), ManifestError> {
        let mut seen = BTreeSet::new();
        for tool in &self.tools {
            check_bound(
                "bytes in a tool's name",
                tool.name.len(),
                TOOL_NAME_BYTES_MAX,
            )?;
            if !seen.insert(&tool.name) {
                return Err(ManifestError::DuplicateTool {
                    server: self.name.clone(),
                    tool: tool.name.to_string(),
                });
            }
        }
        self.shelf.check().map_err(|error| ManifestError::Shelf {
            server: self.name.clone(),
            error,
        })
    }
}

fn check_bound(what: &'static str, found: usize, limit: usize) -> Result<(), ManifestError> {
    if found > limit {
        return Err(ManifestError::TooMany { what, found, limit });
    }
    Ok(())
}

/// Why a manifest is not taken, or cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not CBOR, or members missing.
    #[error("the manifest cannot be read: {0}")]
    Cbor(#[from] CborError),
    /// An encoding of another time.
    #[error("manifest version {found} is not known; this node knows {MANIFEST_VERSION}")]
    Version {
        /// The version found.
        found: u16,
    },
    /// Not the manifest that was asked for.
    #[error("the manifest has hash {found:?}; {expected:?} was asked for")]
    OtherHash {
        /// What was asked for.
        expected: Hash,
        /// What came.
        found: Hash,
    },
    /// Something over its bound.
    #[error("the manifest has {found} {what}; at most {limit} are allowed")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// The prompts and resources of one server.
    #[error("the server {server}: {error}")]
    Shelf {
        /// Whose.
        server: ServerName,
        /// What is wrong.
        error: ShelfError,
    },
    /// A server named twice.
    #[error("the manifest names the server {server} twice")]
    DuplicateServer {
        /// Which.
        server: ServerName,
    },
    /// A tool named twice by one server.
    #[error("the server {server} names the tool {tool:?} twice")]
    DuplicateTool {
        /// Whose.
        server: ServerName,
        /// Which.
        tool: String,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ciborium::cbor;
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::shelf::ShelfItem;

    fn server(name: &str, tools: &[&str]) -> ServerManifest {
        let entry = |name: &&str| ToolEntry {
            name: (*name).into(),
            definition: "{}".into(),
        };
        ServerManifest {
            name: name.parse().unwrap(),
            tools: tools.iter().map(entry).collect(),
            shelf: Shelf::default(),
        }
    }

    #[test]
    fn the_bytes_of_version_one_are_fixed() {
        let manifest = Manifest::new(vec![server("files", &["read"])]);
        let golden = b"\xa2gversion\x01gservers\x81\xa2dnameefilesetools\x81\xa2dnamedread\
            jdefinition\x62{}";
        let encoded = manifest.encode().unwrap();
        assert_eq!(encoded.bytes, golden);
        assert_eq!(encoded.hash, Hash::of(golden));
        assert_eq!(Manifest::decode(golden, encoded.hash).unwrap(), manifest);
    }

    #[test]
    fn a_manifest_other_than_the_one_asked_for_is_refused() {
        let one = Manifest::new(vec![]).encode().unwrap();
        let other = Manifest::new(vec![server("a", &[])]).encode().unwrap();
        let error = Manifest::decode(&one.bytes, other.hash).unwrap_err();
        assert!(matches!(error, ManifestError::OtherHash { .. }), "{error}");
    }

    #[test]
    fn members_of_a_later_version_are_ignored() {
        let later = cbor!({
            "version" => 1, "mood" => "fine",
            "servers" => [{ "name" => "a", "tools" => [], "prompts" => [1, 2] }],
        });
        let bytes = encode_cbor(&later.unwrap());
        let read = Manifest::decode(&bytes, Hash::of(&bytes)).unwrap();
        assert_eq!(read, Manifest::new(vec![server("a", &[])]));
    }

    #[test]
    fn the_bytes_of_prompts_and_resources_are_fixed() {
        let item = |key: &str| ShelfItem {
            key: key.into(),
            definition: "{}".into(),
        };
        let mut offer = server("files", &[]);
        offer.shelf = Shelf {
            prompts: vec![item("p")],
            resources: vec![item("a:b")],
            ..Shelf::default()
        };
        let manifest = Manifest::new(vec![offer]);
        let golden = b"\xa2gversion\x01gservers\x81\xa3dnameefilesetools\x80eshelf\xa2gprompts\x81\xa2ckeyap\
            jdefinition\x62{}iresources\x81\xa2ckeyca:bjdefinition\x62{}";
        let encoded = manifest.encode().unwrap();
        assert_eq!(encoded.bytes, golden);
        assert_eq!(Manifest::decode(golden, encoded.hash).unwrap(), manifest);
    }

    #[test]
    fn names_that_occur_twice_are_refused_at_both_ends() {
        let servers = Manifest::new(vec![server("a", &[]), server("a", &[])]);
        let bytes = encode_cbor(&servers);
        assert_eq!(
            Manifest::decode(&bytes, Hash::of(&bytes)),
            Err(ManifestError::DuplicateServer {
                server: "a".parse().unwrap()
            })
        );
        let tools = Manifest::new(vec![server("a", &["x", "x"])]);
        assert_eq!(
            tools.encode(),
            Err(ManifestError::DuplicateTool {
                server: "a".parse().unwrap(),
                tool: "x".to_owned()
            })
        );
    }

    #[test]
    fn what_is_over_its_bound_is_refused_by_name() {
        let names: Vec<String> = (0..=MANIFEST_TOOLS_MAX).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let error = Manifest::new(vec![server("a", &names)]).encode();
        assert_eq!(
            error,
            Err(ManifestError::TooMany {
                what: "tools",
                found: 10_001,
                limit: 10_000
            })
        );
        let huge = vec![0; MANIFEST_BYTES_MAX + 1];
        let error = Manifest::decode(&huge, Hash::of(&huge)).unwrap_err();
        assert!(matches!(
            error,
            ManifestError::TooMany { what: "bytes", .. }
        ));
    }

    #[test]
    fn a_manifest_of_another_version_is_refused() {
        let manifest = Manifest {
            version: 2,
            servers: vec![],
        };
        assert_eq!(manifest.encode(), Err(ManifestError::Version { found: 2 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = Manifest::decode(&bytes, Hash::of(&bytes));
        }
    }
}
