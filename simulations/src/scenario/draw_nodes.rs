//! Draws the nodes of a plan.

use super::settings::Settings;
use crate::plan::{NodeNumber, NodePlan, ServerPlan};
use crate::randomness::Randomness;

const SECOND_US: u64 = 1_000_000;
/// No more nodes join in a second on average: somebody has to carry the tickets.
const JOINS_PER_SECOND: u64 = 10;
/// As many nodes share tools on average at most: a person's agent does not use those of thousands.
const SHARING_MAX: u32 = 32;
/// The first node has founded the mesh by then.
const FIRST_JOIN_US: u64 = 200_000;

/// What several ask to be called.
pub(super) const NAMESAKE: &str = "laptop";

/// `count` nodes: the first founds the mesh, the others join within the time that the settings give.
pub(super) fn nodes(settings: &Settings, count: u32, seed: u64) -> Vec<NodePlan> {
    let mut randomness = Randomness::new(seed, "nodes");
    let mut node = |number| draw(settings, number, count, &mut randomness);
    (0..count).map(&mut node).collect()
}

fn draw(settings: &Settings, number: u32, count: u32, randomness: &mut Randomness) -> NodePlan {
    let regions = settings.network.latency_ms.len() as u64;
    let within_us = settings.nodes.join_within_seconds.saturating_mul(SECOND_US);
    let within_us = within_us.max(u64::from(count) * SECOND_US / JOINS_PER_SECOND);
    let joins_at_us = FIRST_JOIN_US + randomness.below(within_us.max(1));
    let skew_ms = settings.nodes.clock_skew_seconds.saturating_mul(1_000);
    let skew = randomness.below(2 * skew_ms + 1) as i64 - skew_ms as i64;
    // Some ask for a name that another has.
    let eighth = randomness.below(8) as f64 / 8.0;
    let name = match eighth < settings.nodes.namesakes {
        true => NAMESAKE.to_owned(),
        false => format!("node-{number}"),
    };
    let sharing = settings
        .nodes
        .sharing
        .min(f64::from(SHARING_MAX) / f64::from(count));
    let shares = randomness.chance(sharing);
    NodePlan {
        number: NodeNumber(number),
        name,
        region: randomness.below(regions) as u16,
        admin: randomness.chance(settings.nodes.admins),
        joins_at_us: (number > 0).then_some(joins_at_us),
        clock_skew_ms: skew,
        servers: servers(shares, randomness),
    }
}

/// What a node offers; a private server beside it now and then.
pub(super) fn servers(shares: bool, randomness: &mut Randomness) -> Vec<ServerPlan> {
    let mut servers = Vec::new();
    if shares {
        let count = 1 + randomness.below(2);
        servers
            .extend((0..count).map(|number| server(format!("files-{number}"), true, randomness)));
    }
    if randomness.chance(0.2) {
        servers.push(server("secrets".to_owned(), false, randomness));
    }
    servers
}

fn server(name: String, share: bool, randomness: &mut Randomness) -> ServerPlan {
    ServerPlan {
        name,
        share,
        tools: 1 + randomness.below(4) as u16,
        edition: randomness.below(1_000) as u32,
    }
}
