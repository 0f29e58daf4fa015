//! Runs the configured upstreams: starts new ones, stops removed ones, restarts changed ones, leaves the rest alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::join_all;
use peerage_protocol::id::{NodeId, ServerName};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::desk::Desk;
use super::http::{HttpLink, HttpUpstream};
use super::runner::{Link, OfferNews, Runner};
use super::stdio::{Instances, Program, StdioUpstream};
use super::timing::Timing;
use super::translate::parking::Parking;
use super::upstream::{UpstreamEvent, UpstreamState};
use super::{Backend, LocalBackends};
use crate::config::instance::Instance;
use crate::config::upstream::{UpstreamSettings, UpstreamTransport};

/// Time that [`Upstreams::stop`] gives all upstreams together; then what is left is killed.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// The upstream MCP servers of this node. A clone means the same upstreams.
#[derive(Clone)]
pub struct Upstreams {
    shared: Arc<Shared>,
}

struct Shared {
    home: PathBuf,
    node: NodeId,
    events: mpsc::Sender<UpstreamEvent>,
    timing: Timing,
    parking: Arc<Parking>,
    running: ArcSwap<BTreeMap<ServerName, Arc<Running>>>,
    changes: Mutex<Changes>,
}

/// What only [`Upstreams::apply`] and [`Upstreams::stop`] touch, one at a time.
#[derive(Default)]
struct Changes {
    /// The tasks of running upstreams, and of those that are ending; a new one under the same name waits for it.
    tasks: BTreeMap<ServerName, JoinHandle<()>>,
    stopped: bool,
}

struct Running {
    transport: UpstreamTransport,
    backend: Arc<dyn Upstream>,
    stop: CancellationToken,
    removed: Arc<AtomicBool>,
}

/// A backend whose state can be told.
trait Upstream: Backend {
    fn state(&self) -> UpstreamState;

    /// Its requests that were refused because they could have meant several callers.
    fn ambiguous(&self) -> u64 {
        0
    }
}

impl Upstream for StdioUpstream {
    fn state(&self) -> UpstreamState {
        self.desk().state()
    }

    fn ambiguous(&self) -> u64 {
        StdioUpstream::ambiguous(self)
    }
}

impl Upstream for Instances {
    fn state(&self) -> UpstreamState {
        Instances::state(self)
    }

    fn ambiguous(&self) -> u64 {
        Instances::ambiguous(self)
    }
}

impl Upstream for HttpUpstream {
    fn state(&self) -> UpstreamState {
        self.desk().state()
    }
}

impl LocalBackends for Upstreams {
    fn backend(&self, server: &ServerName) -> Option<Arc<dyn Backend>> {
        self.get(server)
    }
}

impl Upstreams {
    /// No upstreams yet. Children without a working directory of their own run in `home`; `node` is named to HTTP
    /// servers, so that a circle of nodes is seen. `events` must be drained: an upstream waits until its list of
    /// tools is taken.
    pub fn start(home: PathBuf, node: NodeId, events: mpsc::Sender<UpstreamEvent>) -> Self {
        Self::with_timing(home, node, events, Timing::default())
    }

    pub(crate) fn with_timing(
        home: PathBuf,
        node: NodeId,
        events: mpsc::Sender<UpstreamEvent>,
        timing: Timing,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                home,
                node,
                events,
                timing,
                parking: Arc::default(),
                running: ArcSwap::default(),
                changes: Mutex::default(),
            }),
        }
    }

    /// Makes `settings` the upstreams that run. Returns at once; nothing changes for an upstream whose transport is
    /// the same as before. After [`Upstreams::stop`] nothing starts any more. Must be called within a Tokio runtime.
    pub fn apply(&self, settings: BTreeMap<ServerName, UpstreamSettings>) {
        let mut changes = self.lock_changes();
        if changes.stopped {
            return;
        }
        changes.tasks.retain(|_, task| !task.is_finished());
        let before = self.shared.running.load_full();
        let mut after = BTreeMap::new();
        for (server, settings) in settings {
            let kept = before
                .get(&server)
                .filter(|running| running.transport == settings.transport);
            let running = match kept {
                Some(running) => Arc::clone(running),
                None => {
                    if let Some(old) = before.get(&server) {
                        old.stop.cancel();
                    }
                    Arc::new(self.launch(&mut changes, server.clone(), settings.transport))
                }
            };
            after.insert(server, running);
        }
        for (_, gone) in before
            .iter()
            .filter(|(server, _)| !after.contains_key(*server))
        {
            gone.removed.store(true, Ordering::Release);
            gone.stop.cancel();
        }
        self.shared.running.store(Arc::new(after));
    }

    /// The upstream of that name.
    pub fn get(&self, server: &ServerName) -> Option<Arc<dyn Backend>> {
        let running = self.shared.running.load();
        let running = running.get(server)?;
        Some(Arc::clone(&running.backend) as Arc<dyn Backend>)
    }

    /// Every upstream with its state, by name.
    pub fn states(&self) -> Vec<(ServerName, UpstreamState)> {
        let running = self.shared.running.load();
        running
            .iter()
            .map(|(server, running)| (server.clone(), running.backend.state()))
            .collect()
    }

    /// The upstreams whose processes have asked their callers something that could have meant several, and how often.
    pub fn ambiguous(&self) -> Vec<(ServerName, u64)> {
        let running = self.shared.running.load();
        let counts = running
            .iter()
            .map(|(server, running)| (server.clone(), running.backend.ambiguous()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Ends all upstreams, within three seconds and for good.
    pub async fn stop(&self) {
        let tasks = {
            let mut changes = self.lock_changes();
            changes.stopped = true;
            std::mem::take(&mut changes.tasks)
        };
        for running in self.shared.running.load().values() {
            running.stop.cancel();
        }
        let aborts: Vec<_> = tasks.values().map(JoinHandle::abort_handle).collect();
        if timeout(STOP_LIMIT, join_all(tasks.into_values()))
            .await
            .is_err()
        {
            tracing::warn!(target: "upstream", "some upstreams did not end in time and are killed");
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }

    fn lock_changes(&self) -> std::sync::MutexGuard<'_, Changes> {
        self.shared
            .changes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn launch(
        &self,
        changes: &mut Changes,
        server: ServerName,
        transport: UpstreamTransport,
    ) -> Running {
        let shared = &self.shared;
        let stop = CancellationToken::new();
        let removed = Arc::new(AtomicBool::new(false));
        let predecessor = changes.tasks.remove(&server);
        let launch = Launch {
            news: OfferNews::new(server.clone(), shared.events.clone()),
            timing: shared.timing,
            stop: stop.clone(),
            removed: Arc::clone(&removed),
            predecessor,
        };
        let (backend, task): (Arc<dyn Upstream>, _) = match &transport {
            UpstreamTransport::Stdio { instance, .. } => {
                let desk = Arc::new(Desk::new(server.clone()));
                let legacy = Arc::new(Desk::new(server.clone()));
                let program = Program {
                    server: server.clone(),
                    transport: transport.clone(),
                    home: shared.home.clone(),
                    timing: shared.timing,
                    parking: Arc::clone(&shared.parking),
                };
                let link = program.link();
                let second = launch.on_demand(program.legacy_link(), Arc::clone(&legacy));
                let upstream = program.upstream(Arc::clone(&desk), legacy);
                let (backend, others): (Arc<dyn Upstream>, _) = match instance {
                    Instance::Shared => (Arc::new(upstream), TaskTracker::new()),
                    Instance::PerSession | Instance::PerCaller => {
                        let of_callers = stop.clone();
                        let instances = Instances::new(program, *instance, upstream, of_callers);
                        let others = instances.tasks();
                        (Arc::new(instances), others)
                    }
                };
                let first = launch.spawn_with(link, desk, others);
                let task = tokio::spawn(async move {
                    let _ = tokio::join!(first, second);
                });
                (backend, task)
            }
            UpstreamTransport::Http { url, headers } => {
                let desk = Arc::new(Desk::new(server.clone()));
                let link = HttpLink::new(server.clone(), url, headers, shared.node, shared.timing);
                let gateway = link.gateway();
                let task = launch.spawn(link, Arc::clone(&desk));
                let parking = Arc::clone(&shared.parking);
                (Arc::new(HttpUpstream::new(desk, gateway, parking)), task)
            }
        };
        changes.tasks.insert(server, task);
        Running {
            transport,
            backend,
            stop,
            removed,
        }
    }
}

/// What an upstream's task needs besides its link and desk.
struct Launch {
    news: OfferNews,
    timing: Timing,
    stop: CancellationToken,
    removed: Arc<AtomicBool>,
    predecessor: Option<JoinHandle<()>>,
}

impl Launch {
    /// The same upstream once more, started by its first call; what it offers is known already.
    fn on_demand<L: Link + Sync>(&self, link: L, desk: Arc<Desk<L::Session>>) -> JoinHandle<()> {
        desk.set_idle();
        let runner = Runner {
            link,
            news: OfferNews::untold(desk.server().clone()),
            desk,
            timing: self.timing,
            stop: self.stop.clone(),
            on_demand: true,
        };
        tokio::spawn(async move {
            runner.run().await;
        })
    }

    fn spawn<L: Link + Sync>(self, link: L, desk: Arc<Desk<L::Session>>) -> JoinHandle<()> {
        self.spawn_with(link, desk, TaskTracker::new())
    }

    /// The same, for an upstream that has other tasks, which stop when it does.
    fn spawn_with<L: Link + Sync>(
        self,
        link: L,
        desk: Arc<Desk<L::Session>>,
        others: TaskTracker,
    ) -> JoinHandle<()> {
        let runner = Runner {
            link,
            desk,
            news: self.news,
            timing: self.timing,
            stop: self.stop,
            on_demand: false,
        };
        tokio::spawn(async move {
            if let Some(predecessor) = self.predecessor {
                let _ = predecessor.await;
            }
            let news = runner.run().await;
            others.close();
            others.wait().await;
            if self.removed.load(Ordering::Acquire) {
                news.removed().await;
            }
        })
    }
}
