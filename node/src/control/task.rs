//! The task that owns the root machine: inputs in, outputs carried out in order, deadlines kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use peerage_protocol::id::NodeId;
use peerage_protocol::log::chain_id::Lane;
use peerage_protocol::node_state::{Input, Keys, NodeState, Output, Reply, RequestId};
use peerage_protocol::wire::announcement::Announcement;
use peerage_protocol::wire::manifests::{ManifestsAsked, ManifestsTold};
use peerage_protocol::wire::summary::Summary;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::exchanges::{ANNOUNCE, CARRY, MANIFEST, MANIFESTS, RECONCILE, RENEW, decode_chain};
use super::gatekeeper::ControlGate;
use super::handle::{Command, ControlHandle};
use super::joining::Joining;
use super::log;
use super::network::{JoiningDials, PeerNetwork};
use super::requests::Membership;
use super::snapshots::Snapshots;
use crate::store::{Store, StoreError};

/// Inputs for the log that are taken together.
const TOGETHER_MAX: usize = 1_024;

/// Entries that are read back at once after a start.
const RECALLED_TOGETHER: usize = 256;

/// How long members are given to hear a goodbye before the links are cut.
const GOODBYE_WITHIN: Duration = Duration::from_millis(500);

/// The control plane before its network exists: what the gate, the frontends and the router are built from.
pub struct Control {
    state: NodeState,
    clock: Clock,
    store: Store,
    snapshots: Arc<Snapshots>,
    handle: ControlHandle,
    commands: mpsc::Receiver<Command>,
    joining: Arc<Joining>,
}

impl Control {
    /// Takes up what the store kept; publishes the first snapshots.
    pub async fn load(clock: Clock, keys: Keys, store: Store) -> Result<Self, ControlError> {
        let records = store.records().await?;
        let mut state = NodeState::new(clock.now(), keys, records);
        recall(&mut state, clock, &store).await?;
        let snapshots = Arc::new(Snapshots::default());
        snapshots.set_roster(state.roster().cloned());
        snapshots.set_manifest(state.manifest().clone());
        let (handle, commands) = ControlHandle::new();
        Ok(Self {
            state,
            clock,
            store,
            snapshots,
            handle,
            commands,
            joining: Arc::default(),
        })
    }

    /// How everything else tells and asks control.
    pub fn handle(&self) -> ControlHandle {
        self.handle.clone()
    }

    /// What everything else reads.
    pub fn snapshots(&self) -> Arc<Snapshots> {
        self.snapshots.clone()
    }

    /// What stands behind the gate.
    pub fn gate(&self) -> ControlGate {
        ControlGate::new(
            self.handle.clone(),
            self.snapshots.clone(),
            self.joining.clone(),
        )
    }

    /// What the network tells of dials that a redemption waits for.
    pub fn joining_dials(&self) -> JoiningDials {
        JoiningDials(self.joining.clone())
    }

    /// Founding, inviting, joining and leaving.
    pub fn membership(&self, network: Arc<dyn PeerNetwork>) -> Membership {
        Membership::new(
            self.handle.clone(),
            self.snapshots.clone(),
            self.joining.clone(),
            network,
        )
    }

    /// Runs until `stop`; an error means that the disk can no longer hold what would be promised.
    pub async fn run(
        self,
        network: Arc<dyn PeerNetwork>,
        stop: CancellationToken,
    ) -> Result<(), ControlError> {
        let mut task = Task {
            state: self.state,
            clock: self.clock,
            store: self.store,
            snapshots: self.snapshots,
            handle: self.handle,
            network,
            replies: HashMap::new(),
            last_request: 0,
        };
        let mut seed = [0; 32];
        match getrandom::fill(&mut seed) {
            Ok(()) => task.hear(Input::LogSeed { seed }).await?,
            Err(error) => tracing::error!(%error, "no randomness: the log takes nothing from here"),
        }
        task.hear(Input::Wake).await?;
        task.follow(self.commands, stop).await
    }
}

/// Hands in what earlier runs kept of the lanes that are recalled.
async fn recall(state: &mut NodeState, clock: Clock, store: &Store) -> Result<(), ControlError> {
    for lane in Lane::RECALLED {
        let mut after = None;
        loop {
            let page = store.lane_page(lane, after, RECALLED_TOGETHER).await?;
            if page.last == after {
                break;
            }
            after = page.last;
            let entries = page.entries;
            state.handle(clock.now(), Input::Recalled { entries });
        }
    }
    Ok(())
}

struct Task {
    state: NodeState,
    clock: Clock,
    store: Store,
    snapshots: Arc<Snapshots>,
    handle: ControlHandle,
    network: Arc<dyn PeerNetwork>,
    replies: HashMap<RequestId, oneshot::Sender<Reply>>,
    last_request: u64,
}

impl Task {
    async fn follow(
        &mut self,
        mut commands: mpsc::Receiver<Command>,
        stop: CancellationToken,
    ) -> Result<(), ControlError> {
        loop {
            let deadline = self.deadline();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(command) = commands.recv() => self.take(command, &mut commands).await?,
                () = tokio::time::sleep_until(deadline) => self.hear(Input::Wake).await?,
            }
        }
    }

    fn deadline(&self) -> Instant {
        const FAR: Duration = Duration::from_secs(24 * 60 * 60);
        let next = self.state.next_deadline();
        next.map_or_else(|| Instant::now() + FAR, |at| self.clock.instant(at))
    }

    /// Takes one command, and with it those that came meanwhile and are for the log: what they leave to write is
    /// written together, and synced once.
    async fn take(
        &mut self,
        command: Command,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Result<(), ControlError> {
        let mut next = Some(command);
        let mut taken = 0;
        while let Some(command) = next.take() {
            let input = self.input(command);
            taken += 1;
            if input.is_for_log() && taken < TOGETHER_MAX {
                next = commands.try_recv().ok();
            }
            self.state.handle(self.clock.now(), input);
        }
        self.carry_out_all().await
    }

    fn input(&mut self, command: Command) -> Input {
        match command {
            Command::Tell(input) => *input,
            Command::Ask(input, answer) => {
                self.last_request += 1;
                let request = RequestId(self.last_request);
                self.replies.insert(request, answer);
                input(request)
            }
        }
    }

    async fn hear(&mut self, input: Input) -> Result<(), ControlError> {
        self.state.handle(self.clock.now(), input);
        self.carry_out_all().await
    }

    async fn carry_out_all(&mut self) -> Result<(), ControlError> {
        while let Some(output) = self.state.poll_output() {
            self.carry_out(output).await?;
        }
        Ok(())
    }

    async fn carry_out(&mut self, output: Output) -> Result<(), ControlError> {
        match output {
            Output::Persist(writes) => self.store.write(writes).await?,
            Output::PublishRoster(roster) => self.snapshots.set_roster(roster),
            Output::PublishPresence(away) => self.snapshots.set_away(away),
            Output::PublishCatalog(catalog) => self.snapshots.set_catalog(catalog),
            Output::PublishManifest(manifest) => self.snapshots.set_manifest(manifest),
            Output::ManifestRefused(error) => {
                tracing::error!(%error, "the shared tools are too many; members see the previous list");
            }
            Output::Reply { request, reply } => self.reply(request, reply),
            Output::Dial { node, addresses } => self.network.dial(node, addresses).await,
            Output::Disconnect { node } => self.network.disconnect(node).await,
            Output::Goodbye { to, announcement } => self.say_goodbye(to, &announcement).await,
            Output::Release { node } => self.network.release(node).await,
            Output::Publish(announcement) => self.publish(&announcement),
            Output::Carry { to, announcement } => self.carry(to, &announcement),
            Output::Reconcile { to, summary } => self.reconcile(to, &summary),
            Output::FetchManifest { from, hash } => self.fetch(from, hash.as_bytes().to_vec()),
            Output::AskManifests { from, asked } => self.ask_manifests(from, asked),
            Output::Provide(own) => self.network.provide(own).await,
            Output::Seek { node } => self.network.seek(node).await,
            Output::RequestRenewal { from } => self.request_renewal(from),
            Output::PublishProposals(proposals) => self.snapshots.set_proposals(proposals),
            Output::Applied(entries) => self.snapshots.entries_applied(entries),
            Output::TasksChanged { changed, forgotten } => {
                self.snapshots.tasks().update(changed, &forgotten);
            }
            Output::AskLog { to, asked } => {
                log::ask(&*self.network, self.handle.clone(), to, asked);
            }
            Output::AskEntries { from, asked } => {
                let mesh = self.state.roster().map(|roster| roster.mesh);
                log::pull(&*self.network, self.handle.clone(), mesh, from, asked);
            }
            Output::PushEntries { to, entries } => {
                log::push(&*self.network, self.handle.clone(), to, &entries);
            }
            Output::SweepLog(sweeps) => {
                log::sweep(self.store.clone(), self.handle.clone(), sweeps);
            }
            Output::LookUp { theirs } => {
                log::look_up(self.store.clone(), self.handle.clone(), theirs);
            }
        }
        Ok(())
    }

    fn reply(&mut self, request: RequestId, reply: Reply) {
        if let Some(answer) = self.replies.remove(&request) {
            // The asker may have given up: then nobody knows that it has a task.
            if let Err(Reply::Task(Ok(_))) = answer.send(reply) {
                let now = self.clock.now();
                self.state.handle(now, Input::TaskUnheard { request });
            }
        }
    }

    fn publish(&self, announcement: &Announcement) {
        let told = self.network.publish(announcement.encode());
        let handle = self.handle.clone();
        tokio::spawn(async move {
            if let Err(error) = told.await {
                tracing::debug!(%error, "news was not gossiped");
                handle.tell(Input::PublishFailed).await;
            }
        });
    }

    /// What is lost on the way is found by asking.
    fn carry(&self, to: Vec<NodeId>, announcement: &Announcement) {
        let news = announcement.encode();
        for node in to {
            let carried = self.network.exchange(node, CARRY, news.clone());
            tokio::spawn(async move {
                if let Err(why) = carried.await {
                    tracing::debug!(%node, why, "news was not carried to another region");
                }
            });
        }
    }

    fn reconcile(&self, to: NodeId, summary: &Summary) {
        let answered = self.network.exchange(to, RECONCILE, summary.encode());
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let answer = answered.await.ok();
            let announcement = answer.and_then(|bytes| Announcement::decode(&bytes).ok());
            let input = match announcement {
                Some(announcement) => Input::Reconciled {
                    from: to,
                    announcement,
                },
                None => Input::ReconcileFailed { from: to },
            };
            handle.tell(input).await;
        });
    }

    /// All at once, so that those who do not listen cost one wait together.
    async fn say_goodbye(&self, to: Vec<NodeId>, announcement: &Announcement) {
        let goodbye = announcement.encode();
        let told = to
            .iter()
            .map(|node| self.network.exchange(*node, ANNOUNCE, goodbye.clone()));
        let told = tokio::time::timeout(GOODBYE_WITHIN, join_all(told)).await;
        if told.is_err() {
            tracing::debug!("some members did not hear the goodbye");
        }
        for node in to {
            self.network.disconnect(node).await;
        }
    }

    fn fetch(&self, from: NodeId, hash: Vec<u8>) {
        let fetched = self.network.exchange(from, MANIFEST, hash);
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let input = match fetched.await {
                Ok(bytes) => Input::ManifestFetched {
                    from,
                    bytes: bytes.into(),
                },
                Err(_) => Input::ManifestUnavailable { from },
            };
            handle.tell(input).await;
        });
    }

    fn ask_manifests(&self, from: NodeId, asked: Arc<ManifestsAsked>) {
        let told = self.network.exchange(from, MANIFESTS, asked.encode());
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let told = told.await.ok();
            let told = told.and_then(|bytes| ManifestsTold::decode(&bytes).ok());
            let told = told.unwrap_or_default();
            handle.tell(Input::ManifestsTold { asked, told }).await;
        });
    }

    fn request_renewal(&self, from: NodeId) {
        let renewed = self.network.exchange(from, RENEW, Vec::new());
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let chain = renewed.await.ok().and_then(|bytes| decode_chain(&bytes));
            match chain {
                Some(chain) => handle.tell(Input::Renewed { from, chain }).await,
                None => tracing::warn!(%from, "the certificate was not renewed; it is tried again"),
            }
        });
    }
}

/// Why control cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// What would be promised cannot be kept.
    #[error("the node stops, because what it promises can no longer be written: {0}")]
    Store(#[from] StoreError),
}
