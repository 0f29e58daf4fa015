//! The root machine of a node: routes inputs to its parts and lifts their outputs.
//!
//! `handle(now, input)`, then `poll_output()` until it is empty, and again at `next_deadline()`. Outputs are carried
//! out in order; an [`Output::Persist`] completes before the output after it is begun, so nothing is said that a
//! crash could unsay. Deliberately absent: IO, clocks, randomness, tasks, locks.

mod addresses;
mod gate;
mod hearing;
mod input;
mod log;
mod log_repair;
mod log_retention;
mod manifest_answers;
mod manifests;
mod offers;
mod output;
mod own_record;
mod passing_on;
mod presence;
mod receipts;
mod reconciliation;
mod record;
mod renaming;
mod renewal;
mod requesting;
mod revoking;
mod rotating;
#[cfg(test)]
mod tests;
mod unsaved;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub use input::{Input, RequestId};
pub use manifests::MANIFESTS_MAX;
pub use output::{AlreadyInMesh, Judgement, Output, Rename, Reply};
pub use presence::Away;
pub use reconciliation::RECONCILE_EVERY;
pub use record::{Record, RecordKey, Write};
pub use requesting::{RequestsError, WaitingRequests};
pub use revoking::RevokeError;

use crate::address_book::AddressBook;
use crate::catalog::manifest::EncodedManifest;
use crate::catalog::snapshot::Catalog;
use crate::id::NodeId;
use crate::links::{LINGER, Links};
use crate::log::Log;
use crate::membership::certificate::Validity;
use crate::membership::issuer::Issuer;
use crate::membership::join_requests::JoinRequests;
use crate::membership::member::Member;
use crate::membership::roster::{Inserted, Roster};
use crate::signature::{Signer, Verifier};
use crate::time::{Monotonic, Now};
use crate::topology::Topology;
use crate::wire::summary::Digests;
use hearing::Changed;
use manifest_answers::ManifestAnswers;
use manifests::Manifests;
use offers::{Offers, Standing};
use own_record::OwnRecord;
use passing_on::PassingOn;
use presence::Presence;
use receipts::Receipts;
use reconciliation::Reconciliation;
use renewal::Renewal;
use unsaved::Unsaved;

/// How long a link is kept for whoever asked for it.
const WANTED_LINK_FOR: Duration = Duration::from_secs(60);

/// The keys and the checker that a node is given.
#[derive(Clone)]
pub struct Keys {
    /// The node's own key.
    pub node: Arc<dyn Signer>,
    /// The mesh's root key, at the node that founded it.
    pub root: Option<Arc<dyn Signer>>,
    /// Checks signatures.
    pub verifier: Arc<dyn Verifier>,
}

/// Everything one node decides.
pub struct NodeState {
    me: NodeId,
    keys: Keys,
    roster: Option<Arc<Roster>>,
    /// It has changed since it was last published.
    roster_changed: bool,
    issuer: Issuer,
    requests: JoinRequests,
    own: OwnRecord,
    changed: Changed,
    passing_on: PassingOn,
    digests: Digests,
    reconciliation: Reconciliation,
    book: AddressBook,
    links: Links,
    topology: Topology,
    /// Who is to be linked may have changed.
    topology_changed: bool,
    /// Everybody was to be linked to everybody when the catalog was last looked at.
    was_full: bool,
    listening: Vec<String>,
    /// Links that wait were last hastened for then.
    hastened: Option<Monotonic>,
    offers: Offers,
    manifests: Manifests,
    manifest_answers: ManifestAnswers,
    renewal: Renewal,
    unsaved: Unsaved,
    presence: Presence,
    log: Log,
    receipts: Receipts,
    outputs: VecDeque<Output>,
}

impl NodeState {
    /// A node with what it had persisted when it last ran.
    pub fn new(now: Now, keys: Keys, records: impl IntoIterator<Item = Record>) -> Self {
        let me = NodeId::from_public_key(keys.node.public_key());
        let mut state = Self {
            me,
            keys,
            roster: None,
            roster_changed: false,
            issuer: Issuer::default(),
            requests: JoinRequests::default(),
            own: OwnRecord::default(),
            changed: Changed::default(),
            passing_on: PassingOn::default(),
            digests: Digests::default(),
            reconciliation: Reconciliation::default(),
            book: AddressBook::default(),
            links: Links::default(),
            topology: Topology::new(me),
            topology_changed: false,
            was_full: false,
            listening: Vec::new(),
            hastened: None,
            offers: Offers::default(),
            manifests: Manifests::default(),
            manifest_answers: ManifestAnswers::default(),
            renewal: Renewal::default(),
            unsaved: Unsaved::default(),
            presence: Presence::default(),
            log: Log::default(),
            receipts: Receipts::default(),
            outputs: VecDeque::new(),
        };
        state.restore(now, records);
        state
    }

    /// This node.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// The roster as it was last published; `None` while the node belongs to no mesh.
    pub fn roster(&self) -> Option<&Arc<Roster>> {
        self.roster.as_ref()
    }

    /// The catalog as it was last published.
    pub fn catalog(&self) -> &Arc<Catalog> {
        self.offers.catalog()
    }

    /// The encoded manifest that members may fetch, with its hash.
    pub fn manifest(&self) -> &Arc<EncodedManifest> {
        self.offers.manifest()
    }

    /// Takes one input; never blocks, never fails. What follows from it is in [`NodeState::poll_output`].
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Found {
                request,
                root,
                name,
            } => self.found(now, request, root, name),
            Input::Invite {
                request,
                invitation,
            } => self.invite(now, request, invitation),
            Input::Tickets { request } => self.tickets(now, request),
            Input::WithdrawTicket { request, id } => self.withdraw_ticket(now, request, id),
            Input::Judge {
                request,
                transcript,
                claim,
                place,
            } => self.judge(now, request, &transcript, claim, &place),
            Input::OpenRequests { request, window } => self.open_requests(now, request, window),
            Input::Requests { request } => self.tell_requests(now, request),
            Input::Approve {
                request,
                words,
                grant,
                certificate_lifetime,
            } => {
                let approval = requesting::Approval {
                    words,
                    grant,
                    certificate_lifetime,
                };
                self.approve(now, request, approval);
            }
            Input::Admitted {
                request,
                listener,
                chain,
                revocations,
            } => self.admitted(now, request, listener, chain, &revocations),
            Input::Certified {
                request,
                mesh,
                listener,
                theirs,
                issued,
                addresses,
            } => {
                let certified = gate::Certified {
                    mesh,
                    listener,
                    theirs,
                    issued,
                    addresses,
                };
                self.certified(now, request, certified);
            }
            Input::RotateOwn { request, rotation } => self.rotate_own(now, request, &rotation),
            Input::Rotated {
                request,
                listener,
                theirs,
                new,
                issued,
            } => self.rotated(now, request, listener, theirs, (new, issued)),
            Input::DialAddresses { request, node } => {
                let addresses = self.addresses(node);
                self.reply(request, Reply::DialAddresses(addresses));
            }
            Input::Rename { request, name } => self.rename(now, request, name),
            Input::RenameAsked {
                request,
                from,
                name,
            } => self.rename_asked(now, request, from, name),
            Input::RenewalAsked { request, from } => self.renewal_asked(now, request, from),
            Input::Renewed { from, chain } => self.renewed(now, from, chain),
            Input::Revoke {
                request,
                subject,
                spare_issued_before,
            } => self.revoke(now, request, subject, spare_issued_before),
            Input::Leave { request } => self.leave(now, request),
            Input::Sighted {
                node,
                addresses,
                source,
            } => self.sighted(now, node, addresses, source),
            Input::LinkUp { node, address } => self.link_up(now, node, address),
            Input::LinkDown { node } => self.link_down(now, node),
            Input::DialFailed { node, refused } => self.dial_failed(now, node, refused),
            Input::AddressesFailed { node, addresses } => {
                self.addresses_failed(now, node, &addresses);
            }
            Input::NetworkChanged => self.network_changed(now),
            Input::AddressesAsked { request } => self.addresses_asked(request),
            Input::DialAgain { node } => self.links.dial_again(now.monotonic, node),
            Input::Listening { addresses } => self.listens(now, addresses),
            Input::LocalServers { servers } => {
                self.offers.set_local(servers);
                self.own.offers();
            }
            Input::LocalAgents { agents } => self.own.set_agents(agents),
            Input::MessageKey { key } => self.own.set_message_key(key),
            Input::Announced { from, announcement } => {
                self.announced(now, from, &announcement);
            }
            Input::Gossiped {
                request,
                from,
                announcement,
            } => self.gossiped(now, request, from, &announcement),
            Input::PublishFailed => self.own.publish_failed(),
            Input::ReconcileAsked {
                request,
                from,
                summary,
            } => self.reconcile_asked(now, request, from, &summary),
            Input::Reconciled { from, announcement } => self.reconciled(now, from, &announcement),
            Input::ReconcileFailed { from } => {
                self.reconciliation.ended(now.monotonic, from, true);
            }
            Input::LinkWanted { node } => self.link_wanted(now, node),
            Input::ManifestFetched { from, bytes } => self.manifest_fetched(now, from, &bytes),
            Input::ManifestUnavailable { from } => {
                self.manifests.fetch_failed(now.monotonic, from);
            }
            Input::ManifestsAsked {
                request,
                from,
                asked,
            } => self.manifests_asked(now, request, from, asked),
            Input::ManifestsTold { asked, told } => self.manifests_told(now, &asked, &told),
            Input::Stopping { request } => self.stopping(request),
            Input::LogSeed { seed } => self.log.own.set_seed(seed),
            Input::DiskRoom { full } => self.log.disk_full = full,
            Input::Append {
                request,
                lane,
                items,
            } => self.append_asked(now, request, lane, items),
            Input::LogAsked {
                request,
                from,
                asked,
            } => self.log_asked(now, request, from, &asked),
            Input::LogTold { from, asked, told } => self.log_told(now, from, &asked, told),
            Input::EntriesTold { from, asked, told } => {
                self.entries_told(now, from, &asked, told.as_ref());
            }
            Input::EntriesPushed { from, entries } => self.entries_pushed(now, from, &entries),
            Input::LogSwept(swept) => self.log_swept(&swept),
            Input::LookedUp { theirs, ours } => self.looked_up(&theirs, ours.as_ref()),
            Input::Wake => {}
        }
        self.settle(now);
    }

    /// The next thing to do, in order. What several inputs left to write is written together: so whoever has more than
    /// one input at hand hands in all of them first.
    pub fn poll_output(&mut self) -> Option<Output> {
        while self.outputs.is_empty() && self.flush_log() {}
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Wake`] next.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.roster.as_ref()?;
        let linked = self.links.standing().next().is_some();
        [
            self.links.next_deadline(),
            self.own.next_deadline(linked),
            self.passing_on.next_deadline(),
            self.reconciliation.next_deadline(),
            self.manifests.next_deadline(),
            self.manifest_answers.next_deadline(),
            self.unsaved.next_deadline(),
            self.presence.next_deadline(),
            self.log.next_deadline(),
            self.receipts.next_deadline(),
            Some(self.renewal.next_check()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whatever follows from the input just taken: dials, renewals, what is told and asked, and a fresh catalog.
    fn settle(&mut self, now: Now) {
        if self.roster.is_some() {
            self.renew_when_due(now);
            self.choose_neighbours(now);
            self.accuse_when_due(now);
            self.publish_roster();
        }
        self.publish_catalog();
        self.tell_of_self_when_due(now);
        if self.roster.is_some() {
            self.pass_on_when_due(now);
            self.reconcile_when_due(now);
            self.fetch_when_due(now);
            self.answer_when_due(now);
            self.dial_due(now);
            self.release_idle(now);
            self.repair_log_when_due(now);
            self.tell_receipts_when_due(now);
            self.sweep_log_when_due(now);
            self.save_when_due(now);
        }
    }

    fn dial_due(&mut self, now: Now) {
        for node in self.links.due(now.monotonic) {
            let addresses = self.addresses_to_dial(now, node);
            if addresses.is_empty() {
                self.dial_failed(now, node, false);
            } else {
                self.outputs.push_back(Output::Dial { node, addresses });
            }
        }
    }

    /// Ends idle links, but not those that the other end would make again at once.
    fn release_idle(&mut self, now: Now) {
        for node in self.links.idle(now.monotonic) {
            if self.is_chosen_by(node) {
                self.links.keep(now.monotonic, node, LINGER);
            } else {
                self.outputs.push_back(Output::Release { node });
            }
        }
    }

    fn choose_neighbours(&mut self, now: Now) {
        if !std::mem::take(&mut self.topology_changed) {
            return;
        }
        let may_be_dialed = |node: NodeId| {
            let chain = self.roster.as_ref().and_then(|roster| roster.member(node));
            chain.is_some_and(|chain| chain.validity(now.wall) != Validity::Expired)
        };
        let failing = |node: NodeId| self.links.is_failing(node);
        let neighbours = self.topology.neighbours(may_be_dialed, failing);
        self.links.want(now.monotonic, &neighbours);
    }

    fn publish_catalog(&mut self) {
        let full = self.topology.is_full();
        if std::mem::replace(&mut self.was_full, full) != full {
            self.offers.touch_all();
        }
        let Self {
            offers,
            roster,
            links,
            topology,
            presence,
            ..
        } = self;
        for node in links.take_changed() {
            offers.touch_member(node);
        }
        let standing = |node: NodeId| {
            let known = roster.as_ref()?.known(node)?;
            let record = known.record().filter(|record| !record.leaving);
            // Where not everybody is linked to everybody, whoever could be is counted on until a dial says otherwise.
            let presumed = !topology.is_full()
                && !links.is_known(node)
                && !presence.is_away(node)
                && record.is_some_and(|record| !record.addresses.is_empty());
            Some(Standing {
                name: known.chain().body().name.clone(),
                reachable: links.is_up(node) || presumed,
            })
        };
        let Some(catalog) = offers.refresh_catalog(standing) else {
            return;
        };
        self.outputs.push_back(Output::PublishCatalog(catalog));
        match self.offers.refresh_manifest() {
            Ok(None) => {}
            Ok(Some(manifest)) => {
                self.outputs.push_back(Output::PublishManifest(manifest));
                self.own.touch();
            }
            Err(error) => self.outputs.push_back(Output::ManifestRefused(error)),
        }
    }

    fn dial_failed(&mut self, now: Now, node: NodeId, refused: bool) {
        if self.links.failed(now.monotonic, node, refused) {
            self.book.forget(node);
        }
        if !refused && self.is_member(node) && self.links.is_worth_a_search(node) {
            self.outputs.push_back(Output::Seek { node });
        }
        self.manifests.unreached(now.monotonic, node);
        self.watch_failed_dial(now, node);
        self.offers.touch_member(node);
        self.topology_changed |= self.links.is_failing(node);
    }

    fn link_wanted(&mut self, now: Now, node: NodeId) {
        if self.is_member(node) {
            self.links.keep(now.monotonic, node, WANTED_LINK_FOR);
        }
    }

    fn link_up(&mut self, now: Now, node: NodeId, address: Option<String>) {
        if !self.is_member(node) {
            self.outputs.push_back(Output::Disconnect { node });
            return;
        }
        self.links.up(now.monotonic, node, address.is_some());
        if let Some(address) = address {
            self.book.succeeded(now.wall, node, &address);
            self.save_addresses(now, node);
        }
        self.watch_link_up(node);
        self.check_expiry_soon(now);
        self.topology_changed = true;
        self.offers.touch_member(node);
        self.manifests.link_up(now.monotonic, node);
        self.reconciliation.ask(now.monotonic, node);
        self.log_link_up(now, node);
    }

    fn link_down(&mut self, now: Now, node: NodeId) {
        if self.links.down(now.monotonic, node) {
            self.watch_lost_link(now, node);
        }
        if self.links.standing().next().is_none() {
            self.set_caught_up(false);
        }
        self.manifests.link_down(now.monotonic, node);
        self.reconciliation.forget(node);
        self.log.repair.forget(node);
        self.offers.touch_member(node);
        self.topology_changed = true;
    }

    fn is_member(&self, node: NodeId) -> bool {
        let roster = self.roster.as_ref();
        roster.is_some_and(|roster| roster.member(node).is_some())
    }

    /// Writes that follow each other are one transaction, and what could have waited goes with them.
    fn persist(&mut self, writes: Vec<Write>) {
        let waiting = self.unsaved.take();
        let writes = waiting.into_iter().chain(writes);
        match self.outputs.back_mut() {
            Some(Output::Persist(earlier)) => earlier.extend(writes),
            _ => self.outputs.push_back(Output::Persist(writes.collect())),
        }
    }

    /// Publishes the roster if it has changed: before anything that is answered because of it.
    fn publish_roster(&mut self) {
        if std::mem::take(&mut self.roster_changed) {
            self.log.authors_changed = true;
            let roster = self.roster.clone();
            self.outputs.push_back(Output::PublishRoster(roster));
        }
    }

    fn reply(&mut self, request: RequestId, reply: Reply) {
        self.publish_roster();
        self.outputs.push_back(Output::Reply { request, reply });
    }

    fn restore(&mut self, now: Now, records: impl IntoIterator<Item = Record>) {
        let (mut members, mut own_record) = (Vec::new(), None);
        let mut revocations = Vec::new();
        for record in records {
            match record {
                Record::Home { mesh, chain } => {
                    self.issuer.note_serial(chain.body().serial);
                    self.roster = Some(Arc::new(Roster::new(mesh, chain)));
                }
                Record::Ticket(ticket) => self.issuer.restore_ticket(ticket),
                Record::Member(chain) => members.push(Arc::new(Member::new(chain, None))),
                Record::Peer(member) if member.node() == self.me => own_record = Some(member),
                Record::Peer(member) => members.push(member),
                Record::Revocation(revocation) => revocations.push(revocation),
                Record::Addresses { node, addresses } => self.book.restore(node, addresses),
                Record::Chain(chain) => self.log.chains.restore(chain),
                Record::Fork(fork) => _ = self.log.chains.add_fork(fork.forked, fork),
                Record::Epoch(epoch) => self.log.own.restore(epoch),
            }
        }
        let Some(mut roster) = self.roster.as_deref().cloned() else {
            return;
        };
        // The key of a mesh that was left signs nothing in this one.
        let mesh_key = roster.mesh.public_key();
        self.keys.root = self
            .keys
            .root
            .take()
            .filter(|root| root.public_key() == *mesh_key);
        Self::restore_revocations(&mut roster, revocations);
        for member in members {
            self.issuer.note_serial(member.chain().body().serial);
            if roster.revocations().check(member.chain()).is_ok()
                && roster.insert(member.clone(), now.wall) == Inserted::New
            {
                self.digests.toggle(&member);
                if !member.has_left() {
                    self.topology.joined(member.node());
                }
                let offers = member.chain().body().role.offers();
                let record = member.record().filter(|record| offers && !record.leaving);
                if let Some(record) = record {
                    // Manifests are not kept on disk: each is fetched again.
                    self.want_manifest(now, member.node(), record.manifest, None);
                }
            }
        }
        roster.set_caught_up(roster.is_empty());
        self.roster = Some(Arc::new(roster));
        self.roster_changed = true;
        self.topology_changed = true;
        self.restore_own_record(now, own_record);
        self.restore_receipts(now);
        self.publish_roster();
    }
}
