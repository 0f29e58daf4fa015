//! What one node offers, with the names it goes by in a catalog.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::manifest::{ServerManifest, ToolEntry};
use super::naming::{local_name, remote_name};
use super::snapshot::{Entry, LocalServer, MemberOffer, Provider};

/// The tools of one node, in order.
#[derive(Debug, Default)]
pub(super) struct Section {
    entries: Vec<Entry>,
    /// Places in `entries`, by qualified name.
    by_name: Vec<u32>,
}

impl Section {
    /// This node's own; the servers in order of name.
    pub(super) fn of_this_node(servers: &[LocalServer]) -> Self {
        let tools = servers.iter().flat_map(|server| {
            server.tools.iter().map(|tool| {
                let provider = Provider::Local {
                    server: server.name.clone(),
                };
                entry(local_name(&server.name, &tool.name), provider, tool, true)
            })
        });
        Self::new(tools.collect(), &mut BTreeSet::new())
    }

    /// A member's, but for the names that are `taken`; those it gets are taken from here on.
    pub(super) fn of_member(member: &MemberOffer, taken: &mut BTreeSet<String>) -> Self {
        let mut servers: Vec<&ServerManifest> = member.manifest.servers.iter().collect();
        servers.sort_by(|one, other| one.name.cmp(&other.name));
        let tools = servers.into_iter().flat_map(|server| {
            server.tools.iter().map(|tool| {
                let provider = Provider::Peer {
                    node: member.node,
                    node_name: member.node_name.clone(),
                    server: server.name.clone(),
                };
                let name = remote_name(&member.node_name, &server.name, &tool.name);
                entry(name, provider, tool, member.reachable)
            })
        });
        Self::new(tools.collect(), taken)
    }

    fn new(mut entries: Vec<Entry>, taken: &mut BTreeSet<String>) -> Self {
        entries.retain(|entry| taken.insert(entry.name.clone()));
        let places = (0..).zip(&entries);
        let mut by_name: Vec<(&str, u32)> = places
            .map(|(place, entry)| (entry.name.as_str(), place))
            .collect();
        by_name.sort_unstable();
        let by_name = by_name.into_iter().map(|(_, place)| place).collect();
        Self { entries, by_name }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entry(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place)
    }

    /// The tool with this qualified name.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        let named = |place: &u32| {
            let entry = self.entries.get(*place as usize);
            entry.map_or("", |entry| &entry.name).cmp(name)
        };
        let at = self.by_name.binary_search_by(named).ok()?;
        self.entries.get(*self.by_name.get(at)? as usize)
    }
}

fn entry(name: String, provider: Provider, tool: &ToolEntry, reachable: bool) -> Entry {
    Entry {
        name,
        provider,
        tool: Arc::clone(&tool.name),
        definition: Arc::clone(&tool.definition),
        reachable,
    }
}
