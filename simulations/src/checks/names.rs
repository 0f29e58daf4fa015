//! A tool's qualified name never comes to mean another tool at the same node.

use std::collections::BTreeSet;

use peerage_protocol::catalog::naming::SEPARATOR;
use peerage_protocol::catalog::snapshot::{Catalog, Provider};
use peerage_protocol::time::Timestamp;
use rustc_hash::FxHashMap;

use super::sampling::Sampling;
use super::{Check, Finding, Observation, View};
use crate::world::truth::hash_of;

/// What names have meant.
#[derive(Default)]
pub(crate) struct StableNames {
    /// By node and name.
    meanings: FxHashMap<(usize, u64), Meaning>,
    /// When each node left last, by its place and its clock.
    left: FxHashMap<usize, Timestamp>,
    sampling: Sampling,
}

/// What a name meant when it was looked at.
#[derive(Clone, Copy)]
struct Meaning {
    /// The place of the tool's owner.
    owner: usize,
    /// The owner, the server and the tool.
    tool: u64,
    /// From when on the certificate was valid by which the owner was known.
    certified: Timestamp,
}

impl Check for StableNames {
    fn name(&self) -> &'static str {
        "stable names"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        match seen {
            // Whoever left forgets the mesh, and others may have its names by the time that it is back: not every catalog
            // is looked at, so that may not have been seen.
            Observation::Left { node } => {
                self.meanings
                    .retain(|(knower, _), meaning| knower != node && meaning.owner != *node);
                let at = view.machines[*node].wall(view.now_us);
                self.left.insert(*node, at);
                Ok(())
            }
            Observation::CatalogPublished { node, catalog } if self.sampling.includes(catalog) => {
                self.check(*node, catalog, view)
            }
            _ => Ok(()),
        }
    }
}

impl StableNames {
    /// Whether the owner has left with the certificate by which it was known.
    fn has_left_since(&self, before: Meaning) -> bool {
        let left = self.left.get(&before.owner);
        left.is_some_and(|left| *left >= before.certified)
    }

    fn check(&mut self, node: usize, catalog: &Catalog, view: &View<'_>) -> Result<(), Finding> {
        let mut names = BTreeSet::new();
        for entry in catalog.entries() {
            if !names.insert(entry.name.as_str()) {
                let what = format!("{} lists {} twice", view.called(node), entry.name);
                return Err(Finding { node, what });
            }
            let (owner, server) = match &entry.provider {
                Provider::Local { server } => (node, server),
                Provider::Peer {
                    node: owner,
                    server,
                    ..
                } => match (view.place)(*owner) {
                    Some(owner) => (owner, server),
                    None => continue,
                },
            };
            let meaning = Meaning {
                owner,
                tool: hash_of(&(owner, server.as_str(), &*entry.tool)),
                certified: certified(node, owner, view),
            };
            let key = (node, hash_of(&entry.name));
            let before = self.meanings.insert(key, meaning);
            let Some(before) = before.filter(|before| before.tool != meaning.tool) else {
                continue;
            };
            let former = before.owner;
            // Whoever hears late of a goodbye shows the leaver's tools when it has left already: the name was free then,
            // though the leaver is back by now.
            if self.has_left_since(before) || gave_up(node, former, &entry.name, view) {
                continue;
            }
            if !is_excused(former, owner, view) {
                let (here, former, now) =
                    (view.called(node), view.called(former), view.called(owner));
                let what = format!(
                    "at {here} the name {} meant a tool of {former} and now means one of {now}",
                    entry.name
                );
                return Err(Finding { node, what });
            }
        }
        Ok(())
    }
}

/// From when on the certificate is valid by which `node` knows the owner of a tool.
fn certified(node: usize, owner: usize, view: &View<'_>) -> Timestamp {
    let process = view.machines[node].process.as_ref();
    let roster = process.and_then(|process| process.state.roster());
    let chain = roster.and_then(|roster| roster.member(view.machines[owner].id));
    chain.map_or(Timestamp(0), |chain| chain.body().not_before)
}

/// Whether `node` knows that its former holder gave the name up: it is no member there any more, or certified as another.
fn gave_up(node: usize, former: usize, tool: &str, view: &View<'_>) -> bool {
    let process = view.machines[node].process.as_ref();
    let roster = process.and_then(|process| process.state.roster());
    let former = view.machines[former].id;
    let known = roster.and_then(|roster| roster.member(former));
    let name = tool.split_once(SEPARATOR).map(|(name, _)| name);
    known.is_none_or(|chain| Some(chain.body().name.as_str()) != name)
}

/// A name is free again when its holder has left, and an admin that was put back to an old backup, or lies, gives
/// names twice.
fn is_excused(former: usize, owner: usize, view: &View<'_>) -> bool {
    let left = view.truth.goodbye(former).is_some() || !view.truth.homes.contains(&former);
    let odd =
        |place: usize| view.truth.liars.contains(&place) || view.truth.restored.contains(&place);
    left || odd(former) || odd(owner) || !view.truth.restored.is_empty()
}
