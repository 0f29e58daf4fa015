//! News that some nodes do not know yet: who joined, and who shares something else, each until everybody knows.

use std::collections::VecDeque;
use std::sync::Arc;

use peerage_protocol::catalog::naming::remote_name;
use peerage_protocol::catalog::snapshot::{Catalog, LocalServer};
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::roster::Roster;
use peerage_protocol::node_state::Away;

use super::World;
use crate::checks::Observation;

/// News of one kind that is waited for; of more, the oldest is given up.
const AWAITED_MAX: usize = 64;

/// Everybody is to have noticed a crash by then: three times as long as it takes.
const NOTICED_WITHIN_US: u64 = 15_000_000;

/// What is waited for.
#[derive(Default)]
pub(crate) struct Awaited {
    joins: VecDeque<News<NodeId>>,
    changes: VecDeque<News<Tool>>,
    crashes: VecDeque<News<NodeId>>,
}

/// A tool as everybody is to see it.
struct Tool {
    name: String,
    definition: Arc<str>,
}

/// One piece of news.
struct News<T> {
    what: T,
    /// Of which node.
    node: usize,
    since_us: u64,
    /// The machines that do not know it yet.
    unknown: Vec<bool>,
}

impl<T> News<T> {
    /// Whether `node` knows only now.
    fn is_news(&mut self, node: usize, knows: impl Fn(&T) -> bool) -> bool {
        match self.unknown.get_mut(node) {
            Some(unknown) if *unknown && knows(&self.what) => {
                *unknown = false;
                true
            }
            _ => false,
        }
    }

    fn is_known_everywhere(&self) -> bool {
        !self.unknown.contains(&true)
    }
}

/// Adds news; what was waited for of the same node before is out of date.
fn add<T>(awaited: &mut VecDeque<News<T>>, news: News<T>) {
    awaited.retain(|other| other.node != news.node && !other.is_known_everywhere());
    if awaited.len() == AWAITED_MAX {
        awaited.pop_front();
    }
    awaited.push_back(news);
}

impl World {
    /// A node has its certificate: from now on others can know of it.
    pub(crate) fn await_join(&mut self, node: usize) {
        let news = self.news(node, self.machines[node].id);
        add(&mut self.awaited.joins, news);
    }

    /// A node was killed: from now on others can notice.
    pub(crate) fn await_crash(&mut self, node: usize) {
        let mut news = self.news(node, self.machines[node].id);
        for (unknown, machine) in news.unknown.iter_mut().zip(&self.machines) {
            let process = machine.process.as_ref();
            // Somebody that stalled may have been noticed before it was killed.
            *unknown &= process.is_some_and(|process| !process.away.contains_key(&news.what));
        }
        add(&mut self.awaited.crashes, news);
    }

    /// It is there again: whoever has not noticed need not any more.
    pub(crate) fn crash_over(&mut self, node: usize) {
        let over = |news: &News<NodeId>| news.node == node;
        let Some(at) = self.awaited.crashes.iter().position(over) else {
            return;
        };
        if let Some(news) = self.awaited.crashes.remove(at) {
            self.crash_missed(&news);
        }
    }

    /// Whether somebody has not noticed a crash in all the time it lasted, though nothing was done to it.
    fn crash_missed(&mut self, news: &News<NodeId>) {
        let down_us = self.now_us - news.since_us;
        if down_us < NOTICED_WITHIN_US {
            return;
        }
        let unaware = (0..news.unknown.len()).filter(|node| news.unknown[*node]);
        let undisturbed = |node: &usize| {
            let machine = &self.machines[*node];
            let process = machine.process.as_ref();
            let roster = process.and_then(|process| process.roster.as_ref());
            roster.is_some_and(|roster| roster.member(news.what).is_some())
                && machine.excused_until_us <= news.since_us
        };
        let unaware = { unaware }.find(undisturbed);
        if let Some(node) = unaware {
            self.observe(&Observation::CrashMissed {
                node,
                silent: news.what,
                down_us,
            });
        }
    }

    /// Whoever was down itself counts from its own start.
    pub(crate) fn crash_seen(&mut self, node: usize, away: &Away) {
        let process = self.machines[node].process.as_ref();
        let booted_us = process.map_or(0, |process| process.booted_us);
        for news in &mut self.awaited.crashes {
            if news.is_news(node, |crashed| away.contains_key(crashed)) {
                let took_us = self.now_us - news.since_us.max(booted_us);
                self.statistics.crash_known_us.add(took_us);
            }
        }
    }

    /// A node shares something else, if anything.
    pub(crate) fn await_change(&mut self, node: usize, servers: &[LocalServer]) {
        let process = self.machines[node].process.as_ref();
        let own = process.and_then(|process| process.roster.as_ref());
        let shared = servers.iter().filter(|server| server.share);
        let first = shared.filter_map(|server| Some((server, server.tools.first()?)));
        let (Some(own), Some((server, tool))) = (own, first.into_iter().next()) else {
            return;
        };
        let what = Tool {
            name: remote_name(&own.own.body().name, &server.name, &tool.name),
            definition: tool.definition.clone(),
        };
        let news = self.news(node, what);
        add(&mut self.awaited.changes, news);
    }

    /// Every node that runs in the mesh is to know.
    fn news<T>(&self, node: usize, what: T) -> News<T> {
        let is_member = |machine: &super::machine::Machine| {
            let process = machine.process.as_ref();
            process.is_some_and(|process| process.roster.is_some())
        };
        let mut unknown: Vec<bool> = self.machines.iter().map(is_member).collect();
        unknown[node] = false;
        News {
            what,
            node,
            since_us: self.now_us,
            unknown,
        }
    }

    pub(crate) fn roster_seen(&mut self, node: usize, roster: &Roster) {
        for news in &mut self.awaited.joins {
            if news.is_news(node, |joiner| roster.member(*joiner).is_some()) {
                let took_us = self.now_us - news.since_us;
                self.statistics.join_known_us.add(took_us);
            }
        }
    }

    pub(crate) fn catalog_seen(&mut self, node: usize, catalog: &Catalog) {
        let shows = |tool: &Tool| {
            let entry = catalog.entry(&tool.name);
            entry.is_some_and(|entry| entry.definition == tool.definition)
        };
        for news in &mut self.awaited.changes {
            if news.is_news(node, shows) {
                let took_us = self.now_us - news.since_us;
                self.statistics.change_known_us.add(took_us);
            }
        }
    }
}
