//! The catalog: every tool this node can route a call to, by the name it goes by here.
//!
//! A catalog is built whole and never changes: calls read one snapshot while the next is built. Its order is stable:
//! this node's servers by name, then other nodes by name, each with its servers by name and tools as the server
//! orders them. A node that cannot be reached keeps its entries, so that a call is told which node is missing, but
//! they are not listed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::library::Library;
use crate::catalog::manifest::{Manifest, ServerManifest, ToolEntry};
use crate::catalog::naming::{local_name, remote_name};
use crate::catalog::shelf::Shelf;
use crate::id::{NodeId, NodeName, ServerName};
use crate::mutation::Mutation;
use crate::wire::failure::CANDIDATES_MAX;

/// A server of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalServer {
    /// Its name.
    pub name: ServerName,
    /// Whether members of the mesh may see and call it.
    pub share: bool,
    /// Its tools, in its own order.
    pub tools: Vec<ToolEntry>,
    /// Its prompts and resources.
    pub shelf: Shelf,
}

/// Another member and what it offers to this node.
#[derive(Clone, Debug)]
pub struct MemberOffer {
    /// The member.
    pub node: NodeId,
    /// Its name, unique by the issuer of the certificates.
    pub node_name: NodeName,
    /// What it offers.
    pub manifest: Arc<Manifest>,
    /// Whether a call can reach it now.
    pub reachable: bool,
}

/// Who answers calls of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// A server of this node.
    Local {
        /// Its name.
        server: ServerName,
    },
    /// A server of another node.
    Peer {
        /// The node.
        node: NodeId,
        /// The node's name.
        node_name: NodeName,
        /// The server's name there.
        server: ServerName,
    },
}

impl Provider {
    /// The server's name at its own node.
    pub const fn server(&self) -> &ServerName {
        match self {
            Self::Local { server } | Self::Peer { server, .. } => server,
        }
    }
}

/// One tool as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The qualified name it goes by here.
    pub name: String,
    /// Who answers.
    pub provider: Provider,
    /// Its name at its server.
    pub tool: Arc<str>,
    /// The raw JSON that its server describes it with.
    pub definition: Arc<str>,
    /// Whether a call can reach the provider's node now; a server of this node always counts as reachable.
    pub reachable: bool,
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// This tool.
    Found(&'a Entry),
    /// No tool's name, but close to these: their qualified names, at most [`CANDIDATES_MAX`].
    Ambiguous(Vec<String>),
    /// Nothing.
    Unknown,
}

/// A snapshot of all tools, prompts and resources.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    entries: Vec<Entry>,
    /// Qualified name to place in `entries`.
    places: BTreeMap<String, usize>,
    /// Plain tool name, and `server__tool` of peers' tools, to places in `entries`.
    suggestions: BTreeMap<String, Vec<usize>>,
    shared: Vec<ServerManifest>,
    library: Library,
}

impl Catalog {
    /// The catalog of this node's servers and other members' offers. Where two claim one name, which only a broken
    /// issuer brings about, the member with the lower id keeps it.
    pub fn build(mut locals: Vec<LocalServer>, mut members: Vec<MemberOffer>) -> Self {
        locals.sort_by(|one, other| one.name.cmp(&other.name));
        members
            .sort_by(|one, other| (&one.node_name, one.node).cmp(&(&other.node_name, other.node)));
        let mut catalog = Self {
            library: Library::build(&locals, &members),
            ..Self::default()
        };
        for local in locals {
            catalog.add_local(local);
        }
        for member in &members {
            catalog.add_member(member);
        }
        catalog
    }

    /// What `name` means.
    pub fn lookup(&self, name: &str) -> Lookup<'_> {
        if let Some(entry) = self.places.get(name).and_then(|at| self.entries.get(*at)) {
            return Lookup::Found(entry);
        }
        let candidates: Vec<String> = self
            .suggested(name)
            .filter(|entry| entry.reachable)
            .take(CANDIDATES_MAX)
            .map(|entry| entry.name.clone())
            .collect();
        if candidates.is_empty() {
            Lookup::Unknown
        } else {
            Lookup::Ambiguous(candidates)
        }
    }

    /// Every entry in stable order, those of unreachable nodes too.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// What can be called now, in stable order.
    pub fn reachable(&self) -> impl Iterator<Item = &Entry> {
        self.entries().filter(|entry| entry.reachable)
    }

    /// Prompts, resources and resource templates.
    pub const fn library(&self) -> &Library {
        &self.library
    }

    /// What this node offers to members: its shared servers only.
    pub fn manifest_for_members(&self) -> Manifest {
        Manifest::new(self.shared.clone())
    }

    /// Plain tool names that mean one tool, with its qualified name: this node's own where exactly one of its servers
    /// has it, else another node's where exactly one server of all reachable nodes has it.
    pub fn plain_names(&self) -> BTreeMap<&str, &str> {
        let names: BTreeSet<&str> = self.reachable().map(|entry| &*entry.tool).collect();
        names
            .into_iter()
            .filter_map(|plain| self.plain(plain).map(|entry| (plain, &*entry.name)))
            .collect()
    }

    /// The one tool that the plain name `plain` means, if there is exactly one, as in [`plain_names`](Self::plain_names).
    pub fn plain(&self, plain: &str) -> Option<&Entry> {
        if self.places.contains_key(plain) {
            return None;
        }
        let is_local = |entry: &&Entry| matches!(entry.provider, Provider::Local { .. });
        let named = || {
            self.suggested(plain)
                .filter(|entry| entry.reachable && *entry.tool == *plain)
        };
        let mut locals = named().filter(is_local).peekable();
        if locals.peek().is_some() {
            only(locals)
        } else {
            only(named())
        }
    }

    fn suggested(&self, name: &str) -> impl Iterator<Item = &Entry> {
        let places = self.suggestions.get(name).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|at| self.entries.get(*at))
    }

    fn add_local(&mut self, local: LocalServer) {
        for tool in &local.tools {
            let provider = Provider::Local {
                server: local.name.clone(),
            };
            let name = local_name(&local.name, &tool.name);
            self.add(name, provider, tool, true);
        }
        if local.share || Mutation::ListUnsharedServer.is_on() {
            self.shared.push(ServerManifest {
                name: local.name,
                tools: local.tools,
                shelf: local.shelf,
            });
        }
    }

    fn add_member(&mut self, member: &MemberOffer) {
        let mut servers: Vec<&ServerManifest> = member.manifest.servers.iter().collect();
        servers.sort_by(|one, other| one.name.cmp(&other.name));
        for server in servers {
            for tool in &server.tools {
                let provider = Provider::Peer {
                    node: member.node,
                    node_name: member.node_name.clone(),
                    server: server.name.clone(),
                };
                let name = remote_name(&member.node_name, &server.name, &tool.name);
                let place = self.entries.len();
                if self.add(name, provider, tool, member.reachable) {
                    let short = local_name(&server.name, &tool.name);
                    self.suggest(short, place);
                }
            }
        }
    }

    /// Whether the name was free and the tool is now in the catalog.
    fn add(&mut self, name: String, provider: Provider, tool: &ToolEntry, reachable: bool) -> bool {
        if self.places.contains_key(&name) {
            return false;
        }
        let place = self.entries.len();
        self.places.insert(name.clone(), place);
        self.suggest(tool.name.to_string(), place);
        self.entries.push(Entry {
            name,
            provider,
            tool: Arc::clone(&tool.name),
            definition: Arc::clone(&tool.definition),
            reachable,
        });
        true
    }

    fn suggest(&mut self, name: String, place: usize) {
        let places = self.suggestions.entry(name).or_default();
        if places.last() != Some(&place) {
            places.push(place);
        }
    }
}

fn only<'a>(mut entries: impl Iterator<Item = &'a Entry>) -> Option<&'a Entry> {
    let first = entries.next()?;
    entries.next().is_none().then_some(first)
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
