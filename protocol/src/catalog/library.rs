//! The library: prompts, resources and templates of resources that this node can route a request to.
//!
//! Prompts are named as tools are. A resource keeps its own URI where one provider alone means it: this node's own
//! where exactly one of its servers offers it, else another node's where exactly one server of all reachable nodes
//! does. Everything can be asked for by its qualified name, whether or not it is shown by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::naming::{local_name, remote_name};
use crate::catalog::resource_uri::{authority, qualified_uri, split_qualified};
use crate::catalog::shelf::{Revisions, Shelf, ShelfItem};
use crate::catalog::snapshot::{MemberOffer, Provider};
use crate::catalog::uri_template;
use crate::id::ServerName;
use crate::wire::failure::CANDIDATES_MAX;

/// One prompt, resource or template as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The qualified name or URI.
    pub name: String,
    /// Who answers.
    pub provider: Provider,
    /// What its server knows it by.
    pub key: Arc<str>,
    /// The raw JSON that its server describes it with.
    pub definition: Arc<str>,
    /// Whether a request can reach the provider's node now.
    pub reachable: bool,
}

/// Items of one kind, in stable order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    items: Vec<Item>,
    names: BTreeMap<String, usize>,
    keys: BTreeMap<Arc<str>, Vec<usize>>,
}

/// Everything that is there to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    prompts: Items,
    resources: Items,
    templates: Items,
    /// Every provider that offers resources, by the authority of its qualified URIs, and whether it is reachable.
    providers: BTreeMap<String, (Provider, bool)>,
    /// Changes that providers announced and that the lists do not show.
    revisions: BTreeMap<String, Revisions>,
}

/// What a URI means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located<'a> {
    /// A resource of this provider.
    At {
        /// Who answers.
        provider: &'a Provider,
        /// Its URI at its server.
        uri: String,
        /// Whether a request can reach the provider's node now.
        reachable: bool,
    },
    /// Several providers could mean it; the qualified URIs, at most [`CANDIDATES_MAX`].
    Ambiguous(Vec<String>),
    /// Nobody's.
    Unknown,
}

impl Items {
    /// All of them, those of unreachable nodes too.
    pub fn all(&self) -> impl Iterator<Item = &Item> {
        self.items.iter()
    }

    /// What can be asked for now.
    pub fn reachable(&self) -> impl Iterator<Item = &Item> {
        self.all().filter(|item| item.reachable)
    }

    /// The item with this qualified name.
    pub fn named(&self, name: &str) -> Option<&Item> {
        self.items.get(*self.names.get(name)?)
    }

    /// The one item that the unqualified `key` means, if there is exactly one.
    pub fn plain(&self, key: &str) -> Option<&Item> {
        let is_local = |item: &&Item| matches!(item.provider, Provider::Local { .. });
        let reachable = || self.with_key(key).filter(|item| item.reachable);
        let mut locals = reachable().filter(is_local).peekable();
        if locals.peek().is_some() {
            only(locals)
        } else {
            only(reachable())
        }
    }

    /// What `item` is shown as where plain keys are used: its key if that means it alone, else its qualified name.
    pub fn shown<'a>(&self, item: &'a Item) -> &'a str {
        match self.plain(&item.key) {
            Some(meant) if meant.name == item.name => &item.key,
            _ => &item.name,
        }
    }

    /// Every item with this key.
    pub fn with_key(&self, key: &str) -> impl Iterator<Item = &Item> {
        let places = self.keys.get(key).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|at| self.items.get(*at))
    }

    fn add(&mut self, name: String, provider: &Provider, item: &ShelfItem, reachable: bool) {
        if self.names.contains_key(&name) {
            return;
        }
        let place = self.items.len();
        self.names.insert(name.clone(), place);
        self.keys.entry(item.key.clone()).or_default().push(place);
        self.items.push(Item {
            name,
            provider: provider.clone(),
            key: item.key.clone(),
            definition: item.definition.clone(),
            reachable,
        });
    }
}

impl Library {
    /// What these servers and members offer; both in the order in which they are listed.
    pub(super) fn build<'a>(
        locals: &[(ServerName, Shelf)],
        members: impl IntoIterator<Item = &'a MemberOffer>,
    ) -> Self {
        let mut library = Self::default();
        for (server, shelf) in locals {
            let provider = Provider::Local {
                server: server.clone(),
            };
            library.add(&provider, shelf, true);
        }
        for member in members {
            for server in &member.manifest.servers {
                let provider = Provider::Peer {
                    node: member.node,
                    node_name: member.node_name.clone(),
                    server: server.name.clone(),
                };
                library.add(&provider, &server.shelf, member.reachable);
            }
        }
        library
    }

    /// Prompts; the key is the name at the server.
    pub const fn prompts(&self) -> &Items {
        &self.prompts
    }

    /// Resources; the key is the URI at the server.
    pub const fn resources(&self) -> &Items {
        &self.resources
    }

    /// Templates of resources; the key is the template at the server.
    pub const fn templates(&self) -> &Items {
        &self.templates
    }

    /// One kind of revision, by provider; those that had none are left out.
    pub fn revisions(&self, kind: impl Fn(&Revisions) -> u64) -> BTreeMap<&str, u64> {
        let revisions = self.revisions.iter();
        revisions
            .map(|(provider, revisions)| (provider.as_str(), kind(revisions)))
            .filter(|(_, revision)| *revision > 0)
            .collect()
    }

    /// Who answers for `uri`: whoever it names, lists it, has a template for it, or is the only one with resources.
    pub fn locate(&self, uri: &str) -> Located<'_> {
        if let Some((owner, own)) = split_qualified(uri)
            && let Some((provider, reachable)) = self.providers.get(owner)
        {
            return Located::At {
                provider,
                uri: own.to_owned(),
                reachable: *reachable,
            };
        }
        if let Some(item) = self.resources.plain(uri) {
            return at(item, uri);
        }
        let listed: Vec<&Item> = self.resources.with_key(uri).collect();
        match listed[..] {
            [] => self.locate_unlisted(uri),
            [item] => at(item, uri),
            _ => Located::Ambiguous(candidates(listed.into_iter(), uri)),
        }
    }

    fn locate_unlisted(&self, uri: &str) -> Located<'_> {
        let fits = |item: &&Item| item.reachable && uri_template::matches(&item.key, uri);
        let mut fitting: Vec<&Item> = Vec::new();
        for item in self.templates.all().filter(fits) {
            if !fitting.iter().any(|known| known.provider == item.provider) {
                fitting.push(item);
            }
        }
        let local = |item: &&&Item| matches!(item.provider, Provider::Local { .. });
        if let Some(item) = only(fitting.iter().filter(local)) {
            return at(item, uri);
        }
        match fitting[..] {
            [item] => at(item, uri),
            [] => self.locate_by_elimination(uri),
            _ => Located::Ambiguous(candidates(fitting.into_iter(), uri)),
        }
    }

    /// A server need not list every resource it has: where there is only one, it is asked.
    fn locate_by_elimination(&self, uri: &str) -> Located<'_> {
        match only(self.providers.values()) {
            Some((provider, reachable)) => Located::At {
                provider,
                uri: uri.to_owned(),
                reachable: *reachable,
            },
            None => Located::Unknown,
        }
    }

    fn add(&mut self, provider: &Provider, shelf: &Shelf, reachable: bool) {
        let prompt_name = |key: &str| match provider {
            Provider::Local { server } => local_name(server, key),
            Provider::Peer {
                node_name, server, ..
            } => remote_name(node_name, server, key),
        };
        for item in &shelf.prompts {
            self.prompts
                .add(prompt_name(&item.key), provider, item, reachable);
        }
        for item in &shelf.resources {
            let name = qualified_uri(provider, &item.key);
            self.resources.add(name, provider, item, reachable);
        }
        for item in &shelf.templates {
            let name = qualified_uri(provider, &item.key);
            self.templates.add(name, provider, item, reachable);
        }
        if !shelf.revisions.are_none() {
            self.revisions.insert(authority(provider), shelf.revisions);
        }
        if !shelf.resources.is_empty() || !shelf.templates.is_empty() {
            self.providers
                .insert(authority(provider), (provider.clone(), reachable));
        }
    }
}

fn at<'a>(item: &'a Item, uri: &str) -> Located<'a> {
    Located::At {
        provider: &item.provider,
        uri: uri.to_owned(),
        reachable: item.reachable,
    }
}

fn candidates<'a>(items: impl Iterator<Item = &'a Item>, uri: &str) -> Vec<String> {
    items
        .take(CANDIDATES_MAX)
        .map(|item| qualified_uri(&item.provider, uri))
        .collect()
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

#[cfg(test)]
#[path = "library_tests.rs"]
mod tests;
