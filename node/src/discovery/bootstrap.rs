//! The bootstrap file: regions, each with addresses of nodes that are worth a first dial.
//!
//! ```toml
//! [regions]
//! europe = ["/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3Koo…"]
//! ```
//!
//! One bad line does not cost the others: it is named and skipped.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use peerage_protocol::id::NodeId;
use peerage_protocol::limits::ADDRESS_BYTES_MAX;
use toml_edit::{Document, Item, Value};

use crate::net::peer_id::node_id;

/// Addresses taken from one file.
pub const BOOTSTRAP_ADDRESSES_MAX: usize = 1_024;

/// A node worth a first dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapNode {
    /// The heading it stands under.
    pub region: String,
    /// Who answers there.
    pub node: NodeId,
    /// Where, without the node's name.
    pub address: Multiaddr,
}

/// What a file says, and what in it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// In the order of the file.
    pub nodes: Vec<BootstrapNode>,
    /// Entries that were skipped.
    pub skipped: Vec<BadEntry>,
}

/// An entry that was skipped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bootstrap file, line {line}: {why}")]
pub struct BadEntry {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: BadEntryReason,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEntryReason {
    /// Something else than `[regions]`.
    #[error("{key} is not known; the file has one table, [regions]")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A region that is no array.
    #[error("region {region} must be an array of addresses")]
    NotAnArray {
        /// The region.
        region: String,
    },
    /// An entry that is no string.
    #[error("an address must be a string such as \"/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3Koo…\"")]
    NotAString,
    /// A string that is no multiaddress.
    #[error("{text:?} is not a multiaddress")]
    NotAnAddress {
        /// The string, cut to the longest an address may be.
        text: String,
    },
    /// An address that does not say whose it is.
    #[error("{address} does not end in /p2p/ and the id of a node (12D3Koo…)")]
    NoNode {
        /// The address.
        address: Multiaddr,
    },
    /// An address of no kind that is spoken here.
    #[error(
        "{address} cannot be dialed; write /ip4, /ip6, /dns4, /dns6 or /dns, then /udp/PORT/quic-v1 or /tcp/PORT, or /dnsaddr alone"
    )]
    NotDialable {
        /// The address.
        address: Multiaddr,
    },
    /// The file is full.
    #[error("only the first {BOOTSTRAP_ADDRESSES_MAX} addresses are used")]
    TooMany,
}

/// The text is not TOML at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bootstrap file is not TOML: {why}")]
pub struct NotToml {
    /// With line and column.
    pub why: String,
}

impl Bootstrap {
    /// Reads the text of a bootstrap file.
    pub fn parse(text: &str) -> Result<Self, NotToml> {
        let document = Document::parse(text).map_err(|error| NotToml {
            why: error.to_string(),
        })?;
        let mut reader = Reader {
            text,
            read: Self::default(),
        };
        for (key, item) in document.as_table().iter() {
            reader.top_level(key, item);
        }
        Ok(reader.read)
    }
}

struct Reader<'t> {
    text: &'t str,
    read: Bootstrap,
}

impl Reader<'_> {
    fn top_level(&mut self, key: &str, item: &Item) {
        match item.as_table_like().filter(|_| key == "regions") {
            Some(regions) => regions
                .iter()
                .for_each(|(name, item)| self.region(name, item)),
            None => self.skip(
                item.span(),
                BadEntryReason::UnknownKey {
                    key: key.to_owned(),
                },
            ),
        }
    }

    fn region(&mut self, region: &str, item: &Item) {
        let Some(entries) = item.as_array() else {
            let region = region.to_owned();
            return self.skip(item.span(), BadEntryReason::NotAnArray { region });
        };
        for entry in entries {
            if self.read.nodes.len() == BOOTSTRAP_ADDRESSES_MAX {
                return self.skip(entry.span(), BadEntryReason::TooMany);
            }
            match parse_entry(region, entry) {
                Ok(node) => self.read.nodes.push(node),
                Err(why) => self.skip(entry.span(), why),
            }
        }
    }

    fn skip(&mut self, span: Option<std::ops::Range<usize>>, why: BadEntryReason) {
        let before = span.and_then(|span| self.text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        if self.read.skipped.len() < BOOTSTRAP_ADDRESSES_MAX {
            self.read.skipped.push(BadEntry { line, why });
        }
    }
}

fn parse_entry(region: &str, entry: &Value) -> Result<BootstrapNode, BadEntryReason> {
    let text = entry.as_str().ok_or(BadEntryReason::NotAString)?;
    let not_an_address = || BadEntryReason::NotAnAddress {
        text: text.chars().take(ADDRESS_BYTES_MAX).collect(),
    };
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(not_an_address());
    }
    let full: Multiaddr = text.parse().map_err(|_| not_an_address())?;
    let mut address = full.clone();
    let node = match address.pop() {
        Some(Protocol::P2p(peer)) => node_id(&peer),
        _ => None,
    };
    let node = node.ok_or(BadEntryReason::NoNode { address: full })?;
    if !is_dialable(&address) {
        return Err(BadEntryReason::NotDialable { address });
    }
    Ok(BootstrapNode {
        region: region.to_owned(),
        node,
        address,
    })
}

/// Whether the transports know what to make of it.
fn is_dialable(address: &Multiaddr) -> bool {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    let (host, way) = match &parts[..] {
        [Protocol::Dnsaddr(_)] => return true,
        [host, way @ ..] => (host, way),
        [] => return false,
    };
    let known_host = matches!(
        host,
        Protocol::Ip4(_)
            | Protocol::Ip6(_)
            | Protocol::Dns(_)
            | Protocol::Dns4(_)
            | Protocol::Dns6(_)
    );
    known_host
        && matches!(
            way,
            [Protocol::Tcp(_)] | [Protocol::Udp(_), Protocol::QuicV1]
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nodes_are_read_with_their_regions() {
        let node = NodeId::from_public_key([1; 32]);
        let text =
            format!("[regions]\neurope = [\"/ip4/192.0.2.1/udp/4001/quic-v1/p2p/{node}\"]\n");
        let bootstrap = Bootstrap::parse(&text).unwrap();
        let expected = BootstrapNode {
            region: "europe".to_owned(),
            node,
            address: "/ip4/192.0.2.1/udp/4001/quic-v1".parse().unwrap(),
        };
        assert_eq!(bootstrap.nodes, [expected]);
        assert_eq!(bootstrap.skipped, []);
    }

    #[test]
    fn bad_lines_are_named_and_the_good_ones_between_are_kept() {
        let node = NodeId::from_public_key([1; 32]);
        let text = format!(
            "[regions]\neurope = [\n  \"/ip4/192.0.2.1/tcp/1\",\n  7,\n  \"nowhere\",\n  \
             \"/ip4/192.0.2.1/tcp/1/p2p/{node}\",\n]\nasia = 3\n\n[region]\n"
        );
        let bootstrap = Bootstrap::parse(&text).unwrap();
        assert_eq!(bootstrap.nodes.len(), 1);
        let lines: Vec<_> = bootstrap.skipped.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [3, 4, 5, 8, 10]);
        let not_a_multiaddress = bootstrap.skipped[2].to_string();
        assert_eq!(
            not_a_multiaddress,
            "bootstrap file, line 5: \"nowhere\" is not a multiaddress"
        );
    }

    #[test]
    fn hosts_may_be_named_and_what_nobody_can_dial_is_skipped() {
        let node = NodeId::from_public_key([1; 32]);
        let read = |address: &str| {
            let text = format!("[regions]\nhome = [\"{address}/p2p/{node}\"]\n");
            Bootstrap::parse(&text).unwrap()
        };
        for good in [
            "/dns4/mesh.example/udp/4001/quic-v1",
            "/dns6/mesh.example/tcp/4001",
            "/dns/mesh.example/tcp/4001",
            "/dnsaddr/mesh.example",
            "/ip6/2001:db8::1/udp/4001/quic-v1",
        ] {
            assert_eq!(read(good).skipped, [], "{good}");
        }
        for bad in [
            "",
            "/ip4/192.0.2.1",
            "/ip4/192.0.2.1/udp/1",
            "/tcp/1",
            "/dns4/mesh.example/tcp/1/ws",
        ] {
            let read = read(bad);
            assert_eq!((read.nodes.len(), read.skipped.len()), (0, 1), "{bad}");
        }
    }

    #[test]
    fn an_empty_file_is_an_empty_list() {
        assert_eq!(Bootstrap::parse("# none yet\n"), Ok(Bootstrap::default()));
    }

    #[test]
    fn a_file_that_is_not_toml_says_where() {
        let error = Bootstrap::parse("[regions\n").unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC*") {
            let _ = Bootstrap::parse(&text);
        }

        #[test]
        fn no_entry_makes_the_reader_panic(entry in "[/a-z0-9.]*") {
            let read = Bootstrap::parse(&format!("[regions]\na = [\"{entry}\"]\n")).unwrap();
            prop_assert_eq!(read.nodes.len() + read.skipped.len(), 1);
        }
    }
}
