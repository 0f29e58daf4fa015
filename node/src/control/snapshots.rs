//! What control publishes and everything else reads without waiting.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use libp2p::Multiaddr;
use peerage_protocol::catalog::manifest::EncodedManifest;
use peerage_protocol::catalog::shelf::Revisions;
use peerage_protocol::catalog::snapshot::Catalog;
use peerage_protocol::consensus::book::Proposals;
use peerage_protocol::id::{NodeId, ServerName};
use peerage_protocol::log::entry::Entry;
use peerage_protocol::membership::admission::Refusal;
use peerage_protocol::membership::roster::Roster;
use peerage_protocol::node_state::Away;
use peerage_protocol::time::Timestamp;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, timeout_at};

use super::clock::wall;
use super::sightings::{IgnoredSighting, IgnoredSightings};
use crate::gateway::backend::upstream::ListChanges;
use crate::tasks::TaskBoard;

/// Failed dials that a slow listener can still hear of.
const DIAL_FAILURES_KEPT: usize = 64;

/// Entries of the log that a slow listener can still hear of.
const APPLIED_KEPT: usize = 1_024;

/// How long a caller waits for this node to hear from the mesh: a round trip is enough.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(3);

/// Members by id, each with its link.
pub type Links = BTreeMap<NodeId, LinkStatus>;

/// The link to one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// Whether it stands.
    pub up: bool,
    /// The address it stands or stood over.
    pub address: String,
    /// Since when it stands, or does not any more.
    pub since: Timestamp,
}

/// Each rises with every change of its list, also one that a server announced and that cannot be seen in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListVersions {
    /// Of the tools.
    pub tools: u64,
    /// Of the prompts.
    pub prompts: u64,
    /// Of the resources and their templates.
    pub resources: u64,
}

impl ListVersions {
    fn raise(&mut self, changes: ListChanges) {
        self.tools += u64::from(changes.tools);
        self.prompts += u64::from(changes.prompts);
        self.resources += u64::from(changes.resources);
    }
}

/// The roster, the catalog and the manifest as they stand, each replaced whole.
pub struct Snapshots {
    roster: ArcSwapOption<Roster>,
    catalog: ArcSwap<Catalog>,
    manifest: ArcSwapOption<EncodedManifest>,
    links: watch::Sender<Arc<Links>>,
    dial_failures: broadcast::Sender<NodeId>,
    list_versions: watch::Sender<ListVersions>,
    shares: ArcSwap<BTreeMap<ServerName, bool>>,
    put_out: ArcSwapOption<Refusal>,
    away: ArcSwap<Away>,
    listening: ArcSwap<Vec<Multiaddr>>,
    ignored: Mutex<IgnoredSightings>,
    caught_up: watch::Sender<bool>,
    member_changes: watch::Sender<u64>,
    applied: broadcast::Sender<Arc<Entry>>,
    proposals: watch::Sender<Arc<Proposals>>,
    requests_heard_until: ArcSwapOption<Instant>,
    tasks: TaskBoard,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self {
            roster: ArcSwapOption::empty(),
            catalog: ArcSwap::default(),
            manifest: ArcSwapOption::empty(),
            links: watch::Sender::new(Arc::default()),
            dial_failures: broadcast::Sender::new(DIAL_FAILURES_KEPT),
            list_versions: watch::Sender::default(),
            shares: ArcSwap::default(),
            put_out: ArcSwapOption::empty(),
            away: ArcSwap::default(),
            listening: ArcSwap::default(),
            ignored: Mutex::default(),
            caught_up: watch::Sender::new(true),
            member_changes: watch::Sender::new(0),
            applied: broadcast::Sender::new(APPLIED_KEPT),
            proposals: watch::Sender::default(),
            requests_heard_until: ArcSwapOption::empty(),
            tasks: TaskBoard::default(),
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

    /// The versions of the lists of the catalog.
    pub fn list_changes(&self) -> watch::Receiver<ListVersions> {
        self.list_versions.subscribe()
    }

    fn announce(&self, changes: ListChanges) {
        if changes.any() {
            self.list_versions
                .send_modify(|versions| versions.raise(changes));
        }
    }

    /// The links that stand or stood since the start.
    pub fn links(&self) -> watch::Receiver<Arc<Links>> {
        self.links.subscribe()
    }

    /// Each node that a dial of it has failed, from here on.
    pub fn dial_failures(&self) -> broadcast::Receiver<NodeId> {
        self.dial_failures.subscribe()
    }

    /// Each entry of the log that is on disk from here on. Who is too slow is told how many it missed, and finds them in
    /// the store.
    pub fn applied(&self) -> broadcast::Receiver<Arc<Entry>> {
        self.applied.subscribe()
    }

    pub(super) fn entries_applied(&self, entries: Vec<Arc<Entry>>) {
        for entry in entries {
            // Nobody may be listening.
            let _ = self.applied.send(entry);
        }
    }

    /// The tasks that this node knows.
    pub fn tasks(&self) -> &TaskBoard {
        &self.tasks
    }

    /// What is proposed, voted and decided.
    pub fn proposals(&self) -> watch::Receiver<Arc<Proposals>> {
        self.proposals.subscribe()
    }

    pub(super) fn set_proposals(&self, proposals: Arc<Proposals>) {
        self.proposals.send_replace(proposals);
    }

    /// This node's configured servers, and whether members may call each; holds from the next call on.
    pub fn shares(&self) -> Arc<BTreeMap<ServerName, bool>> {
        self.shares.load_full()
    }

    /// Why this node is no member any more, by what it knows itself or by what the last member that it reached told it.
    pub fn put_out(&self) -> Option<Refusal> {
        let roster = self.roster()?;
        let known = roster.revocations().check(&roster.own).err();
        known.or_else(|| self.put_out.load_full().as_deref().cloned())
    }

    /// Whether this node has heard from the mesh since it came back.
    pub fn is_caught_up(&self) -> bool {
        *self.caught_up.borrow()
    }

    /// Whether this node has heard from the mesh since it came back, or does before `deadline` and soon.
    pub async fn caught_up_by(&self, deadline: Instant) -> bool {
        if self.is_caught_up() {
            return true;
        }
        let mut caught_up = self.caught_up.subscribe();
        let until = deadline.min(Instant::now() + CAUGHT_UP_WITHIN);
        let heard = timeout_at(until, caught_up.wait_for(|caught_up| *caught_up)).await;
        matches!(heard, Ok(Ok(_)))
    }

    /// Whether strangers may ask to be let in now.
    pub fn hears_requests(&self) -> bool {
        let until = self.requests_heard_until.load();
        until.as_ref().is_some_and(|until| Instant::now() < **until)
    }

    pub(super) fn hear_requests(&self, until: Option<Instant>) {
        self.requests_heard_until.store(until.map(Arc::new));
    }

    /// Rises whenever the roster, or who is away, has changed.
    pub fn member_changes(&self) -> watch::Receiver<u64> {
        self.member_changes.subscribe()
    }

    /// Members that do not answer any more.
    pub fn away(&self) -> Arc<Away> {
        self.away.load_full()
    }

    /// Where this node listens.
    pub fn listening(&self) -> Arc<Vec<Multiaddr>> {
        self.listening.load_full()
    }

    pub(super) fn set_listening(&self, addresses: Vec<Multiaddr>) {
        self.listening.store(Arc::new(addresses));
    }

    /// What sources said of addresses and this node did not believe.
    pub fn ignored_sightings(&self) -> Vec<IgnoredSighting> {
        self.ignored_now().all()
    }

    pub(super) fn ignored_now(&self) -> MutexGuard<'_, IgnoredSightings> {
        self.ignored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_away(&self, away: Arc<Away>) {
        self.away.store(away);
        self.members_changed();
    }

    pub(super) fn told_put_out(&self, refusal: Option<Refusal>) {
        self.put_out.store(refusal.map(Arc::new));
    }

    pub(super) fn set_shares(&self, shares: BTreeMap<ServerName, bool>) {
        self.shares.store(Arc::new(shares));
    }

    pub(super) fn set_roster(&self, roster: Option<Arc<Roster>>) {
        let caught_up = roster.as_ref().is_none_or(|roster| roster.is_caught_up());
        self.roster.store(roster);
        self.caught_up.send_replace(caught_up);
        self.members_changed();
    }

    fn members_changed(&self) {
        self.member_changes.send_modify(|version| *version += 1);
    }

    pub(super) fn set_manifest(&self, manifest: Arc<EncodedManifest>) {
        self.manifest.store(Some(manifest));
    }

    pub(super) fn set_catalog(&self, catalog: Arc<Catalog>) {
        let before = self.catalog.swap(catalog.clone());
        self.announce(differences(&before, &catalog));
    }

    pub(super) fn link_up(&self, node: NodeId, address: String) {
        self.change_links(|links| {
            let link = LinkStatus {
                up: true,
                address,
                since: wall(),
            };
            links.insert(node, link);
        });
    }

    pub(super) fn link_down(&self, node: NodeId) {
        self.change_links(|links| {
            if let Some(link) = links.get_mut(&node) {
                link.up = false;
                link.since = wall();
            }
        });
    }

    pub(super) fn dial_failed(&self, node: NodeId) {
        // Nobody may be waiting for a link.
        let _ = self.dial_failures.send(node);
    }

    fn change_links(&self, change: impl FnOnce(&mut Links)) {
        self.links.send_modify(|links| change(Arc::make_mut(links)));
    }
}

fn differences(before: &Catalog, after: &Catalog) -> ListChanges {
    let (old, new) = (before.library(), after.library());
    let revised = |kind: fn(&Revisions) -> u64| old.revisions(kind) != new.revisions(kind);
    let resources = old.resources() != new.resources() || old.templates() != new.templates();
    ListChanges {
        tools: revised(|one| one.tools) || !before.entries().eq(after.entries()),
        prompts: revised(|one| one.prompts) || old.prompts() != new.prompts(),
        resources: revised(|one| one.resources) || resources,
    }
}
