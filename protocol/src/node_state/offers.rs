//! What is offered here and elsewhere: local servers, members' manifests, and the catalog made of both.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::manifests::MANIFESTS_MAX;
use crate::catalog::manifest::{EncodedManifest, Manifest, ManifestError};
use crate::catalog::snapshot::{Catalog, LocalServer, MemberOffer};
use crate::id::{Hash, NodeId, NodeName};

/// Local servers, the manifests of members, and what was last published of them.
pub(super) struct Offers {
    local: Vec<LocalServer>,
    remote: BTreeMap<NodeId, (Hash, Arc<Manifest>)>,
    /// What a node that offers nothing has.
    nothing: Hash,
    manifest: Arc<EncodedManifest>,
    catalog: Arc<Catalog>,
    changed: bool,
}

/// How a member stands with this node.
pub(super) struct Standing {
    pub(super) name: NodeName,
    pub(super) reachable: bool,
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
            changed: false,
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
        self.changed |= self.local != servers;
        self.local = servers;
    }

    /// Something that the catalog depends on has changed elsewhere: the link to `node`, or its name.
    pub(super) fn touch_member(&mut self, node: NodeId) {
        self.changed |= self.remote.contains_key(&node);
    }

    /// `node` offers the manifest with this hash: says whether it is to be fetched.
    pub(super) fn needs(&mut self, node: NodeId, hash: Hash) -> bool {
        if hash == self.nothing {
            self.forget(node);
            return false;
        }
        let known = self.remote.get(&node);
        let room = known.is_some() || self.remote.len() < MANIFESTS_MAX;
        room && known.is_none_or(|known| known.0 != hash)
    }

    /// Takes a manifest if it is the one expected and keeps every bound; says whether it did.
    pub(super) fn take(&mut self, node: NodeId, expected: Hash, bytes: &[u8]) -> bool {
        let room = self.remote.len() < MANIFESTS_MAX || self.remote.contains_key(&node);
        let Ok(manifest) = Manifest::decode(bytes, expected) else {
            return false;
        };
        if room {
            self.remote.insert(node, (expected, Arc::new(manifest)));
            self.changed = true;
        }
        room
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.changed |= self.remote.remove(&node).is_some();
    }

    pub(super) fn forget_remote(&mut self) {
        self.remote.clear();
        self.changed = true;
    }

    /// The catalog built anew where something has changed since the last time.
    pub(super) fn refresh_catalog(
        &mut self,
        standing: impl Fn(NodeId) -> Option<Standing>,
    ) -> Option<Arc<Catalog>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let offer = |(node, (_, manifest)): (&NodeId, &(Hash, Arc<Manifest>))| {
            let standing = standing(*node)?;
            Some(MemberOffer {
                node: *node,
                node_name: standing.name,
                manifest: manifest.clone(),
                reachable: standing.reachable,
            })
        };
        let offers = self.remote.iter().filter_map(offer).collect();
        self.catalog = Arc::new(Catalog::build(self.local.clone(), offers));
        Some(self.catalog.clone())
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
