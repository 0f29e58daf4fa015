//! A program that runs once for each of its callers, and once more to tell what it offers.
//!
//! A process starts with its caller's first call, stops when that caller has not called for long, and starts again with
//! the next call. A process that stopped makes room for another caller's.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use peerage_protocol::id::ServerName;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::{StdioLink, StdioUpstream};
use crate::config::instance::Instance;
use crate::config::upstream::UpstreamTransport;
use crate::gateway::backend::Backend;
use crate::gateway::backend::desk::Desk;
use crate::gateway::backend::runner::{OfferNews, Runner};
use crate::gateway::backend::timing::Timing;
use crate::gateway::backend::translate::parking::Parking;
use crate::gateway::backend::upstream::UpstreamState;
use crate::gateway::call::{Call, CallError, Caller, Era, Replying};
use crate::gateway::router::subscriptions::Updates;

/// Processes of one program that callers may have at a time.
pub(crate) const INSTANCES_MAX: usize = 32;

/// Who has a process of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Owner {
    caller: Caller,
    session: Option<u64>,
}

/// What every process of the program is started with.
#[derive(Debug)]
pub(crate) struct Program {
    /// The server's name.
    pub(crate) server: ServerName,
    /// The command, and who shares a process of it.
    pub(crate) transport: UpstreamTransport,
    /// Where it runs unless it names a folder.
    pub(crate) home: PathBuf,
    /// How long it may take for what.
    pub(crate) timing: Timing,
    /// Where calls wait for what their callers are asked.
    pub(crate) parking: Arc<Parking>,
}

/// A program with a process for each caller or session.
#[derive(Debug)]
pub(crate) struct Instances {
    program: Program,
    instance: Instance,
    /// Tells what the program offers, and serves nobody.
    lister: StdioUpstream,
    running: Mutex<HashMap<Owner, Running>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Running {
    upstream: Arc<StdioUpstream>,
    stop: CancellationToken,
}

impl Program {
    /// How a process of it is started.
    pub(crate) fn link(&self) -> StdioLink {
        let (server, transport) = (self.server.clone(), self.transport.clone());
        StdioLink::new(server, transport, self.home.clone(), self.timing)
    }

    /// The same, for a process that is spoken with in the legacy era.
    pub(crate) fn legacy_link(&self) -> StdioLink {
        self.link().only(Era::Legacy)
    }

    /// What passes calls on to the processes behind these desks.
    pub(crate) fn upstream(
        &self,
        desk: Arc<Desk<Connection>>,
        legacy: Arc<Desk<Connection>>,
    ) -> StdioUpstream {
        StdioUpstream::new(desk, legacy, Arc::clone(&self.parking))
    }
}

impl Instances {
    /// Processes of `program`, each for one owner as `instance` says, until `stop`; the process behind `lister` tells
    /// what they offer.
    pub(crate) fn new(
        program: Program,
        instance: Instance,
        lister: StdioUpstream,
        stop: CancellationToken,
    ) -> Self {
        Self {
            program,
            instance,
            lister,
            running: Mutex::default(),
            tasks: TaskTracker::new(),
            stop,
        }
    }

    /// How the process fares that tells what the program offers.
    pub(crate) fn state(&self) -> UpstreamState {
        self.lister.desk().state()
    }

    /// Requests of the running processes that were refused because they could have meant several callers.
    pub(crate) fn ambiguous(&self) -> u64 {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = running.values().map(|running| running.upstream.ambiguous());
        counts.sum()
    }

    /// The processes' tasks: closed and empty, nothing of them is left.
    pub(crate) fn tasks(&self) -> TaskTracker {
        self.tasks.clone()
    }

    fn owner(&self, call: &Call) -> Owner {
        Owner {
            caller: call.caller.clone(),
            session: match self.instance {
                Instance::PerSession => call.client.session_number(),
                Instance::Shared | Instance::PerCaller => None,
            },
        }
    }

    /// The process of `owner`, started if there is none yet.
    fn upstream_of(&self, owner: Owner) -> Result<Arc<StdioUpstream>, CallError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.get(&owner) {
            return Ok(running.upstream.clone());
        }
        if self.stop.is_cancelled() {
            return Err(self.lister.desk().down("it was stopped"));
        }
        running.retain(|_, running| running.is_wanted());
        if running.len() >= INSTANCES_MAX {
            return Err(CallError::Busy {
                what: format!(
                    "{} runs {INSTANCES_MAX} times already, once for each of its callers",
                    self.program.server
                ),
            });
        }
        let started = self.start();
        let upstream = started.upstream.clone();
        running.insert(owner, started);
        Ok(upstream)
    }

    fn start(&self) -> Running {
        let program = &self.program;
        let stop = self.stop.child_token();
        let desk = Arc::new(Desk::new(program.server.clone()));
        let legacy = Arc::new(Desk::new(program.server.clone()));
        legacy.set_idle();
        self.run(program.link(), desk.clone(), &stop, false);
        self.run(program.legacy_link(), legacy.clone(), &stop, true);
        Running {
            upstream: Arc::new(program.upstream(desk, legacy)),
            stop,
        }
    }

    fn run(
        &self,
        link: StdioLink,
        desk: Arc<Desk<Connection>>,
        stop: &CancellationToken,
        on_demand: bool,
    ) {
        let runner = Runner {
            link,
            desk,
            news: OfferNews::untold(self.program.server.clone()),
            timing: self.program.timing,
            stop: stop.clone(),
            on_demand,
        };
        self.tasks.spawn(async move {
            runner.run().await;
        });
    }
}

impl Running {
    /// False when its process has stopped for want of calls and no call holds it; then it is gone.
    fn is_wanted(&self) -> bool {
        let idle = matches!(self.upstream.desk().state(), UpstreamState::Idle);
        let unused = idle && Arc::strong_count(&self.upstream) == 1;
        if unused {
            self.stop.cancel();
        }
        !unused
    }
}

impl Backend for Instances {
    fn call(self: Arc<Self>, call: Call) -> Replying {
        match self.upstream_of(self.owner(&call)) {
            Ok(upstream) => upstream.call(call),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn follow(&self, uri: String) -> BoxFuture<'_, Result<Updates, CallError>> {
        self.lister.follow(uri)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::config::upstream::UpstreamSettings;
    use crate::gateway::backend::test_upstream::{House, call, hurried, python, text, until};
    use crate::gateway::client::{Client, ClientSession};

    fn settings(chosen: Instance) -> UpstreamSettings {
        let mut settings = python("legacy");
        if let UpstreamTransport::Stdio { instance, .. } = &mut settings.transport {
            *instance = chosen;
        }
        settings
    }

    async fn house(instance: Instance, timing: Timing) -> House {
        let mut house = House::new(timing);
        house.apply(&[("x", settings(instance))]);
        assert_eq!(house.next_tools().await.len(), 12, "three pages");
        house
    }

    fn agent(name: &str) -> Caller {
        Caller::Agent(name.parse().unwrap())
    }

    /// The process that serves `caller`.
    async fn process(house: &House, caller: Caller) -> Result<String, CallError> {
        let (mut call, _notifications) = call("echo", json!({}));
        call.caller = caller;
        Ok(text(Ok(house.call("x", call).await?)))
    }

    fn alive(pid: &str) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.contains("State:") && !status.contains("State:\tZ")
    }

    #[tokio::test]
    async fn each_caller_has_a_process_and_keeps_it_and_all_end_with_the_server() {
        let house = house(Instance::PerCaller, hurried()).await;
        let mut processes = Vec::new();
        for caller in [agent("ada"), agent("bob"), Caller::Guest] {
            let process_of = process(&house, caller.clone()).await.unwrap();
            assert!(!processes.contains(&process_of), "shared: {process_of}");
            assert_eq!(process(&house, caller).await.unwrap(), process_of);
            processes.push(process_of);
        }
        house.apply(&[]);
        until(|| !processes.iter().any(|pid| alive(pid))).await;
    }

    #[tokio::test]
    async fn each_session_has_a_process_and_calls_without_one_share_their_callers() {
        let house = house(Instance::PerSession, hurried()).await;
        let process = async |client: &Client| {
            let (mut call, _notifications) = call("echo", json!({}));
            call.client = client.clone();
            text(house.call("x", call).await)
        };
        let session = || Client::Session(ClientSession::new(Bytes::from_static(b"{}"), None).0);
        let (first, second) = (session(), session());
        let of_first = process(&first).await;
        assert_eq!(process(&first).await, of_first);
        let of_second = process(&second).await;
        assert_ne!(of_second, of_first);
        let of_caller = process(&Client::Stateless).await;
        assert_eq!(process(&Client::Stateless).await, of_caller);
        assert!(![of_first, of_second].contains(&of_caller));
        house.upstreams.stop().await;
    }

    #[tokio::test]
    async fn a_shared_process_serves_everybody() {
        let house = house(Instance::Shared, hurried()).await;
        let first = process(&house, agent("ada")).await.unwrap();
        assert_eq!(process(&house, Caller::Guest).await.unwrap(), first);
        house.upstreams.stop().await;
    }

    #[tokio::test]
    async fn one_process_too_many_is_refused_until_another_has_stopped_for_want_of_calls() {
        let timing = Timing {
            idle: Duration::from_millis(500),
            ..hurried()
        };
        let house = house(Instance::PerCaller, timing).await;
        let callers = (0..INSTANCES_MAX).map(|number| agent(&format!("a{number}")));
        let calls = callers.map(|caller| process(&house, caller));
        let mut all = Box::pin(futures::future::join_all(calls));
        // Each has its place from its first step on, however long its process takes to start.
        assert!(futures::poll!(&mut all).is_pending());
        let refused = process(&house, agent("late")).await.unwrap_err();
        assert_eq!(refused.kind(), "busy");
        let stopped: Vec<_> = all.await.into_iter().map(Result::unwrap).collect();
        until(|| !stopped.iter().any(|pid| alive(pid))).await;
        process(&house, agent("late")).await.unwrap();
        // One that stopped, and has not made room, starts again.
        process(&house, agent("a0")).await.unwrap();
        house.upstreams.stop().await;
    }
}
