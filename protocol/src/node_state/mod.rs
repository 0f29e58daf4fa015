//! The root machine of a node: routes inputs to its parts and lifts their outputs.
//!
//! `handle(now, input)`, then `poll_output()` until it is empty, and again at `next_deadline()`. Outputs are carried
//! out in order; an [`Output::Persist`] completes before the output after it is begun, so nothing is said that a
//! crash could unsay. Deliberately absent: IO, clocks, randomness, tasks, locks.

mod exchange;
mod gate;
mod input;
mod offers;
mod output;
mod record;
mod renewal;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

pub use exchange::MANIFESTS_MAX;
pub use input::{Input, RequestId};
pub use output::{Output, Reply};
pub use record::{Record, RecordKey, Write};

use crate::address_book::{AddressBook, Source};
use crate::catalog::manifest::EncodedManifest;
use crate::catalog::snapshot::Catalog;
use crate::id::NodeId;
use crate::links::Links;
use crate::membership::issuer::Issuer;
use crate::membership::roster::Roster;
use crate::signature::{Signer, Verifier};
use crate::time::{Monotonic, Now};
use exchange::Exchange;
use offers::{Offers, Standing};
use renewal::Renewal;

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
    issuer: Issuer,
    book: AddressBook,
    links: Links,
    listening: Vec<String>,
    offers: Offers,
    exchange: Exchange,
    renewal: Renewal,
    outputs: VecDeque<Output>,
}

impl NodeState {
    /// A node with what it had persisted when it last ran.
    pub fn new(now: Now, keys: Keys, records: impl IntoIterator<Item = Record>) -> Self {
        let mut state = Self {
            me: NodeId::from_public_key(keys.node.public_key()),
            keys,
            roster: None,
            issuer: Issuer::default(),
            book: AddressBook::default(),
            links: Links::default(),
            listening: Vec::new(),
            offers: Offers::default(),
            exchange: Exchange::default(),
            renewal: Renewal::default(),
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

    /// Addresses known for `node`, best first.
    pub fn addresses(&self, node: NodeId) -> Vec<String> {
        self.book.addresses(node)
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
            Input::Judge {
                request,
                transcript,
                claim,
            } => self.judge(now, request, &transcript, claim),
            Input::Admitted {
                request,
                listener,
                chain,
            } => self.admitted(now, request, listener, chain),
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
            Input::RenewalAsked { request, from } => self.renewal_asked(now, request, from),
            Input::Renewed { from, chain } => self.renewed(now, from, chain),
            Input::Leave { request } => self.leave(request),
            Input::Sighted {
                node,
                addresses,
                source,
            } => self.sighted(now, node, addresses, source),
            Input::LinkUp { node, address } => self.link_up(now, node, address),
            Input::LinkDown { node } => self.link_down(now, node),
            Input::DialFailed { node, refused } => self.dial_failed(now, node, refused),
            Input::DialAgain { node } => self.links.dial_again(now.monotonic, node),
            Input::Listening { addresses } => self.now_listening(addresses),
            Input::LocalServers { servers } => self.offers.set_local(servers),
            Input::Announced { from, announcement } => self.announced(now, from, announcement),
            Input::AnnounceFailed { to } => self.exchange.announce_failed(now.monotonic, to),
            Input::ManifestFetched { from, bytes } => self.manifest_fetched(now, from, &bytes),
            Input::ManifestUnavailable { from } => {
                self.exchange.fetch_failed(now.monotonic, from);
            }
            Input::Wake => {}
        }
        self.settle(now);
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Wake`] next.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.roster.as_ref()?;
        [
            self.links.next_deadline(),
            self.exchange.next_deadline(),
            Some(self.renewal.next_check()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whatever follows from the input just taken: dials, renewals, announcements and a fresh catalog.
    fn settle(&mut self, now: Now) {
        if self.roster.is_some() {
            self.dial_due(now);
            self.renew_when_due(now);
        }
        self.publish_catalog();
        self.announce_when_due(now);
        self.fetch_when_due(now);
    }

    fn dial_due(&mut self, now: Now) {
        for node in self.links.due(now.monotonic) {
            let addresses = self.book.addresses(node);
            if addresses.is_empty() {
                self.links.failed(now.monotonic, node, false);
            } else {
                self.outputs.push_back(Output::Dial { node, addresses });
            }
        }
    }

    fn publish_catalog(&mut self) {
        let Self {
            offers,
            roster,
            links,
            ..
        } = self;
        let standing = |node: NodeId| {
            let chain = roster.as_ref()?.member(node)?;
            Some(Standing {
                name: chain.body().name.clone(),
                linked: links.is_up(node),
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
                self.exchange.announce_to_all();
            }
            Err(error) => self.outputs.push_back(Output::ManifestRefused(error)),
        }
    }

    fn sighted(&mut self, now: Now, node: NodeId, addresses: Vec<String>, source: Source) {
        if node == self.me {
            return;
        }
        let news = self.book.tell(now.wall, node, addresses, source);
        if let Some(forgotten) = self.links.sighted(now.monotonic, node, news) {
            self.book.forget(forgotten);
        }
    }

    fn dial_failed(&mut self, now: Now, node: NodeId, refused: bool) {
        if self.links.failed(now.monotonic, node, refused) {
            self.book.forget(node);
        }
    }

    fn link_up(&mut self, now: Now, node: NodeId, address: Option<String>) {
        if !self.is_member(node) {
            self.outputs.push_back(Output::Disconnect { node });
            return;
        }
        self.links.up(node);
        if let Some(address) = address {
            self.book.succeeded(now.wall, node, &address);
            self.persist_addresses(node);
        }
        self.offers.touch();
        self.exchange.announce_to(node);
    }

    fn link_down(&mut self, now: Now, node: NodeId) {
        self.links.down(now.monotonic, node);
        self.exchange.link_down(node);
        self.offers.touch();
    }

    fn now_listening(&mut self, addresses: Vec<String>) {
        if self.listening != addresses {
            self.listening = addresses;
            self.exchange.announce_to_all();
        }
    }

    fn is_member(&self, node: NodeId) -> bool {
        let roster = self.roster.as_ref();
        roster.is_some_and(|roster| roster.member(node).is_some())
    }

    fn persist_addresses(&mut self, node: NodeId) {
        let record = Record::Addresses {
            node,
            addresses: self.book.entries(node).to_vec(),
        };
        self.persist(vec![Write::Put(record)]);
    }

    /// Writes that follow each other are one transaction.
    fn persist(&mut self, writes: Vec<Write>) {
        match self.outputs.back_mut() {
            Some(Output::Persist(earlier)) => earlier.extend(writes),
            _ => self.outputs.push_back(Output::Persist(writes)),
        }
    }

    fn publish_roster(&mut self, roster: Option<Arc<Roster>>) {
        self.roster = roster.clone();
        self.offers.touch();
        self.outputs.push_back(Output::PublishRoster(roster));
    }

    fn reply(&mut self, request: RequestId, reply: Reply) {
        self.outputs.push_back(Output::Reply { request, reply });
    }

    fn restore(&mut self, now: Now, records: impl IntoIterator<Item = Record>) {
        let mut members = Vec::new();
        for record in records {
            match record {
                Record::Home { mesh, chain } => {
                    self.issuer.note_serial(chain.body().serial);
                    self.roster = Some(Arc::new(Roster::new(mesh, chain)));
                }
                Record::Ticket(ticket) => self.issuer.restore_ticket(ticket),
                Record::Member(chain) => members.push(chain),
                Record::Addresses { node, addresses } => self.book.restore(node, addresses),
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
        for chain in members {
            self.issuer.note_serial(chain.body().serial);
            self.links.want(now.monotonic, chain.body().subject);
            roster.insert(chain);
        }
        self.publish_roster(Some(Arc::new(roster)));
    }
}
