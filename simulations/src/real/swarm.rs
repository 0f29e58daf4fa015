//! A swarm from its first node to its last measurement.

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use futures::{StreamExt, stream};
use peerage_node::control::{JoinError, MembershipError};
use peerage_protocol::membership::certificate::Role;
use peerage_protocol::membership::ticket::Ticket;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::channels::Channels;
use super::latency::LatencyRange;
use super::measure::{Arrivals, arrivals, micros};
use super::node::{NodeError, RealNode};
use super::outcome::SwarmOutcome;
use super::process::Usage;
use crate::distribution::Distribution;

/// How long a certificate may take.
const CERTIFIED_WITHIN: Duration = Duration::from_secs(30);
/// How long all rosters may take to be complete, for each node.
const COMPLETE_WITHIN_PER_NODE: Duration = Duration::from_secs(2);
/// How long the tickets live.
const TICKET_FOR: Duration = Duration::from_secs(60 * 60);
/// The most nodes: one ticket lets so many in.
const NODES_MAX: u32 = 900;

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwarmPlan {
    /// Nodes at the beginning.
    pub nodes: u32,
    /// How long bytes are under way.
    pub latency: LatencyRange,
    /// What keys and latencies are drawn from.
    pub seed: u64,
    /// Nodes that join at the same time.
    pub joining_at_once: u32,
    /// How long the swarm is left alone after that, in milliseconds; what it takes when idle is measured in the
    /// second half.
    pub quiet_ms: u32,
    /// Nodes that join one by one once all is quiet.
    pub newcomers: u32,
    /// Times that a node tells something new of itself.
    pub news: u32,
    /// Times that a node shares another tool.
    pub tools: u32,
    /// Times that a node asks another one.
    pub calls: u32,
}

impl SwarmPlan {
    pub(super) fn quiet(&self) -> Duration {
        Duration::from_millis(self.quiet_ms.into())
    }
}

/// Starts, joins, measures and stops a swarm; `progress` is told what begins.
///
/// # Errors
///
/// When a node does not start or does not get into the mesh.
pub async fn run(plan: SwarmPlan, progress: &dyn Fn(&str)) -> Result<SwarmOutcome, SwarmError> {
    if !(2..=NODES_MAX).contains(&plan.nodes) {
        return Err(SwarmError::Nodes { nodes: plan.nodes });
    }
    let began = Instant::now();
    let before = Usage::now()?;
    let mut swarm = Swarm::start(plan).await?;
    let started_us = micros(began.elapsed());
    progress("joining");
    let (joins, rosters) = swarm.join_all().await?;
    progress("waiting until all is quiet");
    tokio::time::sleep(plan.quiet() / 2).await;
    let idle = swarm.idle_processor_share().await?;
    let usage = Usage::now()?;
    let links = swarm.links();
    progress("newcomers");
    let (newcomer_join_us, newcomer_known) = swarm.newcomers().await?;
    progress("news");
    let (news_known, duplicates_per_message) = swarm.news().await;
    progress("tools");
    let tools_known = swarm.tools().await;
    progress("calls");
    let (calls_us, calls_failed) = swarm.calls().await;
    let resident = usage.resident_bytes.saturating_sub(before.resident_bytes);
    Ok(SwarmOutcome {
        plan,
        started_us,
        complete_us: rosters.at_share(1.0),
        incomplete: rosters.missing,
        join_began_us: joins.iter().map(|join| join.began_us).collect(),
        join_us: joins.iter().map(|join| join.certified_us).collect(),
        newcomer_join_us,
        newcomer_known,
        news_known,
        tools_known,
        calls_us,
        calls_failed,
        duplicates_per_message,
        duplicates_in_all: swarm.gossip_traffic().duplicates_per_message(),
        links,
        resident_per_node: resident / u64::from(plan.nodes),
        idle_processor_share: idle,
        usage,
        took_us: micros(began.elapsed()),
    })
}

/// The nodes, and what more of them need.
pub(super) struct Swarm {
    pub(super) plan: SwarmPlan,
    pub(super) channels: Channels,
    pub(super) ticket: Ticket,
    pub(super) nodes: Vec<RealNode>,
}

impl Swarm {
    /// Starts every node; the first founds the mesh and makes a ticket.
    async fn start(plan: SwarmPlan) -> Result<Self, SwarmError> {
        let channels = Channels::new(plan.seed, plan.latency);
        let founder = RealNode::start(0, channels).await?;
        let root = SigningKey::from_bytes(blake3::hash(&plan.seed.to_be_bytes()).as_bytes());
        let membership = &founder.membership;
        membership
            .found(Arc::new(root), founder.name.clone())
            .await?;
        let addresses = vec![founder.address().to_owned()];
        let uses = plan.nodes + plan.newcomers;
        let ticket = membership
            .invite(TICKET_FOR, uses, Role::Member.into(), None, addresses)
            .await?;
        let mut nodes = vec![founder];
        for number in 1..plan.nodes {
            nodes.push(RealNode::start(number, channels).await?);
        }
        Ok(Self {
            plan,
            channels,
            ticket,
            nodes,
        })
    }

    /// All joins, in order of the nodes' numbers, and when the rosters were complete.
    async fn join_all(&self) -> Result<(Vec<Join>, Arrivals), SwarmError> {
        let since = Instant::now();
        let at_once = self.plan.joining_at_once.max(1) as usize;
        let joins = stream::iter(self.nodes.iter().skip(1))
            .map(async |node| {
                let began_us = micros(since.elapsed());
                let certified_us = join(node, &self.ticket).await?;
                Ok(Join {
                    began_us,
                    certified_us,
                })
            })
            .buffered(at_once)
            .collect::<Vec<_>>();
        let everybody = self.nodes.len() - 1;
        let is_complete = |node: &RealNode| {
            let roster = node.snapshots.roster();
            roster.is_some_and(|roster| roster.len() == everybody)
        };
        let limit = COMPLETE_WITHIN_PER_NODE * self.plan.nodes;
        let complete = arrivals(&self.nodes, since, limit, is_complete);
        let (joined, complete) = tokio::join!(joins, complete);
        let joined: Result<Vec<Join>, SwarmError> = joined.into_iter().collect();
        Ok((joined?, complete))
    }

    /// Share of one processor that each node takes while nothing happens.
    async fn idle_processor_share(&self) -> Result<f64, SwarmError> {
        let (before, began) = (Usage::now()?, Instant::now());
        tokio::time::sleep(self.plan.quiet() / 2).await;
        let processor_ms = Usage::now()?.processor_ms - before.processor_ms;
        let passed_ms = began.elapsed().as_millis().max(1);
        Ok(processor_ms as f64 / passed_ms as f64 / self.nodes.len() as f64)
    }

    fn links(&self) -> Distribution {
        let links = |node: &RealNode| node.network.links().nodes().len() as u64;
        self.nodes.iter().map(links).collect()
    }
}

/// One of many joins.
struct Join {
    /// When, counted from the first.
    began_us: u64,
    /// How long the certificate took.
    certified_us: u64,
}

/// Redeems the ticket; returns how long the certificate took, in microseconds.
pub(super) async fn join(node: &RealNode, ticket: &Ticket) -> Result<u64, SwarmError> {
    let since = Instant::now();
    let joining = node.membership.join(ticket.clone(), node.name.clone());
    let is_certified = |node: &RealNode| node.snapshots.roster().is_some();
    let certified = arrivals([node], since, CERTIFIED_WITHIN, is_certified);
    let (joined, certified) = tokio::join!(joining, certified);
    joined?;
    certified.at_share(1.0).ok_or(SwarmError::NoCertificate)
}

/// Why a swarm did not come about.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    /// Too few or too many nodes.
    #[error("a swarm of {nodes} nodes; from 2 to {NODES_MAX} are possible")]
    Nodes {
        /// How many were asked for.
        nodes: u32,
    },
    /// A node did not start.
    #[error("a node did not start: {0}")]
    Node(#[from] NodeError),
    /// No mesh, or no ticket.
    #[error("the founder has no mesh: {0}")]
    Founder(#[from] MembershipError),
    /// A node did not get in.
    #[error("a node did not get into the mesh: {0}")]
    Join(#[from] JoinError),
    /// A node was let in and holds no certificate.
    #[error("a node was let into the mesh without a certificate")]
    NoCertificate,
    /// The process cannot be looked at.
    #[error("the process cannot be measured: {0}")]
    Process(#[from] std::io::Error),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn real_nodes_all_know_of_joins_news_and_tools() {
        let plan = SwarmPlan {
            nodes: 5,
            latency: LatencyRange {
                min_ms: 1,
                max_ms: 5,
            },
            seed: 1,
            joining_at_once: 2,
            quiet_ms: 0,
            newcomers: 1,
            news: 1,
            tools: 1,
            calls: 10,
        };
        let outcome = run(plan, &|_| {}).await.unwrap();
        assert_eq!(outcome.missed(), 0, "{outcome:?}");
        assert_eq!(outcome.join_us.count, 4);
        assert_eq!(outcome.news_known.known_us.count, 5);
        assert_eq!(outcome.tools_known.known_us.count, 5);
        assert!(outcome.calls_us.count > 0);
    }

    #[tokio::test]
    async fn a_swarm_of_one_is_refused_by_name() {
        let plan = SwarmPlan {
            nodes: 1,
            latency: LatencyRange {
                min_ms: 0,
                max_ms: 0,
            },
            seed: 1,
            joining_at_once: 1,
            quiet_ms: 0,
            newcomers: 0,
            news: 0,
            tools: 0,
            calls: 0,
        };
        let refused = run(plan, &|_| {}).await;
        assert!(matches!(refused, Err(SwarmError::Nodes { nodes: 1 })));
    }
}
