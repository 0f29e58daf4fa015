//! The root machine of a node: routes inputs to its parts and lifts their outputs.
//!
//! `handle(now, input)`, then `poll_output()` until it is empty, and again at `next_deadline()`. Outputs are carried
//! out in order; an [`Output::Persist`] completes before the output after it is begun, so nothing is said that a
//! crash could unsay. Deliberately absent: IO, clocks, randomness, tasks, locks.

mod addresses;
mod answering;
mod decisions;
mod gate;
mod hearing;
mod holding;
mod input;
mod linking;
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
mod proof_logging;
mod proposing;
mod receipts;
mod reconciliation;
mod record;
mod regions;
mod renaming;
mod renewal;
mod requesting;
mod revoking;
mod rooms;
mod rotating;
mod routing;
mod tasks;
#[cfg(test)]
mod tests;
mod unsaved;

use std::collections::VecDeque;
use std::sync::Arc;

pub use input::{Input, RequestId};
pub use manifests::MANIFESTS_MAX;
pub use output::{AlreadyInMesh, Judgement, Output, Rename, Reply};
pub use presence::Away;
pub use proposing::{Electors, ProposalDraft, ProposeError, VoteError};
pub use reconciliation::RECONCILE_EVERY;
pub use record::{Record, RecordKey, Write};
pub use requesting::{RequestsError, WaitingRequests};
pub use revoking::RevokeError;

use crate::address_book::AddressBook;
use crate::catalog::manifest::EncodedManifest;
use crate::catalog::snapshot::Catalog;
use crate::id::NodeId;
use crate::links::Links;
use crate::log::Log;
use crate::membership::issuer::Issuer;
use crate::membership::join_requests::JoinRequests;
use crate::membership::member::Member;
use crate::membership::roster::{Inserted, Roster};
use crate::signature::{Signer, Verifier};
use crate::time::{Monotonic, Now};
use crate::topology::Topology;
use crate::wire::summary::Digests;
use decisions::Decisions;
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
use tasks::Tasks;
use unsaved::Unsaved;

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
    tasks: Tasks,
    decisions: Decisions,
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
            topology: Topology::new(me, None),
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
            tasks: Tasks::new(now.monotonic),
            decisions: Decisions::default(),
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

    /// How many sighted nodes that are no members it is ready to dial; at most
    /// [`STRANGERS_MAX`](crate::links::STRANGERS_MAX).
    pub fn strangers_to_dial(&self) -> usize {
        self.links.strangers()
    }

    /// Takes one input; never blocks, never fails. What follows from it is in [`NodeState::poll_output`].
    pub fn handle(&mut self, now: Now, input: Input) {
        self.route(now, input);
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
            self.tasks.next_deadline(),
            self.decisions.next_deadline(),
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
            self.settle_tasks(now);
            self.settle_decisions(now);
            self.sweep_log_when_due(now);
            self.save_when_due(now);
        }
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
            let roster = roster.as_ref()?;
            let known = roster.known(node)?;
            let record = known.record().filter(|record| !record.leaving);
            // Where not everybody is linked to everybody, whoever could be is counted on until a dial says otherwise.
            let presumed = !topology.is_full()
                && !links.is_known(node)
                && !presence.is_away(node)
                && record.is_some_and(|record| !record.addresses.is_empty());
            Some(Standing {
                name: roster
                    .name_of(node)
                    .unwrap_or_else(|| known.chain().body().name.clone()),
                reachable: links.is_up(node) || presumed,
                near: known.region() == topology.region(),
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
        let (mut revocations, mut decisions) = (Vec::new(), Vec::new());
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
                Record::Decision(proof) => decisions.push(proof),
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
        let mut again = false;
        for member in members {
            self.issuer.note_serial(member.chain().body().serial);
            if roster.revocations().check(member.chain()).is_ok()
                && roster.insert(member.clone(), now.wall) == Inserted::New
            {
                self.digests.toggle(&member);
                if !member.has_left() {
                    let region = member.region();
                    again |= self.topology.joined(member.node(), region);
                }
                let offers = member.chain().body().role.offers();
                let record = member.record().filter(|record| offers && !record.leaving);
                if let Some(record) = record {
                    // Manifests are not kept on disk: each is fetched again.
                    self.want_manifest(now, member.node(), record.manifest, None);
                }
            }
        }
        roster.forget_who_was_first();
        roster.set_caught_up(roster.is_empty());
        self.roster = Some(Arc::new(roster));
        self.roster_changed = true;
        self.topology_changed = true;
        if again {
            self.consider_all();
        }
        self.restore_own_record(now, own_record);
        self.restore_receipts(now);
        self.restore_decisions(decisions);
        self.publish_roster();
    }
}
