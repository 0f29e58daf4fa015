//! This node's own upstreams: read from `mcp.json`, run, and offered.

use std::collections::BTreeMap;
use std::sync::Arc;

use peerage_protocol::id::ServerName;
use tokio::sync::{Mutex, mpsc};

use super::handle::ControlHandle;
use super::local_offers::{LocalOffers, OfferChange};
use super::snapshots::Snapshots;
use crate::config::environment::ProcessEnvironment;
use crate::config::servers::load_servers;
use crate::config::servers_error::ServersFileError;
use crate::config::upstream::UpstreamSettings;
use crate::gateway::backend::supervisor::Upstreams;
use crate::gateway::backend::upstream::UpstreamEvent;
use crate::home::Home;

/// Changes of the configuration that wait for the task that offers.
const CHANGES_WAITING_MAX: usize = 16;

/// The configured upstreams of a running node.
pub struct Servers {
    home: Home,
    upstreams: Upstreams,
    snapshots: Arc<Snapshots>,
    configured: mpsc::Sender<OfferChange>,
    current: Mutex<BTreeMap<ServerName, UpstreamSettings>>,
}

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// New servers.
    pub added: Vec<ServerName>,
    /// Servers with other settings than before.
    pub changed: Vec<ServerName>,
    /// Servers that are gone.
    pub removed: Vec<ServerName>,
}

impl Servers {
    /// No servers yet; tells `control` of all that `events` and later reloads bring.
    pub fn start(
        home: Home,
        upstreams: Upstreams,
        events: mpsc::Receiver<UpstreamEvent>,
        control: ControlHandle,
        snapshots: Arc<Snapshots>,
    ) -> Self {
        let (configured, changes) = mpsc::channel(CHANGES_WAITING_MAX);
        tokio::spawn(offer(events, changes, control));
        Self {
            home,
            upstreams,
            snapshots,
            configured,
            current: Mutex::default(),
        }
    }

    /// Reads `mcp.json` and makes it so; where the file is wrong, nothing changes.
    pub async fn reload(&self) -> Result<Reloaded, ServersFileError> {
        let wanted = load_servers(&self.home.servers(), &ProcessEnvironment)?;
        let mut current = self.current.lock().await;
        let reloaded = differences(&current, &wanted);
        let shares: BTreeMap<ServerName, bool> = wanted
            .iter()
            .map(|(name, settings)| (name.clone(), settings.share))
            .collect();
        self.snapshots.set_shares(shares.clone());
        self.upstreams.apply(wanted.clone());
        *current = wanted;
        // Closed only when the node stops.
        let _ = self.configured.send(OfferChange::Configured(shares)).await;
        Ok(reloaded)
    }
}

fn differences(
    before: &BTreeMap<ServerName, UpstreamSettings>,
    after: &BTreeMap<ServerName, UpstreamSettings>,
) -> Reloaded {
    let mut reloaded = Reloaded::default();
    for (name, settings) in after {
        match before.get(name) {
            None => reloaded.added.push(name.clone()),
            Some(known) if known != settings => reloaded.changed.push(name.clone()),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    reloaded.removed.extend(gone.cloned());
    reloaded
}

async fn offer(
    mut events: mpsc::Receiver<UpstreamEvent>,
    mut changes: mpsc::Receiver<OfferChange>,
    control: ControlHandle,
) {
    let mut offers = LocalOffers::default();
    loop {
        let change = tokio::select! {
            Some(event) = events.recv() => OfferChange::Upstream(event),
            Some(change) = changes.recv() => change,
            else => return,
        };
        control.tell(offers.take(change)).await;
    }
}
