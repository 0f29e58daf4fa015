//! The registry as the owner sees it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::service::OwnerService;
use crate::discovery::firebase::{RegistryReport, record_id};

/// The registry of a running node.
pub struct OwnersRegistry {
    /// Its URL, which holds no secret.
    pub url: String,
    /// How it does.
    pub report: Arc<RegistryReport>,
}

/// How the registry does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryStatus {
    /// Its URL.
    pub url: String,
    /// The id of this node's record there; absent without a mesh.
    pub id: Option<String>,
    /// The latest exchange in which everything went well.
    pub succeeded: Option<u64>,
    /// What is wrong since then.
    pub fault: Option<String>,
    /// Exchanges in a row of which that is true.
    pub failures: u32,
    /// Members found there, this node left out.
    pub members: usize,
    /// Records of members that were silent for too long.
    pub expired: usize,
    /// Records that are no member's word.
    pub foreign: usize,
}

pub(super) fn registry(service: &OwnerService) -> Option<RegistryStatus> {
    let registry = service.registry.as_ref()?;
    let latest = registry.report.latest();
    let roster = service.snapshots.roster();
    Some(RegistryStatus {
        url: registry.url.clone(),
        id: roster.map(|roster| record_id(roster.mesh, service.me)),
        succeeded: latest.succeeded.map(|at| at.0),
        fault: latest.fault.map(|fault| fault.to_string()),
        failures: latest.failures,
        members: latest.members,
        expired: latest.expired,
        foreign: latest.foreign,
    })
}
