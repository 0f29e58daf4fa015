//! Where nodes were seen: a bounded book of addresses, best first. Being in it proves nothing about a node.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, ROSTER_MAX};
use crate::time::Timestamp;

/// How long others are tried in the place of an address that failed once.
const FIRST_REST: Duration = Duration::from_secs(2);
/// The longest that others are tried in the place of an address that goes on failing.
const LONGEST_REST: Duration = Duration::from_secs(10 * 60);

/// Who said that a node may be found at an address; the later in this order, the better it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A knock at the addresses of the local network.
    Scan,
    /// Multicast DNS on the local network.
    Mdns,
    /// The bootstrap file.
    Bootstrap,
    /// The registry in Firebase, signed by the node itself.
    Firebase,
    /// The mesh's distributed hash table, signed by the node itself.
    Dht,
    /// Another member, over a link.
    Member,
    /// The ticket that led into the mesh.
    Ticket,
    /// The node itself, over a link.
    Announcement,
}

/// One address of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownAddress {
    /// A textual multiaddress.
    pub address: String,
    /// Who told it, of all that did the one that knows best.
    pub source: Source,
    /// The last time a link stood over it.
    pub succeeded: Option<Timestamp>,
    /// The last time it was told.
    pub told: Timestamp,
    /// Links that stood over it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub successes: u32,
    /// Dials of it that brought no link.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// Of these, those since a link last stood over it or the network last changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures_in_a_row: u32,
    /// The last time a dial of it brought no link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Timestamp>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands members over by reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl KnownAddress {
    /// An address that was told and never tried.
    pub fn told(address: String, source: Source, told: Timestamp) -> Self {
        Self {
            address,
            source,
            succeeded: None,
            told,
            successes: 0,
            failures: 0,
            failures_in_a_row: 0,
            failed: None,
        }
    }

    /// The last time somebody told it or a link stood over it.
    pub fn last_seen(&self) -> Timestamp {
        self.succeeded
            .map_or(self.told, |worked| worked.max(self.told))
    }

    /// Until when others are tried in its place: twice as long with each failure in a row.
    pub fn rests_until(&self) -> Option<Timestamp> {
        let doublings = self.failures_in_a_row.checked_sub(1)?;
        let rest = FIRST_REST
            .saturating_mul(1 << doublings.min(16))
            .min(LONGEST_REST);
        self.failed.map(|failed| failed + rest)
    }

    /// Whether others are tried in its place. A failure of the future says that the clock was put back.
    fn rests(&self, now: Timestamp) -> bool {
        let in_time = self.failed.is_some_and(|failed| failed <= now);
        in_time && self.rests_until().is_some_and(|until| until > now)
    }

    /// What worked last is worth most, then what those who know best said last.
    fn worth(&self) -> (Option<Timestamp>, Source, Reverse<u32>, Timestamp) {
        let failing = Reverse(self.failures_in_a_row);
        (self.succeeded, self.source, failing, self.told)
    }
}

/// Addresses of nodes, at most [`ADDRESSES_PER_NODE_MAX`] each and [`ROSTER_MAX`] nodes.
#[derive(Clone, Debug, Default)]
pub struct AddressBook {
    nodes: BTreeMap<NodeId, Vec<KnownAddress>>,
}

impl AddressBook {
    /// Takes back what was persisted.
    pub fn restore(&mut self, node: NodeId, addresses: Vec<KnownAddress>) {
        self.nodes.insert(node, addresses);
    }

    /// Notes addresses that somebody told; says whether any is new.
    pub fn tell(
        &mut self,
        now: Timestamp,
        node: NodeId,
        addresses: impl IntoIterator<Item = String>,
        source: Source,
    ) -> bool {
        if !self.nodes.contains_key(&node) && self.nodes.len() >= ROSTER_MAX {
            return false;
        }
        let known = self.nodes.entry(node).or_default();
        let mut news = false;
        for address in addresses.into_iter().take(ADDRESSES_PER_NODE_MAX) {
            if address.len() > ADDRESS_BYTES_MAX {
                continue;
            }
            match known.iter_mut().find(|entry| entry.address == address) {
                Some(entry) => {
                    entry.told = now;
                    entry.source = entry.source.max(source);
                }
                None => {
                    known.push(KnownAddress::told(address, source, now));
                    news = true;
                }
            }
        }
        drop_worst(known);
        news
    }

    /// Notes that a link stands over `address`.
    pub fn succeeded(&mut self, now: Timestamp, node: NodeId, address: &str) {
        self.tell(now, node, [address.to_owned()], Source::Announcement);
        let entries = self.nodes.get_mut(&node);
        let entry = entries.and_then(|known| known.iter_mut().find(|e| e.address == address));
        if let Some(entry) = entry {
            entry.succeeded = Some(now);
            entry.successes = entry.successes.saturating_add(1);
            entry.failures_in_a_row = 0;
        }
    }

    /// Notes that dials of these addresses brought no link; `said` are those that the node named itself. Addresses that
    /// are in neither list are forgotten already and not noted.
    pub fn failed(&mut self, now: Timestamp, node: NodeId, addresses: &[String], said: &[String]) {
        for address in addresses.iter().take(ADDRESSES_PER_NODE_MAX) {
            if said.contains(address) {
                let told = self.told_at(node, address).unwrap_or(now);
                self.tell(told, node, [address.clone()], Source::Announcement);
            }
            let entries = self.nodes.get_mut(&node);
            let entry = entries.and_then(|known| known.iter_mut().find(|e| e.address == *address));
            if let Some(entry) = entry {
                entry.failures = entry.failures.saturating_add(1);
                entry.failures_in_a_row = entry.failures_in_a_row.saturating_add(1);
                entry.failed = Some(now);
            }
        }
    }

    fn told_at(&self, node: NodeId, address: &str) -> Option<Timestamp> {
        let mut entries = self.nodes.get(&node)?.iter();
        let entry = entries.find(|entry| entry.address == address)?;
        Some(entry.told)
    }

    /// The network is another one: what failed in the old one says nothing of it.
    pub fn forgive(&mut self) {
        for entry in self.nodes.values_mut().flatten() {
            entry.failures_in_a_row = 0;
        }
    }

    /// The addresses of `node` that are worth a dial now: all but those that failed of late, or all where all did. This
    /// node's `own` are none: nobody else answers there.
    pub fn to_dial(
        &self,
        now: Timestamp,
        node: NodeId,
        said: &[String],
        own: &[String],
    ) -> Vec<String> {
        let mut all = self.addresses(node, said);
        all.retain(|address| !own.contains(address));
        let entries = self.entries(node);
        let rests = |address: &&String| {
            let mut known = entries.iter();
            known.any(|entry| entry.address == **address && entry.rests(now))
        };
        let fresh: Vec<String> = all.iter().filter(|a| !rests(a)).cloned().collect();
        if fresh.is_empty() { all } else { fresh }
    }

    /// Every node of the book with what is known of it, best first.
    pub fn all(&self) -> impl Iterator<Item = (NodeId, Vec<KnownAddress>)> {
        self.nodes.iter().map(|(node, known)| {
            let mut known = known.clone();
            known.sort_by_key(|entry| Reverse(entry.worth()));
            (*node, known)
        })
    }

    /// The addresses of `node`, best first: in turn the one that worked last, the first that it `said` itself, and the
    /// best told by others; then the second of each. So neither many networks that it was in before nor many lies keep
    /// where it is now from being tried among the first. At most [`ADDRESSES_PER_NODE_MAX`].
    pub fn addresses(&self, node: NodeId, said: &[String]) -> Vec<String> {
        let mut known: Vec<&KnownAddress> = self.nodes.get(&node).into_iter().flatten().collect();
        known.sort_by_key(|entry| Reverse(entry.worth()));
        let (worked, told): (Vec<_>, Vec<_>) = known
            .into_iter()
            .partition(|entry| entry.succeeded.is_some());
        let mut worked = worked.into_iter().map(|entry| &entry.address);
        let mut told = told.into_iter().map(|entry| &entry.address);
        let mut said = said.iter();
        let mut seen = BTreeSet::new();
        let mut addresses = Vec::new();
        loop {
            let turn = [worked.next(), said.next(), told.next()];
            if turn.iter().all(Option::is_none) {
                break;
            }
            let news = turn.into_iter().flatten();
            let news = news.filter(|address| seen.insert(address.as_str()));
            addresses.extend(news.cloned());
        }
        addresses.truncate(ADDRESSES_PER_NODE_MAX);
        addresses
    }

    /// Everything known of `node`, as it is persisted.
    pub fn entries(&self, node: NodeId) -> &[KnownAddress] {
        self.nodes.get(&node).map_or(&[], Vec::as_slice)
    }

    /// Forgets a node.
    pub fn forget(&mut self, node: NodeId) {
        self.nodes.remove(&node);
    }
}

/// Keeps [`ADDRESSES_PER_NODE_MAX`]: of those that worked and of those that never did half each, where there are as
/// many. A node that was in many networks can be told of another one, and lies push out no address that works.
fn drop_worst(known: &mut Vec<KnownAddress>) {
    if known.len() <= ADDRESSES_PER_NODE_MAX {
        return;
    }
    known.sort_by_key(|entry| Reverse(entry.worth()));
    let worked = known.partition_point(|entry| entry.succeeded.is_some());
    let untried = known.len() - worked;
    let kept_untried = untried.min(ADDRESSES_PER_NODE_MAX / 2);
    let kept_worked = worked.min(ADDRESSES_PER_NODE_MAX - kept_untried);
    known.drain(kept_worked..worked);
    known.truncate(ADDRESSES_PER_NODE_MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeId {
        NodeId::from_public_key([1; 32])
    }

    #[test]
    fn the_address_that_worked_last_comes_first() {
        let mut book = AddressBook::default();
        let told = ["/a", "/b", "/c"].map(String::from);
        book.tell(Timestamp(1), node(), told, Source::Mdns);
        book.succeeded(Timestamp(2), node(), "/c");
        assert_eq!(book.addresses(node(), &[])[0], "/c");
    }

    #[test]
    fn what_a_node_says_of_itself_outlives_any_number_of_sightings() {
        let mut book = AddressBook::default();
        let own = ["/own".to_owned()];
        book.tell(Timestamp(1), node(), own, Source::Announcement);
        for lie in 2..1_000_u64 {
            book.tell(
                Timestamp(lie),
                node(),
                [format!("/lie/{lie}")],
                Source::Mdns,
            );
        }
        assert_eq!(book.addresses(node(), &[])[0], "/own");
    }

    #[test]
    fn ten_thousand_addresses_of_one_node_do_not_push_out_the_one_that_works() {
        let mut book = AddressBook::default();
        book.tell(Timestamp(1), node(), ["/good".to_owned()], Source::Ticket);
        book.succeeded(Timestamp(1), node(), "/good");
        for lie in 0..10_000_u64 {
            book.tell(
                Timestamp(lie),
                node(),
                [format!("/lie/{lie}")],
                Source::Mdns,
            );
        }
        assert_eq!(book.addresses(node(), &[]).len(), ADDRESSES_PER_NODE_MAX);
        assert_eq!(book.addresses(node(), &[])[0], "/good");
    }

    #[test]
    fn an_address_that_fails_makes_way_for_others_longer_each_time_until_the_network_changes() {
        let mut book = AddressBook::default();
        let told = ["/a", "/b"].map(String::from);
        book.tell(Timestamp(0), node(), told, Source::Ticket);
        let failed = ["/b".to_owned()];
        let second = 1_000;
        book.failed(Timestamp(0), node(), &failed, &[]);
        assert_eq!(book.to_dial(Timestamp(second), node(), &[], &[]), ["/a"]);
        assert_eq!(
            book.to_dial(Timestamp(2 * second), node(), &[], &[]).len(),
            2
        );
        for _ in 0..100 {
            book.failed(Timestamp(10 * second), node(), &failed, &[]);
        }
        let later = Timestamp(10 * second) + LONGEST_REST;
        let just_before = later - Duration::from_millis(1);
        assert_eq!(book.to_dial(just_before, node(), &[], &[]), ["/a"]);
        assert_eq!(book.to_dial(later, node(), &[], &[]).len(), 2);
        assert_eq!(
            book.to_dial(Timestamp(9 * second), node(), &[], &[]).len(),
            2
        );
        book.forgive();
        assert_eq!(book.to_dial(just_before, node(), &[], &[]).len(), 2);
    }

    #[test]
    fn where_every_address_failed_all_are_dialed_and_one_that_works_again_is_first() {
        let mut book = AddressBook::default();
        let told = ["/a", "/b"].map(String::from);
        book.tell(Timestamp(0), node(), told.clone(), Source::Ticket);
        book.failed(Timestamp(1), node(), &told, &[]);
        assert_eq!(book.to_dial(Timestamp(1), node(), &[], &[]).len(), 2);
        book.succeeded(Timestamp(2), node(), "/b");
        assert_eq!(book.to_dial(Timestamp(2), node(), &[], &[]), ["/b"]);
        let entry = &book.entries(node())[1];
        let counted = (entry.successes, entry.failures, entry.failures_in_a_row);
        assert_eq!(counted, (1, 1, 0));
    }

    #[test]
    fn failures_of_what_a_node_said_itself_are_counted_and_of_the_unknown_are_not() {
        let mut book = AddressBook::default();
        let said = ["/own".to_owned()];
        let dialed = ["/own", "/unknown"].map(String::from);
        book.failed(Timestamp(1), node(), &dialed, &said);
        let [entry] = book.entries(node()) else {
            panic!("{:?}", book.entries(node()));
        };
        assert_eq!((entry.address.as_str(), entry.failures), ("/own", 1));
    }

    #[test]
    fn a_node_that_was_in_many_networks_is_tried_where_it_is_now_among_the_first() {
        let mut book = AddressBook::default();
        for network in 0..100_u64 {
            let address = format!("/network/{network}");
            book.tell(Timestamp(network), node(), [address.clone()], Source::Mdns);
            book.succeeded(Timestamp(network), node(), &address);
        }
        book.tell(Timestamp(200), node(), ["/here".to_owned()], Source::Mdns);
        let said = ["/said".to_owned()];
        let dialed = book.addresses(node(), &said);
        assert_eq!(dialed[..3], ["/network/99", "/said", "/here"]);
        assert_eq!(dialed.len(), ADDRESSES_PER_NODE_MAX);
        assert_eq!(book.entries(node()).len(), ADDRESSES_PER_NODE_MAX);
    }

    #[test]
    fn an_address_of_this_node_is_no_reason_to_spare_those_that_failed() {
        let mut book = AddressBook::default();
        let failed = ["/a".to_owned()];
        let both = vec!["/a".to_owned(), "/own".to_owned()];
        book.tell(Timestamp(0), node(), both, Source::Announcement);
        book.failed(Timestamp(1), node(), &failed, &[]);
        let own = ["/own".to_owned()];
        assert_eq!(book.to_dial(Timestamp(1), node(), &[], &own), ["/a"]);
    }
}
