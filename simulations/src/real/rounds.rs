//! What is measured once a swarm stands: newcomers, news and tools, one after another.

use std::time::Duration;

use tokio::time::Instant;

use super::measure::{arrivals, micros};
use super::node::RealNode;
use super::outcome::Spread;
use super::swarm::{Swarm, SwarmError, join};
use crate::distribution::Distribution;

/// How long anything may take to be known everywhere, repair included.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);

/// Time between two rounds: a node tells of itself once a second.
const PAUSE: Duration = Duration::from_millis(1_200);

impl Swarm {
    /// Each round a node more: how long it took to get its certificate, and others to know of it.
    pub(super) async fn newcomers(&mut self) -> Result<(Distribution, Spread), SwarmError> {
        let (mut joins, mut known) = (Distribution::default(), Spread::default());
        for number in 0..self.plan.newcomers {
            let newcomer = RealNode::start(self.plan.nodes + number, self.channels).await?;
            let lists = |node: &RealNode| node.lists(newcomer.id);
            let listed = arrivals(&self.nodes, Instant::now(), KNOWN_WITHIN, lists);
            let (certified_us, listed) = tokio::join!(join(&newcomer, &self.ticket), listed);
            let certified_us = certified_us?;
            joins.add(certified_us);
            known.add(&listed.counted_from(certified_us));
            self.nodes.push(newcomer);
            tokio::time::sleep(PAUSE).await;
        }
        Ok((joins, known))
    }

    /// Each round another node tells something new; also how many copies of each message came to a node in vain.
    pub(super) async fn news(&self) -> (Spread, f64) {
        let mut spread = Spread::default();
        let before = self.gossip_traffic();
        for round in 0..self.plan.news {
            let teller = self.teller(round);
            // Told by all before was one address, or what the round before made of it.
            let twice = (round / self.plan.nodes).is_multiple_of(2);
            let wanted = if twice { 2 } else { 1 };
            let since = Instant::now();
            teller.tell_addresses(twice).await;
            let knows = |node: &RealNode| node.told_addresses(teller.id) == Some(wanted);
            spread.add(&arrivals(self.others(teller), since, KNOWN_WITHIN, knows).await);
            tokio::time::sleep(PAUSE).await;
        }
        let after = self.gossip_traffic();
        let told = Traffic {
            copies: after.copies - before.copies,
            messages: after.messages - before.messages,
        };
        (spread, told.duplicates_per_message())
    }

    /// Each round another node shares a tool that was not there before.
    pub(super) async fn tools(&self) -> Spread {
        let mut spread = Spread::default();
        for round in 0..self.plan.tools {
            let teller = self.teller(round);
            let since = Instant::now();
            teller.share(round).await;
            let shows = |node: &RealNode| node.shows(teller, round);
            spread.add(&arrivals(self.others(teller), since, KNOWN_WITHIN, shows).await);
            tokio::time::sleep(PAUSE).await;
        }
        spread
    }

    /// Each round a node asks another one, whether they are linked or not: how long that took, and how many never
    /// answered.
    pub(super) async fn calls(&self) -> (Distribution, u64) {
        let (mut took, mut failed) = (Distribution::default(), 0);
        for round in 0..self.plan.calls {
            let caller = self.teller(round);
            let place = (round as usize * 101 + 7) % self.nodes.len();
            let called = &self.nodes[place];
            if called.id == caller.id {
                continue;
            }
            let since = Instant::now();
            match caller.reaches(called.id).await {
                true => took.add(micros(since.elapsed())),
                false => failed += 1,
            }
        }
        (took, failed)
    }

    /// Every round another one, spread over all.
    fn teller(&self, round: u32) -> &RealNode {
        let place = (round as usize * 37 + 1) % self.nodes.len();
        &self.nodes[place]
    }

    fn others<'a>(&'a self, teller: &'a RealNode) -> impl Iterator<Item = &'a RealNode> {
        self.nodes.iter().filter(|node| node.id != teller.id)
    }

    /// What gossip brought to all nodes together.
    pub(super) fn gossip_traffic(&self) -> Traffic {
        let traffic = self.nodes.iter().map(|node| node.network.gossip_traffic());
        traffic.fold(Traffic::default(), |sum, one| Traffic {
            copies: sum.copies + one.copies,
            messages: sum.messages + one.messages,
        })
    }
}

/// Gossip messages received.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    /// Every copy counted.
    copies: u64,
    /// Each counted once at each node.
    messages: u64,
}

impl Traffic {
    /// Copies beyond the first.
    pub(super) fn duplicates_per_message(self) -> f64 {
        (self.copies - self.messages) as f64 / self.messages.max(1) as f64
    }
}
