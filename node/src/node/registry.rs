//! Starts the registry of a node, where one is configured and this program was built for it.

use std::sync::Arc;

use peerage_protocol::signature::Signer;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::settings::Settings;
use crate::control::{ControlHandle, Snapshots};
use crate::discovery::firebase::RegistryReport;

/// A registry that was configured.
pub(super) struct Begun {
    /// Its URL.
    pub(super) url: String,
    /// How it does.
    pub(super) report: Arc<RegistryReport>,
    /// Ends soon after the node's stop.
    pub(super) task: JoinHandle<()>,
}

#[cfg(feature = "firebase")]
pub(super) fn begin(
    settings: &Settings,
    key: Arc<dyn Signer>,
    control: ControlHandle,
    snapshots: Arc<Snapshots>,
    stop: &CancellationToken,
) -> Option<Begun> {
    use crate::discovery::firebase::{Registry, RegistrySettings};

    let firebase = settings.firebase.clone()?;
    let url = firebase.url.to_string();
    let report = Arc::new(RegistryReport::default());
    let registry = RegistrySettings {
        firebase,
        key,
        control,
        snapshots,
        report: report.clone(),
    };
    let task = tokio::spawn(Registry::run(registry, stop.clone()));
    Some(Begun { url, report, task })
}

#[cfg(not(feature = "firebase"))]
pub(super) fn begin(
    _: &Settings,
    _: Arc<dyn Signer>,
    _: ControlHandle,
    _: Arc<Snapshots>,
    _: &CancellationToken,
) -> Option<Begun> {
    None
}

/// What the owner should know of a registry that this program cannot ask.
pub(super) fn warning(settings: &Settings) -> Option<String> {
    let firebase = settings.firebase.as_ref()?;
    let missing = !cfg!(feature = "firebase");
    missing.then(|| {
        format!(
            "the registry {} is not asked: this program was built without it; build one that does with: cargo install \
             --path cli --features firebase",
            firebase.url
        )
    })
}
