//! The catalog: every tool this node can route a call to, by the name it goes by here.
//!
//! A catalog that was published never changes: calls read one snapshot while the next is made. What one member offers
//! is shared between them, so a change costs what it changes. Its order is stable: this node's servers by name, then
//! other nodes by name, each with its servers by name and tools as the server orders them. A node that cannot be
//! reached keeps its entries, so that a call is told which node is missing, but they are not listed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use super::section::Section;
use crate::catalog::library::Library;
use crate::catalog::manifest::{Manifest, ServerManifest, ToolEntry};
use crate::catalog::naming::{SEPARATOR, local_name};
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
    /// Whether it is in this node's region.
    pub near: bool,
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
    local: Arc<Section>,
    /// By the node's name, then by node.
    members: Vec<Arc<MemberSection>>,
    shared: Vec<ServerManifest>,
    /// Prompts and resources of this node's servers.
    shelves: Arc<[(ServerName, Shelf)]>,
    suggestions: OnceLock<Suggestions>,
    library: OnceLock<Arc<Library>>,
}

/// Plain tool name, and `server__tool` of peers' tools, to where they are: the section in order, and the place in it.
type Suggestions = Arc<BTreeMap<String, Vec<(usize, usize)>>>;

/// What one member offers, and the names it goes by here.
#[derive(Debug)]
struct MemberSection {
    offer: MemberOffer,
    tools: Section,
}

impl Catalog {
    /// The catalog of this node's servers and other members' offers. Where two claim one name, which only a broken
    /// issuer brings about, the member with the lower id keeps it.
    pub fn build(locals: Vec<LocalServer>, members: Vec<MemberOffer>) -> Self {
        let mut catalog = Self::default();
        catalog.set_local(locals);
        for member in members {
            catalog.set_member(member);
        }
        catalog
    }

    /// Puts these in the place of this node's servers.
    pub fn set_local(&mut self, mut locals: Vec<LocalServer>) {
        locals.sort_by(|one, other| one.name.cmp(&other.name));
        self.local = Arc::new(Section::of_this_node(&locals));
        let offered = |local: &LocalServer| local.share || Mutation::ListUnsharedServer.is_on();
        let shelf = |local: &LocalServer| (local.name.clone(), local.shelf.clone());
        self.shelves = locals.iter().map(shelf).collect();
        let shared = locals.into_iter().filter(offered);
        self.shared = shared
            .map(|local| ServerManifest {
                name: local.name,
                tools: local.tools,
                shelf: local.shelf,
            })
            .collect();
        self.forget_derived();
    }

    /// Puts this in the place of what the member offered before; says whether anything has changed.
    pub fn set_member(&mut self, offer: MemberOffer) -> bool {
        let known = self.place_of(offer.node).map(|at| &self.members[at]);
        if known.is_some_and(|known| known.offer.is_the_same_as(&offer)) {
            return false;
        }
        self.remove_member(offer.node);
        let name = offer.node_name.clone();
        let order = (&offer.node_name, offer.node);
        let place = self
            .members
            .partition_point(|one| (&one.offer.node_name, one.offer.node) < order);
        let section = MemberSection::new(offer, &mut BTreeSet::new());
        self.members.insert(place, Arc::new(section));
        self.share_out_name(&name);
        true
    }

    /// Takes a member's tools out; says whether it had any.
    pub fn remove_member(&mut self, node: NodeId) -> bool {
        let Some(place) = self.place_of(node) else {
            return false;
        };
        let removed = self.members.remove(place);
        self.share_out_name(&removed.offer.node_name);
        self.forget_derived();
        true
    }

    /// What is made on first use is made anew.
    fn forget_derived(&mut self) {
        self.suggestions = OnceLock::new();
        self.library = OnceLock::new();
    }

    fn place_of(&self, node: NodeId) -> Option<usize> {
        self.members.iter().position(|one| one.offer.node == node)
    }

    /// Of those who go by one name, each keeps what those with lower ids leave it.
    fn share_out_name(&mut self, name: &NodeName) {
        let first = self
            .members
            .partition_point(|one| one.offer.node_name < *name);
        let named = self.members.get_mut(first..).unwrap_or_default();
        let count = named.partition_point(|one| one.offer.node_name == *name);
        if count > 1 {
            let mut taken = BTreeSet::new();
            for section in &mut named[..count] {
                let offer = section.offer.clone();
                *section = Arc::new(MemberSection::new(offer, &mut taken));
            }
        }
        self.forget_derived();
    }

    /// What `name` means.
    pub fn lookup(&self, name: &str) -> Lookup<'_> {
        if let Some(entry) = self.entry(name) {
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

    /// Every entry in stable order, those of unreachable nodes too: this node's, then those of members in its region,
    /// then the others.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let of = |near: bool| {
            let members = self
                .members
                .iter()
                .filter(move |one| one.offer.near == near);
            members.map(|member| &member.tools)
        };
        let sections = std::iter::once(&*self.local)
            .chain(of(true))
            .chain(of(false));
        sections.flat_map(Section::entries)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.sections().map(Section::len).sum()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn sections(&self) -> impl Iterator<Item = &Section> {
        let members = self.members.iter().map(|member| &member.tools);
        std::iter::once(&*self.local).chain(members)
    }

    /// The tool with this qualified name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        let local = self.local.find(name);
        // That of another node begins with the node's name.
        let (node_name, _) = name.split_once(SEPARATOR)?;
        let before = |one: &Arc<MemberSection>| one.offer.node_name.as_str() < node_name;
        let first = self.members.partition_point(before);
        let members = self.members.get(first..).unwrap_or_default().iter();
        let mut named = members.take_while(|one| one.offer.node_name.as_str() == node_name);
        local.or_else(|| named.find_map(|one| one.tools.find(name)))
    }

    /// What can be called now, in stable order.
    pub fn reachable(&self) -> impl Iterator<Item = &Entry> {
        self.entries().filter(|entry| entry.reachable)
    }

    /// Prompts, resources and resource templates.
    pub fn library(&self) -> &Library {
        self.library.get_or_init(|| {
            let members = self.members.iter().map(|member| &member.offer);
            Arc::new(Library::build(&self.shelves, members))
        })
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
        if self.entry(plain).is_some() {
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
        let near = self.suggested_from(name, true);
        near.chain(self.suggested_from(name, false))
    }

    /// Those of this node and of its region, or those of others.
    fn suggested_from(&self, name: &str, near: bool) -> impl Iterator<Item = &Entry> {
        let suggestions = self.suggestions.get_or_init(|| self.suggestions());
        let places = suggestions.get(name).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(move |(section, place)| {
            let section = match section.checked_sub(1) {
                None => near.then_some(&*self.local)?,
                Some(member) => {
                    let member = self.members.get(member)?;
                    (member.offer.near == near).then_some(&member.tools)?
                }
            };
            section.entry(*place)
        })
    }

    fn suggestions(&self) -> Suggestions {
        let mut suggestions: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        let mut suggest = |name: String, at| {
            let places = suggestions.entry(name).or_default();
            if places.last() != Some(&at) {
                places.push(at);
            }
        };
        for (section, tools) in self.sections().enumerate() {
            for (place, entry) in tools.entries().enumerate() {
                suggest(entry.tool.to_string(), (section, place));
                if let Provider::Peer { server, .. } = &entry.provider {
                    suggest(local_name(server, &entry.tool), (section, place));
                }
            }
        }
        Arc::new(suggestions)
    }
}

impl MemberOffer {
    fn is_the_same_as(&self, other: &Self) -> bool {
        self.node == other.node
            && self.node_name == other.node_name
            && self.reachable == other.reachable
            && self.near == other.near
            && Arc::ptr_eq(&self.manifest, &other.manifest)
    }
}

impl MemberSection {
    /// The names that others have `taken` are left to them.
    fn new(offer: MemberOffer, taken: &mut BTreeSet<String>) -> Self {
        let tools = Section::of_member(&offer, taken);
        Self { offer, tools }
    }
}

fn only<'a>(mut entries: impl Iterator<Item = &'a Entry>) -> Option<&'a Entry> {
    let first = entries.next()?;
    entries.next().is_none().then_some(first)
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
