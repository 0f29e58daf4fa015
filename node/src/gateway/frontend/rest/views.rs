//! How a node looks to its owner: status, members, and the addresses that go into a ticket.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use peerage_protocol::catalog::snapshot::{Catalog, Provider};
use peerage_protocol::id::{NodeId, NodeName, ServerName};
use peerage_protocol::limits::{ADDRESSES_PER_NODE_MAX, FULL_LINKS_MAX};
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::roster::Roster;

use super::api::{
    CopyStatus, JoinResponse, NodeStatus, NodesResponse, ServerStatus, StatusResponse,
};
use super::door::door;
use super::registry;
use super::service::OwnerService;
use crate::control::wall;
use crate::gateway::backend::upstream::UpstreamState;

/// The name this node goes by: its certificate's, else the one it would like.
pub(super) fn own_name(service: &OwnerService) -> NodeName {
    let roster = service.snapshots.roster();
    roster.map_or_else(
        || service.name.clone(),
        |roster| roster.own.body().name.clone(),
    )
}

pub(super) fn status(service: &OwnerService) -> StatusResponse {
    let roster = service.snapshots.roster();
    let own = roster.as_ref().map(|roster| roster.own.body());
    let tools = ToolCounts::of(&service.snapshots.catalog());
    let links = service.snapshots.links();
    let connected = links.borrow().values().filter(|link| link.up).count();
    StatusResponse {
        node: service.me.to_string(),
        name: own_name(service).to_string(),
        mesh: roster.as_ref().map(|roster| roster.mesh.to_string()),
        role: own.map(|body| body.role.to_string()),
        certificate_expires: own.map(|body| body.expires.0),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: service.clock.uptime().as_secs(),
        http: service.http.clone(),
        listen: (service.listen)(),
        connected,
        local_tools: tools.servers.values().sum(),
        remote_tools: tools.nodes.values().sum(),
        servers: servers(service, &tools),
        warnings: warnings(service),
        copy: copy(service),
        door: door((service.door)()),
        registry: registry::registry(service),
    }
}

/// The member is named as this node knows it.
fn copy(service: &OwnerService) -> Option<CopyStatus> {
    let other = service.soundings.other_instance()?;
    let roster = service.snapshots.roster();
    let chain = roster
        .as_ref()
        .and_then(|roster| roster.member(other.told_by));
    let name = chain.map(|chain| chain.body().name.to_string());
    Some(CopyStatus {
        place: other.place,
        told_by: name.unwrap_or_else(|| other.told_by.to_string()),
    })
}

fn warnings(service: &OwnerService) -> Vec<String> {
    let fault = service.servers.fault();
    let fault = fault.map(|fault| format!("the last edit of mcp.json was not taken: {fault}"));
    let ambiguous = service.upstreams.ambiguous().into_iter();
    let ambiguous = ambiguous.map(|(server, count)| ambiguous_requests(&server, count));
    let out = service.snapshots.put_out();
    let out = out.map(|refusal| format!("this node is no member any more: {refusal}"));
    let known = service.warnings.iter().cloned();
    known.chain(fault).chain(out).chain(ambiguous).collect()
}

/// `doctor` knows this by its words.
fn ambiguous_requests(server: &ServerName, count: u64) -> String {
    format!(
        "the server {server} asked {count} times for something while calls of several clients were under way, and was \
         refused: nobody knows whom it meant"
    )
}

fn servers(service: &OwnerService, tools: &ToolCounts) -> Vec<ServerStatus> {
    let shares = service.snapshots.shares();
    let status = |(name, state): (ServerName, UpstreamState)| {
        let (state, why) = match state {
            UpstreamState::Starting => ("starting", None),
            UpstreamState::Ready => ("ready", None),
            UpstreamState::Idle => ("idle", None),
            UpstreamState::Down { why } => ("down", Some(why)),
        };
        ServerStatus {
            share: shares.get(&name).copied().unwrap_or(false),
            state: state.to_owned(),
            why,
            tools: tools.servers.get(&name).copied().unwrap_or(0),
            name: name.to_string(),
        }
    };
    let refused = service.servers.refused();
    let refused = refused.iter().map(|(name, error)| {
        let why = format!("mcp.json, {error}");
        (name.clone(), UpstreamState::Down { why })
    });
    let all = service.upstreams.states().into_iter().chain(refused);
    let mut all: Vec<ServerStatus> = all.map(status).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// What a node that came into a mesh by `issuer` is told.
pub(super) fn joined(roster: &Roster, issuer: NodeId) -> JoinResponse {
    let own = roster.own.body();
    let admitted_by = roster.member(issuer);
    let admitted_by = admitted_by.map(|chain| chain.body().name.to_string());
    JoinResponse {
        mesh: roster.mesh.to_string(),
        name: own.name.to_string(),
        role: own.role.to_string(),
        admitted_by: admitted_by.unwrap_or_else(|| issuer.to_string()),
    }
}

pub(super) fn nodes(service: &OwnerService) -> NodesResponse {
    let tools = ToolCounts::of(&service.snapshots.catalog());
    let roster = service.snapshots.roster();
    let own = NodeStatus {
        node: service.me.to_string(),
        name: own_name(service).to_string(),
        region: service.region.as_ref().map(ToString::to_string),
        role: roster
            .as_ref()
            .map(|roster| roster.own.body().role.to_string()),
        state: "self".to_owned(),
        addresses: (service.listen)(),
        tools: tools.servers.values().sum(),
        round_trip_micros: None,
        clock_ahead_ms: None,
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        last_seen: None,
        path: None,
        away_since: None,
    };
    let links = service.snapshots.links();
    let links = links.borrow();
    let away = service.snapshots.away();
    let now = wall();
    // In a large mesh most members are not linked, and reached all the same.
    let sparse = roster
        .as_ref()
        .is_some_and(|roster| roster.len() > FULL_LINKS_MAX);
    let member = |(node, chain): (NodeId, &Arc<CertificateChain>)| {
        let link = links.get(&node);
        let connected = link.is_some_and(|link| link.up);
        let known = roster.as_ref().and_then(|roster| roster.known(node));
        let record = known.and_then(|member| member.record());
        let depth = service.soundings.depth(node).filter(|_| connected);
        let silent = away.get(&node).filter(|_| !connected);
        let state = match (connected, silent) {
            (true, _) => "connected",
            (false, Some(_)) => "away",
            (false, None) if sparse => "here",
            (false, None) => "unreachable",
        };
        NodeStatus {
            node: node.to_string(),
            name: chain.body().name.to_string(),
            region: known
                .and_then(|member| member.region())
                .map(ToString::to_string),
            role: Some(chain.body().role.to_string()),
            state: state.to_owned(),
            addresses: link.map(|link| link.address.clone()).into_iter().collect(),
            tools: tools.nodes.get(&node).copied().unwrap_or(0),
            round_trip_micros: depth.map(|depth| micros(depth.round_trip)),
            clock_ahead_ms: depth.map(|depth| depth.clock_ahead),
            version: record.and_then(|record| record.version.clone()),
            last_seen: Some(match connected {
                true => now.0,
                false => {
                    let linked = link.map_or(0, |link| link.since.0);
                    linked.max(record.map_or(0, |record| record.sequence.min(now.0)))
                }
            }),
            path: link.filter(|link| link.up).map(|link| path(&link.address)),
            away_since: silent.map(|since| since.0),
        }
    };
    let members = roster.iter().flat_map(|roster| roster.members());
    let mut others: Vec<NodeStatus> = members.map(member).collect();
    let place = |node: &NodeStatus| {
        let elsewhere = node.region != own.region;
        (elsewhere, node.region.clone(), node.name.clone())
    };
    others.sort_by_cached_key(place);
    NodesResponse {
        nodes: std::iter::once(own).chain(others).collect(),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn path(address: &str) -> String {
    let over = if address.contains("/quic") {
        "quic"
    } else {
        "tcp"
    };
    over.to_owned()
}

/// How many tools can be called, by where they are.
struct ToolCounts {
    servers: BTreeMap<ServerName, usize>,
    nodes: BTreeMap<NodeId, usize>,
}

impl ToolCounts {
    fn of(catalog: &Catalog) -> Self {
        let mut counts = Self {
            servers: BTreeMap::new(),
            nodes: BTreeMap::new(),
        };
        for entry in catalog.reachable() {
            match &entry.provider {
                Provider::Local { server } => {
                    *counts.servers.entry(server.clone()).or_default() += 1;
                }
                Provider::Peer { node, .. } => *counts.nodes.entry(*node).or_default() += 1,
            }
        }
        counts
    }
}

/// How far an address reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Machine,
    Lan,
    Anywhere,
}

/// The addresses for a ticket, the furthest-reaching first, and what its maker should know about them. Loopback
/// addresses are left out unless there are no others: on another machine they lead astray.
pub(super) fn ticket_addresses(listen: Vec<String>) -> (Vec<String>, Vec<String>) {
    let mut addresses: Vec<(Reach, String)> = listen
        .into_iter()
        .filter_map(|address| Some((reach(&address)?, address)))
        .collect();
    addresses.sort_by_key(|(reach, _)| std::cmp::Reverse(*reach));
    let furthest = addresses.first().map(|(reach, _)| *reach);
    let warning = match furthest {
        None => Some("this node listens nowhere, so nobody can redeem the ticket".to_owned()),
        Some(Reach::Machine) => Some(
            "the ticket names only loopback addresses: it can be redeemed on this machine alone"
                .to_owned(),
        ),
        Some(Reach::Lan) => Some(
            "the ticket names only private addresses: it can be redeemed on this local network, not from outside"
                .to_owned(),
        ),
        Some(Reach::Anywhere) => None,
    };
    if furthest != Some(Reach::Machine) {
        addresses.retain(|(reach, _)| *reach != Reach::Machine);
    }
    addresses.truncate(ADDRESSES_PER_NODE_MAX);
    let addresses = addresses.into_iter().map(|(_, address)| address).collect();
    (addresses, warning.into_iter().collect())
}

/// `None` for addresses that no ticket should name: link-local ones mean another machine everywhere else.
fn reach(address: &str) -> Option<Reach> {
    let address: Multiaddr = address.parse().ok()?;
    let ip = address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::from(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::from(ip)),
        _ => None,
    });
    match ip {
        None => Some(Reach::Anywhere),
        Some(ip) if ip.is_loopback() => Some(Reach::Machine),
        Some(IpAddr::V4(ip)) if ip.is_link_local() => None,
        Some(IpAddr::V4(ip)) if ip.is_private() => Some(Reach::Lan),
        Some(IpAddr::V6(ip)) if ip.is_unicast_link_local() => None,
        Some(IpAddr::V6(ip)) if ip.is_unique_local() => Some(Reach::Lan),
        Some(_) => Some(Reach::Anywhere),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(listen: &[&str]) -> (Vec<String>, Vec<String>) {
        ticket_addresses(listen.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_ticket_names_the_furthest_reaching_addresses_first_and_no_loopback() {
        let (named, warnings) = addresses(&[
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/192.168.1.2/tcp/1",
            "/ip4/93.184.216.34/udp/1/quic-v1",
            "/ip6/fe80::1/tcp/1",
        ]);
        assert_eq!(
            named,
            ["/ip4/93.184.216.34/udp/1/quic-v1", "/ip4/192.168.1.2/tcp/1"]
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn a_ticket_that_reaches_no_further_than_the_lan_or_the_machine_says_so() {
        let (_, lan) = addresses(&["/ip4/10.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1"]);
        assert!(lan[0].contains("local network"), "{lan:?}");
        let (named, machine) = addresses(&["/ip4/127.0.0.1/tcp/1"]);
        assert_eq!(named, ["/ip4/127.0.0.1/tcp/1"]);
        assert!(machine[0].contains("this machine alone"), "{machine:?}");
        assert_eq!(addresses(&[]).1.len(), 1);
    }
}
