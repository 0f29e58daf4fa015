//! What control publishes and everything else reads without waiting.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use peerage_protocol::catalog::manifest::EncodedManifest;
use peerage_protocol::catalog::snapshot::Catalog;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::roster::Roster;
use tokio::sync::watch;

/// The roster, the catalog and the manifest as they stand, each replaced whole.
pub struct Snapshots {
    roster: ArcSwapOption<Roster>,
    catalog: ArcSwap<Catalog>,
    manifest: ArcSwapOption<EncodedManifest>,
    links: watch::Sender<Arc<Vec<NodeId>>>,
    catalog_version: watch::Sender<u64>,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self {
            roster: ArcSwapOption::empty(),
            catalog: ArcSwap::default(),
            manifest: ArcSwapOption::empty(),
            links: watch::Sender::new(Arc::default()),
            catalog_version: watch::Sender::new(0),
        }
    }
}

impl Snapshots {
    /// The members; `None` while this node belongs to no mesh.
    pub fn roster(&self) -> Option<Arc<Roster>> {
        self.roster.load_full()
    }

    /// The tools.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// What members may fetch; `None` until the first is built.
    pub fn manifest(&self) -> Option<Arc<EncodedManifest>> {
        self.manifest.load_full()
    }

    /// Rises with every change of the catalog.
    pub fn catalog_changes(&self) -> watch::Receiver<u64> {
        self.catalog_version.subscribe()
    }

    /// The members to which a link stands.
    pub fn links(&self) -> watch::Receiver<Arc<Vec<NodeId>>> {
        self.links.subscribe()
    }

    pub(super) fn set_roster(&self, roster: Option<Arc<Roster>>) {
        self.roster.store(roster);
    }

    pub(super) fn set_manifest(&self, manifest: Arc<EncodedManifest>) {
        self.manifest.store(Some(manifest));
    }

    pub(super) fn set_catalog(&self, catalog: Arc<Catalog>) {
        self.catalog.store(catalog);
        self.catalog_version.send_modify(|version| *version += 1);
    }

    pub(super) fn link_changed(&self, node: NodeId, up: bool) {
        self.links.send_modify(|links| {
            let mut changed: Vec<NodeId> = links.iter().copied().filter(|n| *n != node).collect();
            if up {
                changed.push(node);
            }
            *links = Arc::new(changed);
        });
    }
}
