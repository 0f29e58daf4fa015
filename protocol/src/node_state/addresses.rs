//! Where nodes are: what is told of it, what becomes of it, and what another network changes.

use std::time::Duration;

use super::NodeState;
use super::input::RequestId;
use super::output::Reply;
use super::record::{Record, Write};
use crate::address_book::Source;
use crate::id::NodeId;
use crate::time::Now;

/// Pause between two times that every link which waits is tried at once: an interface that comes and goes all the time
/// must not make as many dials.
const HASTEN_EVERY: Duration = Duration::from_secs(1);

impl NodeState {
    /// Addresses known for `node`, best first: where it was reached or seen, and where it says it listens.
    pub fn addresses(&self, node: NodeId) -> Vec<String> {
        self.book.addresses(node, self.said_by(node))
    }

    /// Those worth a dial now.
    pub(super) fn addresses_to_dial(&self, now: Now, node: NodeId) -> Vec<String> {
        let said = self.said_by(node);
        self.book.to_dial(now.wall, node, said, &self.listening)
    }

    /// Where `node` says it listens.
    fn said_by(&self, node: NodeId) -> &[String] {
        let known = self.roster.as_ref().and_then(|roster| roster.known(node));
        let record = known.and_then(|member| member.record());
        record.map_or(&[], |record| &record.addresses)
    }

    pub(super) fn sighted(
        &mut self,
        now: Now,
        node: NodeId,
        addresses: Vec<String>,
        source: Source,
    ) {
        if node == self.me {
            return;
        }
        let news = self.book.tell(now.wall, node, addresses, source);
        if self.is_member(node) {
            if news {
                self.save_addresses_with_others(node);
            }
            if !self.links.is_known(node) {
                return;
            }
        }
        if let Some(forgotten) = self.links.sighted(now.monotonic, node, news) {
            self.book.forget(forgotten);
        }
    }

    pub(super) fn addresses_failed(&mut self, now: Now, node: NodeId, addresses: &[String]) {
        let said = self.said_by(node).to_vec();
        self.book.failed(now.wall, node, addresses, &said);
        if self.is_member(node) {
            self.save_addresses_with_others(node);
        }
    }

    pub(super) fn addresses_asked(&mut self, request: RequestId) {
        let known = self.book.all().collect();
        self.reply(request, Reply::Addresses(known));
    }

    pub(super) fn listens(&mut self, now: Now, addresses: Vec<String>) {
        let changed = self.listening != addresses && !self.listening.is_empty();
        self.listening = addresses;
        self.own.listens();
        if changed {
            self.network_changed(now);
        }
    }

    /// What failed before may work now, and nobody has to wait for it.
    pub(super) fn network_changed(&mut self, now: Now) {
        self.book.forgive();
        let next = self.hastened.map(|hastened| hastened + HASTEN_EVERY);
        let at = next.map_or(now.monotonic, |next| next.max(now.monotonic));
        self.hastened = Some(at);
        self.links.hasten_all(at);
    }

    pub(super) fn save_addresses(&mut self, now: Now, node: NodeId) {
        let write = self.addresses_write(node);
        self.save_later(now, write);
    }

    /// With whatever is written next: that an address failed is no reason to wake the disk.
    fn save_addresses_with_others(&mut self, node: NodeId) {
        let write = self.addresses_write(node);
        self.unsaved.add(write);
    }

    fn addresses_write(&self, node: NodeId) -> Write {
        let addresses = self.book.entries(node).to_vec();
        Write::Put(Record::Addresses { node, addresses })
    }
}
