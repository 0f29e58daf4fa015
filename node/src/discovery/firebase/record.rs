//! A node's record in the registry: what it shows to everybody, and what it says to members.

use data_encoding::BASE64URL_NOPAD;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use peerage_protocol::id::MeshId;
use peerage_protocol::signature::Signer;
use peerage_protocol::time::Timestamp;
use serde_json::{Value, json};

use super::errand::Listed;
use super::id::record_id;
use crate::discovery::lan::announcement::{ANNOUNCEMENT_BYTES, Announced, announce, recognise};

/// What stands before each part of a sealed announcement: the rules want a path.
const SEALED_PREFIX: &str = "/peerage/1/";

/// Characters of a part; the rules let an address have 256.
const PART_CHARACTERS: usize = 240;

/// What stands in the place of an endpoint that is not told. Names below `invalid` lead nowhere (RFC 2606, 2).
pub(super) const NO_ENDPOINT: &str = "https://sealed.invalid/";

const SEAL_CONTEXT: &str = "peerage firebase announcement v1";

/// The record of the node that signs; `None` without randomness.
pub(super) fn record(
    mesh: MeshId,
    signer: &dyn Signer,
    addresses: &[Multiaddr],
    endpoint: Option<&str>,
    now: Timestamp,
) -> Option<Value> {
    let sealed = announce(sealed_for(mesh), signer, &dialable(addresses), now)?;
    let text = BASE64URL_NOPAD.encode(&sealed);
    let parts = text.as_bytes().chunks(PART_CHARACTERS);
    let parts: Vec<String> = parts
        .map(|part| format!("{SEALED_PREFIX}{}", String::from_utf8_lossy(part)))
        .collect();
    Some(json!({
        "endpoint": endpoint.unwrap_or(NO_ENDPOINT),
        "multiaddrs": parts,
        "status": "online",
        "last_heartbeat": {".sv": "timestamp"},
    }))
}

/// Which member says in a record that it is where, if its own word stands in it.
pub(super) fn member(mesh: MeshId, listed: &Listed, now: Timestamp) -> Option<Announced> {
    let mut text = String::with_capacity(ANNOUNCEMENT_BYTES * 4 / 3 + 4);
    for part in &listed.addresses {
        text.push_str(part.strip_prefix(SEALED_PREFIX)?);
        if text.len() > ANNOUNCEMENT_BYTES * 2 {
            return None;
        }
    }
    let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let announced = recognise(sealed_for(mesh), &sealed, now)?;
    // A copy of it under another id would outlive the one that its node removes.
    (record_id(mesh, announced.node) == listed.id).then_some(announced)
}

/// The mesh as announcements for the registry are sealed for it, so that none of a local network counts here.
fn sealed_for(mesh: MeshId) -> MeshId {
    MeshId::from_public_key(blake3::derive_key(SEAL_CONTEXT, mesh.public_key()))
}

/// Loopback says nothing to others, unless all that this node has are nodes of its own machine.
fn dialable(addresses: &[Multiaddr]) -> Vec<Multiaddr> {
    let reached = |address: &&Multiaddr| match address.iter().next() {
        Some(Protocol::Ip4(ip)) => !ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => !ip.is_loopback(),
        _ => true,
    };
    let far: Vec<Multiaddr> = addresses.iter().filter(reached).cloned().collect();
    match far.is_empty() {
        true => addresses.to_vec(),
        false => far,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ed25519_dalek::SigningKey;
    use peerage_protocol::id::NodeId;

    use super::*;
    use crate::discovery::firebase::RULES;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn mesh(byte: u8) -> MeshId {
        MeshId::from_public_key([byte; 32])
    }

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[1; 32])
    }

    fn node() -> NodeId {
        NodeId::from_public_key(key().verifying_key().to_bytes())
    }

    fn addresses() -> Vec<Multiaddr> {
        ["/ip4/127.0.0.1/tcp/1", "/ip4/192.0.2.7/tcp/1"]
            .map(|text| text.parse().unwrap())
            .to_vec()
    }

    fn written() -> Value {
        record(mesh(1), &key(), &addresses(), None, NOW).unwrap()
    }

    fn listed(record: &Value, id: String) -> Listed {
        let parts = record["multiaddrs"].as_array().unwrap().iter();
        Listed {
            id,
            endpoint: record["endpoint"].as_str().unwrap().to_owned(),
            addresses: parts
                .map(|part| part.as_str().unwrap().to_owned())
                .collect(),
            online: true,
            heartbeat: NOW.0,
        }
    }

    #[test]
    fn a_member_reads_who_is_where_and_nobody_else_reads_anything() {
        let listed = listed(&written(), record_id(mesh(1), node()));
        let read = member(mesh(1), &listed, NOW).unwrap();
        assert_eq!(read.node, node());
        assert_eq!(read.addresses, addresses()[1..]);
        assert_eq!(member(mesh(2), &listed, NOW), None);
        let shown = format!("{listed:?}");
        for secret in ["192.0.2", &node().to_string(), &mesh(1).to_string()] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn a_record_under_the_id_of_another_is_not_believed() {
        let other = record_id(mesh(1), NodeId::from_public_key([2; 32]));
        assert_eq!(member(mesh(1), &listed(&written(), other), NOW), None);
    }

    #[test]
    fn what_was_announced_on_a_local_network_does_not_count_here() {
        let sealed = announce(mesh(1), &key(), &addresses(), NOW).unwrap();
        let part = format!("{SEALED_PREFIX}{}", BASE64URL_NOPAD.encode(&sealed));
        let mut listed = listed(&written(), record_id(mesh(1), node()));
        listed.addresses = vec![part];
        assert_eq!(member(mesh(1), &listed, NOW), None);
    }

    #[test]
    fn a_record_is_as_the_rules_want_it() {
        let rules: Value = serde_json::from_str(RULES).unwrap();
        let wanted = &rules["rules"]["mcp_servers"]["$id"];
        let record = written();
        for key in record.as_object().unwrap().keys() {
            assert!(wanted.get(key).is_some(), "{key}");
        }
        let parts = record["multiaddrs"].as_array().unwrap();
        assert!(parts.len() <= 10);
        let plain = |c: char| c.is_ascii_alphanumeric() || ".:_/-".contains(c);
        for part in parts.iter().map(|part| part.as_str().unwrap()) {
            assert!(part.len() <= 256 && part.chars().all(plain), "{part}");
        }
        let id = record_id(mesh(1), node());
        assert!(id.len() <= 128 && id.chars().all(|c| c.is_ascii_alphanumeric()));
    }

    #[test]
    fn a_node_on_loopback_alone_says_so() {
        let only = &addresses()[..1];
        let record = record(mesh(1), &key(), only, None, NOW).unwrap();
        let listed = listed(&record, record_id(mesh(1), node()));
        assert_eq!(member(mesh(1), &listed, NOW).unwrap().addresses, only);
    }
}
