//! This node's own upstreams: read from `mcp.json`, run, and offered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use peerage_protocol::id::ServerName;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::handle::ControlHandle;
use super::local_offers::{LocalOffers, OfferChange};
use super::snapshots::Snapshots;
use crate::config::environment::ProcessEnvironment;
use crate::config::servers::{ServersRead, load_servers};
use crate::config::servers_error::{ServersError, ServersFileError};
use crate::config::upstream::UpstreamSettings;
use crate::gateway::backend::supervisor::Upstreams;
use crate::gateway::backend::upstream::UpstreamEvent;
use crate::home::Home;

/// Changes of the configuration that wait for the task that offers.
const CHANGES_WAITING_MAX: usize = 16;

/// How often `mcp.json` is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The configured upstreams of a running node.
pub struct Servers {
    home: Home,
    upstreams: Upstreams,
    snapshots: Arc<Snapshots>,
    configured: mpsc::Sender<OfferChange>,
    current: Mutex<Current>,
    fault: ArcSwapOption<String>,
    refused: ArcSwap<BTreeMap<ServerName, ServersError>>,
}

/// What was read last, and of which version of the file.
#[derive(Default)]
struct Current {
    settings: BTreeMap<ServerName, UpstreamSettings>,
    stamp: Stamp,
}

/// When the file was written and how long it is; `None` where there is none.
type Stamp = Option<(SystemTime, u64)>;

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
            fault: ArcSwapOption::empty(),
            refused: ArcSwap::default(),
        }
    }

    /// Follows edits of `mcp.json` made by hand, until `stop`. A wrong file changes nothing and is named.
    pub async fn watch(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(sleep(LOOK_EVERY)).await.is_some() {
            if self.stamp() == self.current.lock().await.stamp {
                continue;
            }
            match self.reload().await {
                Ok(reloaded) => tracing::info!(?reloaded, "mcp.json was read anew"),
                Err(error) => {
                    tracing::warn!(%error, "mcp.json was edited and is wrong; nothing changed")
                }
            }
        }
    }

    /// What is wrong with `mcp.json` as it was last read.
    pub fn fault(&self) -> Option<Arc<String>> {
        self.fault.load_full()
    }

    /// The servers that do not run because a variable is not set.
    pub fn refused(&self) -> Arc<BTreeMap<ServerName, ServersError>> {
        self.refused.load_full()
    }

    /// Tells one version of the file from another.
    fn stamp(&self) -> Stamp {
        let metadata = std::fs::metadata(self.home.servers()).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }

    /// Reads `mcp.json` and makes it so; where the file is wrong, nothing changes.
    pub async fn reload(&self) -> Result<Reloaded, ServersFileError> {
        let mut current = self.current.lock().await;
        // Before the file is read: what is written meanwhile is a later version.
        current.stamp = self.stamp();
        let read = load_servers(&self.home.servers(), &ProcessEnvironment);
        let fault = read.as_ref().err().map(|error| Arc::new(error.to_string()));
        self.fault.store(fault);
        let ServersRead {
            servers: wanted,
            refused,
        } = read?;
        for (name, error) in &refused {
            tracing::warn!(%name, %error, "a server in mcp.json does not run");
        }
        self.refused.store(Arc::new(refused));
        let reloaded = differences(&current.settings, &wanted);
        let shares: BTreeMap<ServerName, bool> = wanted
            .iter()
            .map(|(name, settings)| (name.clone(), settings.share))
            .collect();
        self.snapshots.set_shares(shares.clone());
        self.upstreams.apply(wanted.clone());
        current.settings = wanted;
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
