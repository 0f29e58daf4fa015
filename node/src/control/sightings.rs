//! What sources say of where nodes are: what cannot be is left out, named, and the rest told to control.
//!
//! An address is never trusted, only tried: whoever answers must prove that it is the node. What is left out here
//! would be tried in vain, or would push out what is better.

use std::collections::VecDeque;
use std::net::IpAddr;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use peerage_protocol::address_book::Source;
use peerage_protocol::id::NodeId;
use peerage_protocol::limits::{ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX};
use peerage_protocol::node_state::Input;

use super::handle::ControlHandle;
use super::snapshots::Snapshots;
use crate::discovery::dht::RecordRefused;
use crate::net::peer_id::{peer_id, without_node};

/// Sightings remembered that were not believed; the one that was repeated longest ago is forgotten first.
const IGNORED_MAX: usize = 64;

/// Something that a source said and this node did not believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredSighting {
    /// Of whom it was said.
    pub node: NodeId,
    /// Who said it.
    pub source: Source,
    /// What is wrong with it.
    pub why: WhyIgnored,
    /// The latest address.
    pub address: String,
    /// How many addresses.
    pub count: u64,
}

/// Why an address is not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhyIgnored {
    /// This node listens there.
    #[error("it is this node's own address")]
    Own,
    /// Only this machine could answer there.
    #[error("it is a loopback address, which means another machine everywhere else")]
    Loopback,
    /// No machine has it.
    #[error("no machine has such an address")]
    Nowhere,
    /// It ends with the id of another node.
    #[error("it names another node")]
    OtherNode,
    /// It is longer than an address may be.
    #[error("it is longer than {ADDRESS_BYTES_MAX} bytes")]
    TooLong,
    /// A record of the mesh's table that the node did not sign, or not lately.
    #[error("it is not the node's own word")]
    NotItsOwn,
    /// So many were told before.
    #[error("only {ADDRESSES_PER_NODE_MAX} addresses of a node are taken at a time")]
    TooMany,
}

/// Tells control of the addresses that are worth a try; names and remembers the others.
pub async fn tell_sighted(
    control: &ControlHandle,
    snapshots: &Snapshots,
    node: NodeId,
    addresses: Vec<Multiaddr>,
    source: Source,
) {
    let (addresses, ignored) = sift(&snapshots.listening(), node, addresses, source);
    if !ignored.is_empty() {
        let mut known = snapshots.ignored_now();
        for (address, why) in ignored {
            known.add(node, source, why, &address);
        }
    }
    if addresses.is_empty() {
        return;
    }
    let sighted = Input::Sighted {
        node,
        addresses: addresses.iter().map(ToString::to_string).collect(),
        source,
    };
    control.tell(sighted).await;
}

/// Remembers that somebody told the mesh's table what is not true.
pub(super) fn note_refused_record(snapshots: &Snapshots, node: NodeId, why: &RecordRefused) {
    tracing::debug!(%node, %why, "a record of the mesh's table is not believed");
    if *why != RecordRefused::Older {
        let (source, none) = (Source::Dht, Multiaddr::empty());
        snapshots
            .ignored_now()
            .add(node, source, WhyIgnored::NotItsOwn, &none);
    }
}

type Ignored = Vec<(Multiaddr, WhyIgnored)>;

/// The addresses that are worth a try for a node that listens at `own`, and the others.
fn sift(
    own: &[Multiaddr],
    node: NodeId,
    told: Vec<Multiaddr>,
    source: Source,
) -> (Vec<Multiaddr>, Ignored) {
    let (mut kept, mut ignored) = (Vec::new(), Vec::new());
    for full in told {
        match why_ignored(own, node, &full, source) {
            Some(why) => ignored.push((full, why)),
            None if kept.len() == ADDRESSES_PER_NODE_MAX => {
                ignored.push((full, WhyIgnored::TooMany));
            }
            None => kept.push(without_node(full)),
        }
    }
    (kept, ignored)
}

fn why_ignored(
    own: &[Multiaddr],
    node: NodeId,
    full: &Multiaddr,
    source: Source,
) -> Option<WhyIgnored> {
    let named = full.iter().find_map(|part| match part {
        Protocol::P2p(peer) => Some(peer),
        _ => None,
    });
    let address = without_node(full.clone());
    if address.to_string().len() > ADDRESS_BYTES_MAX {
        Some(WhyIgnored::TooLong)
    } else if named.is_some_and(|peer| peer != peer_id(node)) {
        Some(WhyIgnored::OtherNode)
    } else if own.contains(&address) {
        Some(WhyIgnored::Own)
    } else if is_nowhere(&address) {
        Some(WhyIgnored::Nowhere)
    } else if is_from_elsewhere(source) && is_loopback(&address) && !own.iter().all(is_loopback) {
        // A node that listens on loopback alone lives among the nodes of its own machine.
        Some(WhyIgnored::Loopback)
    } else {
        None
    }
}

/// Whether what it says comes over the network, from whoever is there.
fn is_from_elsewhere(source: Source) -> bool {
    matches!(
        source,
        Source::Mdns | Source::Firebase | Source::Dht | Source::Scan
    )
}

fn is_nowhere(address: &Multiaddr) -> bool {
    address.iter().next().is_none()
        || address.iter().any(|part| match part {
            Protocol::Ip4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
            Protocol::Ip6(ip) => ip.is_unspecified() || ip.is_multicast(),
            Protocol::Tcp(port) | Protocol::Udp(port) => port == 0,
            _ => false,
        })
}

fn is_loopback(address: &Multiaddr) -> bool {
    let ip = address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::from(ip)),
        Protocol::Ip6(ip) => Some(ip.to_canonical()),
        _ => None,
    });
    ip.is_some_and(|ip| ip.is_loopback())
}

/// The latest sightings that were not believed, one entry a node, source and reason.
#[derive(Default)]
pub(super) struct IgnoredSightings {
    entries: VecDeque<IgnoredSighting>,
}

impl IgnoredSightings {
    fn add(&mut self, node: NodeId, source: Source, why: WhyIgnored, address: &Multiaddr) {
        let address: String = address
            .to_string()
            .chars()
            .take(ADDRESS_BYTES_MAX)
            .collect();
        let same =
            |entry: &IgnoredSighting| (entry.node, entry.source, entry.why) == (node, source, why);
        let known = self.entries.iter().position(same);
        let known = known.and_then(|at| self.entries.remove(at));
        if known.is_none() {
            tracing::warn!(%node, ?source, address, %why, "an address that was told is not tried");
        }
        if self.entries.len() == IGNORED_MAX {
            self.entries.pop_front();
        }
        let count = known.map_or(1, |entry| entry.count.saturating_add(1));
        self.entries.push_back(IgnoredSighting {
            node,
            source,
            why,
            address,
            count,
        });
    }

    pub(super) fn all(&self) -> Vec<IgnoredSighting> {
        self.entries.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const OWN: &str = "/ip4/192.168.1.7/tcp/4001";

    fn node(byte: u8) -> NodeId {
        NodeId::from_public_key([byte; 32])
    }

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn why(text: &str, source: Source) -> Option<WhyIgnored> {
        let own = ["/ip4/127.0.0.1/tcp/4001", OWN].map(address);
        why_ignored(&own, node(1), &address(text), source)
    }

    #[test]
    fn what_cannot_be_is_named_whatever_the_source() {
        let other = format!("/ip4/192.0.2.1/tcp/1/p2p/{}", node(2));
        let long = format!("/dns4/{}/tcp/1", "a".repeat(ADDRESS_BYTES_MAX));
        for (text, expected) in [
            (OWN, WhyIgnored::Own),
            ("/ip4/0.0.0.0/tcp/1", WhyIgnored::Nowhere),
            ("/ip4/224.0.0.251/udp/5353/quic-v1", WhyIgnored::Nowhere),
            ("/ip6/::/tcp/1", WhyIgnored::Nowhere),
            ("/ip4/192.0.2.1/tcp/0", WhyIgnored::Nowhere),
            (&other, WhyIgnored::OtherNode),
            (&long, WhyIgnored::TooLong),
        ] {
            for source in [Source::Mdns, Source::Dht, Source::Bootstrap] {
                assert_eq!(why(text, source), Some(expected), "{text}");
            }
        }
        let own_name = format!("/ip4/192.0.2.1/tcp/1/p2p/{}", node(1));
        assert_eq!(why(&own_name, Source::Mdns), None);
    }

    #[test]
    fn loopback_is_believed_from_the_owner_and_from_nobody_on_the_network() {
        for text in [
            "/ip4/127.0.0.1/tcp/9",
            "/ip6/::1/tcp/9",
            "/ip6/::ffff:127.0.0.1/tcp/9",
        ] {
            assert_eq!(why(text, Source::Mdns), Some(WhyIgnored::Loopback));
            assert_eq!(why(text, Source::Dht), Some(WhyIgnored::Loopback));
            assert_eq!(why(text, Source::Firebase), Some(WhyIgnored::Loopback));
            assert_eq!(why(text, Source::Bootstrap), None);
        }
        let only_loopback = [address("/ip4/127.0.0.1/tcp/4001")];
        let told = address("/ip4/127.0.0.1/tcp/9");
        assert_eq!(
            why_ignored(&only_loopback, node(1), &told, Source::Mdns),
            None
        );
    }

    #[test]
    fn of_ten_thousand_addresses_a_few_are_taken_and_the_rest_counted_in_one_entry() {
        let told = (1..=10_000).map(|port| address(&format!("/ip4/192.0.2.1/tcp/{port}")));
        let (kept, ignored) = sift(&[], node(1), told.collect(), Source::Mdns);
        assert_eq!(kept.len(), ADDRESSES_PER_NODE_MAX);
        let mut known = IgnoredSightings::default();
        for (address, why) in &ignored {
            known.add(node(1), Source::Mdns, *why, address);
        }
        let [entry] = &known.all()[..] else {
            panic!("{:?}", known.all());
        };
        assert_eq!(entry.why, WhyIgnored::TooMany);
        assert_eq!(entry.count, 10_000 - ADDRESSES_PER_NODE_MAX as u64);
    }

    #[test]
    fn liars_without_number_are_forgotten_oldest_first() {
        let mut known = IgnoredSightings::default();
        let own = address(OWN);
        for byte in 0..=255 {
            known.add(node(byte), Source::Mdns, WhyIgnored::Own, &own);
        }
        let all = known.all();
        assert_eq!(all.len(), IGNORED_MAX);
        assert_eq!(all[IGNORED_MAX - 1].node, node(255));
    }
}
