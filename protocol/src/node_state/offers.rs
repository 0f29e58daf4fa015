//! What is offered here and elsewhere: local servers, members' manifests, and the catalog made of both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::manifests::MANIFESTS_MAX;
use crate::catalog::manifest::{EncodedManifest, Manifest, ManifestError};
use crate::catalog::snapshot::{Catalog, LocalServer, MemberOffer};
use crate::id::{Hash, NodeId, NodeName};
use crate::wire::manifests::{MANIFESTS_TOLD_BYTES_MAX, ManifestsTold};

/// Local servers, the manifests of members, and what was last published of them.
pub(super) struct Offers {
    local: Vec<LocalServer>,
    remote: BTreeMap<NodeId, Remote>,
    /// What a node that offers nothing has.
    nothing: Hash,
    manifest: Arc<EncodedManifest>,
    catalog: Arc<Catalog>,
    local_changed: bool,
    /// Whose offers, names or links may have changed since the catalog was published.
    touched: BTreeSet<NodeId>,
}

/// What one member offers.
struct Remote {
    hash: Hash,
    encoded_bytes: usize,
    manifest: Arc<Manifest>,
}

/// How a member stands with this node.
pub(super) struct Standing {
    pub(super) name: NodeName,
    pub(super) reachable: bool,
    pub(super) near: bool,
}

impl Default for Offers {
    fn default() -> Self {
        let manifest = Manifest::new(Vec::new()).encode();
        let manifest = manifest.expect("an empty manifest keeps every bound");
        Self {
            local: Vec::new(),
            remote: BTreeMap::new(),
            nothing: manifest.hash,
            manifest: Arc::new(manifest),
            catalog: Arc::default(),
            local_changed: false,
            touched: BTreeSet::new(),
        }
    }
}

impl Offers {
    pub(super) fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    pub(super) fn manifest(&self) -> &Arc<EncodedManifest> {
        &self.manifest
    }

    pub(super) fn set_local(&mut self, servers: Vec<LocalServer>) {
        self.local_changed |= self.local != servers;
        self.local = servers;
    }

    /// Something that the catalog depends on may have changed elsewhere: the link to `node`, or its name.
    pub(super) fn touch_member(&mut self, node: NodeId) {
        if self.remote.contains_key(&node) {
            self.touched.insert(node);
        }
    }

    /// Something that the catalog depends on may have changed for everybody.
    pub(super) fn touch_all(&mut self) {
        self.touched.extend(self.remote.keys());
    }

    /// `node` offers the manifest with this hash: says whether it is to be fetched.
    pub(super) fn needs(&mut self, node: NodeId, hash: Hash) -> bool {
        if hash == self.nothing {
            self.forget(node);
            return false;
        }
        let known = self.remote.get(&node);
        let room = known.is_some() || self.remote.len() < MANIFESTS_MAX;
        room && known.is_none_or(|known| known.hash != hash)
    }

    /// Takes a manifest if it is the one expected and keeps every bound; says whether it did.
    pub(super) fn take(&mut self, node: NodeId, expected: Hash, bytes: &[u8]) -> bool {
        self.take_shown(node, (expected, expected), bytes)
    }

    /// Takes what a guest is shown of the manifest `named`, by the node itself: a part of it, with a hash of its own.
    pub(super) fn take_part(&mut self, node: NodeId, named: Hash, bytes: &[u8]) -> bool {
        self.take_shown(node, (named, Hash::of(bytes)), bytes)
    }

    fn take_shown(&mut self, node: NodeId, (named, shown): (Hash, Hash), bytes: &[u8]) -> bool {
        let room = self.remote.len() < MANIFESTS_MAX || self.remote.contains_key(&node);
        let Ok(manifest) = Manifest::decode(bytes, shown) else {
            return false;
        };
        if room {
            let remote = Remote {
                hash: named,
                encoded_bytes: bytes.len(),
                manifest: Arc::new(manifest),
            };
            self.remote.insert(node, remote);
            self.touched.insert(node);
        }
        room
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        if self.remote.remove(&node).is_some() {
            self.touched.insert(node);
        }
    }

    pub(super) fn forget_remote(&mut self) {
        let forgotten = std::mem::take(&mut self.remote);
        self.touched.extend(forgotten.into_keys());
    }

    /// Of these manifests, those that are here, within the bound of an answer.
    pub(super) fn told(&self, hashes: &BTreeSet<Hash>) -> ManifestsTold {
        let own = hashes.contains(&self.manifest.hash);
        let mut manifests: Vec<Vec<u8>> = Vec::new();
        manifests.extend(own.then(|| self.manifest.bytes.clone()));
        let mut bytes: usize = manifests.iter().map(Vec::len).sum();
        let mut told = BTreeSet::from([self.manifest.hash]);
        for remote in self.remote.values().filter(|r| hashes.contains(&r.hash)) {
            bytes = bytes.saturating_add(remote.encoded_bytes);
            if bytes > MANIFESTS_TOLD_BYTES_MAX || !told.insert(remote.hash) {
                continue;
            }
            // A manifest of a later version may have members that are not encoded here, and is not told.
            let encoded = remote.manifest.encode().ok();
            let encoded = encoded.filter(|encoded| encoded.hash == remote.hash);
            manifests.extend(encoded.map(|encoded| encoded.bytes));
        }
        ManifestsTold { manifests }
    }

    /// Those of `hashes` whose manifests are not here.
    pub(super) fn missing(&self, mut hashes: BTreeSet<Hash>) -> BTreeSet<Hash> {
        hashes.remove(&self.manifest.hash);
        for remote in self.remote.values() {
            hashes.remove(&remote.hash);
        }
        hashes
    }

    /// The catalog with what has changed since the last time; `None` where nothing has.
    pub(super) fn refresh_catalog(
        &mut self,
        standing: impl Fn(NodeId) -> Option<Standing>,
    ) -> Option<Arc<Catalog>> {
        let local_changed = std::mem::take(&mut self.local_changed);
        let touched = std::mem::take(&mut self.touched);
        if !local_changed && touched.is_empty() {
            return None;
        }
        let catalog = Arc::make_mut(&mut self.catalog);
        let mut changed = local_changed;
        if local_changed {
            catalog.set_local(self.local.clone());
        }
        for node in touched {
            let offer = self.remote.get(&node).and_then(|remote| {
                let standing = standing(node)?;
                Some(MemberOffer {
                    node,
                    node_name: standing.name,
                    manifest: remote.manifest.clone(),
                    reachable: standing.reachable,
                    near: standing.near,
                })
            });
            changed |= match offer {
                Some(offer) => catalog.set_member(offer),
                None => catalog.remove_member(node),
            };
        }
        changed.then(|| self.catalog.clone())
    }

    /// The manifest of the catalog just built, where it differs from the one before.
    pub(super) fn refresh_manifest(
        &mut self,
    ) -> Result<Option<Arc<EncodedManifest>>, ManifestError> {
        let manifest = self.catalog.manifest_for_members().encode()?;
        if manifest.hash == self.manifest.hash {
            return Ok(None);
        }
        self.manifest = Arc::new(manifest);
        Ok(Some(self.manifest.clone()))
    }
}
