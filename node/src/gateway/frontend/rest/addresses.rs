//! The address book as its owner sees it.

use peerage_protocol::address_book::{KnownAddress, Source};
use peerage_protocol::id::NodeId;
use peerage_protocol::time::Timestamp;

use super::addresses_api::{
    AddressStatus, AddressesResponse, IgnoredAddress, NodeAddresses, ScanResponse,
};
use super::service::OwnerService;
use crate::control::{IgnoredSighting, MembershipError, wall};

pub(super) async fn addresses(
    service: &OwnerService,
) -> Result<AddressesResponse, MembershipError> {
    let roster = service.snapshots.roster();
    let name = |node: NodeId| {
        let name = roster.as_ref()?.name_of(node)?;
        Some(name.to_string())
    };
    let now = wall();
    let known = service.membership.addresses().await?.into_iter();
    let mut nodes: Vec<NodeAddresses> = known
        .map(|(node, known)| NodeAddresses {
            node: node.to_string(),
            name: name(node),
            addresses: known.into_iter().map(|one| status(now, one)).collect(),
        })
        .collect();
    nodes.sort_by(|one, other| {
        let key = |entry: &NodeAddresses| (entry.name.is_none(), entry.name.clone());
        key(one).cmp(&key(other))
    });
    let ignored = service.snapshots.ignored_sightings().into_iter();
    let ignored = ignored.map(ignored_status).collect();
    Ok(AddressesResponse { nodes, ignored })
}

pub(super) fn scanned(service: &OwnerService) -> ScanResponse {
    let roster = service.snapshots.roster();
    let called = |node: NodeId| {
        let name = roster.as_ref().and_then(|roster| roster.name_of(node));
        name.map_or_else(|| node.to_string(), |name| name.to_string())
    };
    let progress = service.scanner.progress();
    ScanResponse {
        running: progress.running,
        hosts: progress.hosts,
        asked: progress.asked,
        found: progress.found.into_iter().map(called).collect(),
        failed: progress.failed,
    }
}

fn status(now: Timestamp, known: KnownAddress) -> AddressStatus {
    AddressStatus {
        source: source(known.source),
        successes: known.successes,
        failures: known.failures,
        last_seen: known.last_seen().0,
        succeeded: known.succeeded.map(|at| at.0),
        rests_until: known.rests_until().filter(|at| *at > now).map(|at| at.0),
        address: known.address,
    }
}

fn ignored_status(ignored: IgnoredSighting) -> IgnoredAddress {
    IgnoredAddress {
        node: ignored.node.to_string(),
        source: source(ignored.source),
        why: ignored.why.to_string(),
        address: ignored.address,
        count: ignored.count,
    }
}

fn source(source: Source) -> String {
    let word = match source {
        Source::Scan => "scan",
        Source::Mdns => "mdns",
        Source::Bootstrap => "bootstrap",
        Source::Firebase => "firebase",
        Source::Dht => "dht",
        Source::Member => "member",
        Source::Ticket => "ticket",
        Source::Announcement => "announcement",
    };
    word.to_owned()
}
