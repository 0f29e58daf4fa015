//! How a node finds others: the bootstrap file, the local network, the scan, the registry. Each only says that a peer was
//! sighted.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::foundation::Foundation;
use super::{StartError, registry};
use crate::config::settings::Settings;
use crate::discovery::awakening::notice_awakening;
use crate::discovery::bootstrap_file::BootstrapFile;
use crate::discovery::lan::{Beacon, BeaconSettings, Scanner};
use crate::gateway::frontend::rest::registry::OwnersRegistry;

/// The bootstrap file that is read without being named, in the home.
const BOOTSTRAP_FILE: &str = "bootstrap-peers.toml";

/// A file that was named must be there.
pub(super) fn open_bootstrap(settings: &Settings) -> Result<BootstrapFile, StartError> {
    let named = settings.bootstrap.clone();
    let optional = named.is_none();
    let path = named.unwrap_or_else(|| settings.home.root().join(BOOTSTRAP_FILE));
    Ok(BootstrapFile::open(path, optional)?)
}

pub(super) struct DiscoveryParts {
    /// For the owner to begin again.
    pub(super) scanner: Arc<Scanner>,
    pub(super) registry: Option<OwnersRegistry>,
    /// Ends soon after the node's stop.
    pub(super) registry_task: Option<JoinHandle<()>>,
}

impl DiscoveryParts {
    /// Looks for others until `stop`.
    pub(super) fn start(
        base: &Foundation,
        settings: &Settings,
        bootstrap: BootstrapFile,
        stop: &CancellationToken,
    ) -> Self {
        let (handle, snapshots) = (&base.handle, &base.snapshots);
        tokio::spawn(bootstrap.follow(handle.clone(), snapshots.clone(), stop.clone()));
        let key = Arc::new(base.own.key.clone());
        let arrived = Arc::new(Notify::new());
        let awakening = notice_awakening(handle.clone(), arrived.clone(), stop.clone());
        tokio::spawn(awakening);
        if settings.mdns {
            let beacon = BeaconSettings {
                key: key.clone(),
                control: handle.clone(),
                snapshots: snapshots.clone(),
                arrived,
            };
            tokio::spawn(Beacon::run(beacon, stop.clone()));
        }
        let scanner = Arc::new(Scanner::new(handle.clone(), snapshots.clone(), base.me));
        if settings.scan {
            scanner.begin();
        }
        let begun = registry::begin(settings, key, handle.clone(), snapshots.clone(), stop);
        let (registry, registry_task) = begun
            .map(|begun| {
                let (url, report) = (begun.url, begun.report);
                (OwnersRegistry { url, report }, begun.task)
            })
            .unzip();
        Self {
            scanner,
            registry,
            registry_task,
        }
    }
}
