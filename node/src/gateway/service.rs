//! The gateway as its local frontends see it: tools, callers, health.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use peerage_protocol::id::NodeId;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::sync::{mpsc, watch};

use super::call::{Call, CallError, Caller, Replying};
use super::directory::{AgentStatus, Directory};
use super::frontend::http::{Credential, Health, Service, Unauthorized};
use super::router::Router;
use crate::control::{Clock, ListVersions, Snapshots};
use crate::identity::{TokenId, Tokens};
use crate::net::substream::OpenSubstream;

/// What the frontends of one node share.
pub struct GatewayService<O> {
    me: NodeId,
    clock: Clock,
    router: Arc<Router<O>>,
    snapshots: Arc<Snapshots>,
    tokens: Tokens,
    directory: Directory,
    guests: bool,
    process: Mutex<Option<System>>,
}

impl<O: OpenSubstream> GatewayService<O> {
    /// Answers through `router`, knows callers by `tokens`; `guests` says whether a caller without one may call,
    /// which is for endpoints that only this machine reaches.
    pub fn new(
        me: NodeId,
        clock: Clock,
        router: Arc<Router<O>>,
        snapshots: Arc<Snapshots>,
        tokens: Tokens,
        directory: Directory,
        guests: bool,
    ) -> Self {
        Self {
            me,
            clock,
            router,
            snapshots,
            tokens,
            directory,
            guests,
            process: Mutex::new(System::new().ok()),
        }
    }

    /// Resident memory in MiB, and the share of one core used since the last time this was asked.
    fn footprint(&self) -> (f64, f32) {
        const MEBIBYTE: f64 = 1024.0 * 1024.0;
        let pid = Pid::from_u32(std::process::id());
        let mut system = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(system) = system.as_mut() else {
            return (0.0, 0.0);
        };
        system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[pid]),
            false,
            ProcessRefreshKind::nothing().with_memory().with_cpu(),
        );
        system.process(pid).map_or((0.0, 0.0), |process| {
            (process.memory() as f64 / MEBIBYTE, process.cpu_usage())
        })
    }
}

impl<O: OpenSubstream> Service for GatewayService<O> {
    fn call(self: Arc<Self>, call: Call) -> Replying {
        self.router.call(call)
    }

    fn tool_definition(&self, name: &str) -> Option<Arc<str>> {
        self.router.tool_definition(name)
    }

    fn lists_changed(&self) -> watch::Receiver<ListVersions> {
        self.snapshots.list_changes()
    }

    fn follow(
        &self,
        caller: Caller,
        uri: String,
        updated: mpsc::Sender<()>,
    ) -> BoxFuture<'static, Result<BoxFuture<'static, ()>, CallError>> {
        let router = Router::clone(&self.router);
        async move {
            let updates = router.follow(&caller, &uri).await?;
            let following = async move {
                router.keep_following(caller, uri, updates, updated).await;
            };
            Ok(following.boxed())
        }
        .boxed()
    }

    fn authenticate(&self, bearer: Option<&str>) -> Result<Credential, Unauthorized> {
        let token = bearer.map(TokenId::of);
        let caller = match token {
            None if self.guests => Caller::Guest,
            None => return Err(Unauthorized),
            Some(token) => Caller::Agent(self.tokens.agent(token).ok_or(Unauthorized)?),
        };
        if let Caller::Agent(name) = &caller {
            self.directory.local().seen(name);
        }
        Ok(Credential { caller, token })
    }

    fn until_revoked(&self, credential: &Credential) -> BoxFuture<'static, ()> {
        let tokens = self.tokens.clone();
        let Some(token) = credential.token else {
            return std::future::pending().boxed();
        };
        let stream = match &credential.caller {
            Caller::Agent(name) => Some(self.directory.local().open_stream(name.clone())),
            Caller::Guest | Caller::Owner | Caller::Peer { .. } => None,
        };
        async move {
            let _stream = stream;
            tokens.until_revoked(token).await;
        }
        .boxed()
    }

    fn node_id(&self) -> NodeId {
        self.me
    }

    fn agents(&self) -> Vec<AgentStatus> {
        self.directory.all()
    }

    fn health(&self) -> Health {
        let (memory_mb, cpu_percent) = self.footprint();
        let links = self.snapshots.links();
        let connections = links.borrow().values().filter(|link| link.up).count();
        Health {
            status: "ok",
            version: env!("CARGO_PKG_VERSION"),
            uptime: self.clock.uptime().as_secs(),
            connections,
            tools: self.snapshots.catalog().reachable().count(),
            memory_mb,
            cpu_percent,
        }
    }
}
