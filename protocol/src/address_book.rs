//! Where nodes were seen: a bounded book of addresses, best first. Being in it proves nothing about a node.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, ROSTER_MAX};
use crate::time::Timestamp;

/// Who said that a node may be found at an address; the later in this order, the better it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Multicast DNS on the local network.
    Mdns,
    /// The bootstrap file.
    Bootstrap,
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
}

impl KnownAddress {
    /// What worked last is worth most, then what those who know best said last.
    fn worth(&self) -> (Option<Timestamp>, Source, Timestamp) {
        (self.succeeded, self.source, self.told)
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
                    known.push(KnownAddress {
                        address,
                        source,
                        succeeded: None,
                        told: now,
                    });
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
        }
    }

    /// The addresses of `node`, best first: those that worked last, then those that it `said` itself, then those told
    /// by others, who know best first. At most [`ADDRESSES_PER_NODE_MAX`].
    pub fn addresses(&self, node: NodeId, said: &[String]) -> Vec<String> {
        let mut known: Vec<&KnownAddress> = self.nodes.get(&node).into_iter().flatten().collect();
        known.sort_by_key(|entry| std::cmp::Reverse(entry.worth()));
        let worked = known.iter().filter(|entry| entry.succeeded.is_some());
        let others = known.iter().filter(|entry| entry.succeeded.is_none());
        let texts = worked.map(|entry| &entry.address);
        let texts = texts.chain(said).chain(others.map(|entry| &entry.address));
        let mut seen = BTreeSet::new();
        texts
            .filter(|address| seen.insert(address.as_str()))
            .take(ADDRESSES_PER_NODE_MAX)
            .cloned()
            .collect()
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

fn drop_worst(known: &mut Vec<KnownAddress>) {
    if known.len() > ADDRESSES_PER_NODE_MAX {
        known.sort_by_key(|entry| std::cmp::Reverse(entry.worth()));
        known.truncate(ADDRESSES_PER_NODE_MAX);
    }
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
}
