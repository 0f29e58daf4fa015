//! The keys, what the database says of the membership, and other nodes with the same key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use peerage_node::home::Home;
use peerage_node::keys;
use peerage_node::store::inspect;
use peerage_protocol::node_state::Record;
use peerage_protocol::signature::Signer;

use crate::arguments::Arguments;
use crate::doctor::evidence::{DatabaseFacts, KeyFacts};
use crate::process::command_lines;

pub(super) fn key(path: &Path) -> KeyFacts {
    match keys::load(path) {
        Ok(Some(key)) => KeyFacts::Of(key.public_key()),
        Ok(None) => KeyFacts::Missing,
        Err(error) => KeyFacts::Unusable(error.to_string()),
    }
}

/// What the database holds.
pub(super) struct Kept {
    pub(super) facts: DatabaseFacts,
    /// By the text of the node's id.
    pub(super) addresses: BTreeMap<String, Vec<String>>,
}

pub(super) fn database(home: &Home) -> Kept {
    let without = |facts| Kept {
        facts,
        addresses: BTreeMap::new(),
    };
    if !home.store().exists() {
        return without(DatabaseFacts::Missing);
    }
    let found = match inspect(&home.store()) {
        Ok(found) => found,
        Err(error) => return without(DatabaseFacts::Unreadable(error.to_string())),
    };
    let mut membership = None;
    let mut addresses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in found.records {
        match record {
            Record::Home { mesh, chain } => {
                membership = Some((mesh, Box::new(chain.body().clone())))
            }
            Record::Addresses {
                node,
                addresses: known,
            } => {
                let known = known.into_iter().map(|known| known.address);
                addresses.entry(node.to_string()).or_default().extend(known);
            }
            Record::Peer(member) => {
                let said = member.record().map_or(&[][..], |record| &record.addresses);
                let known = addresses.entry(member.node().to_string()).or_default();
                known.extend(said.iter().cloned());
            }
            Record::Ticket(_)
            | Record::Member(_)
            | Record::Revocation(_)
            | Record::Chain(_)
            | Record::Fork(_)
            | Record::Epoch(_)
            | Record::Decision(_) => {}
        }
    }
    for known in addresses.values_mut() {
        known.sort();
        known.dedup();
    }
    Kept {
        facts: DatabaseFacts::Read {
            complaints: found.complaints,
            membership,
        },
        addresses,
    }
}

/// Nodes of this user that run on another home with the key of this one.
pub(super) fn twins(home: &Home) -> Vec<(u32, PathBuf)> {
    let KeyFacts::Of(ours) = key(&home.identity_key()) else {
        return Vec::new();
    };
    let homes = command_lines().into_iter().filter_map(|(pid, words)| {
        let other = Home::at(&Arguments::home_of_up(&words)?).ok()?;
        Some((pid, other))
    });
    homes
        .filter(|(_, other)| other != home && key(&other.identity_key()) == KeyFacts::Of(ours))
        .filter(
            |(pid, other)| matches!(other.holder(), Ok(Some(holder)) if holder.pid == Some(*pid)),
        )
        .map(|(pid, other)| (pid, other.root().to_path_buf()))
        .collect()
}
