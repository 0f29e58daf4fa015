//! The log of a node.

use std::collections::BTreeMap;

use peerage_node::store::LogAudit;
use peerage_protocol::id::NodeId;
use peerage_protocol::log::Lane;
use peerage_protocol::log::entry::Entry;
use serde::Serialize;

use super::counted;
use super::table::{cell, table};
use crate::terminal::View;

/// Characters of an epoch that are shown; more than enough to tell those of one node apart.
const EPOCH_SHOWN: usize = 8;

/// An entry as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownEntry {
    /// Who wrote it.
    pub author: String,
    /// In which epoch.
    pub epoch: String,
    /// Into which lane.
    pub lane: String,
    /// Its place.
    pub sequence: u64,
    /// By the author's clock, in milliseconds since the Unix epoch.
    pub time: u64,
    /// How many items it has.
    pub items: u16,
    /// Bytes of the whole.
    pub bytes: usize,
}

/// How much one author has in one lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LaneStats {
    /// Whose.
    pub author: String,
    /// Which.
    pub lane: String,
    /// Epochs of the author in it.
    pub epochs: u64,
    /// Entries.
    pub entries: u64,
    /// Items in them.
    pub items: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Epochs that are forked.
    pub forks: u64,
}

/// The name of a node, or its id where that is not known.
fn called(node: NodeId, names: &BTreeMap<NodeId, String>) -> String {
    names
        .get(&node)
        .cloned()
        .unwrap_or_else(|| node.to_string())
}

fn lane(lane: Lane, names: &BTreeMap<NodeId, String>) -> String {
    match lane {
        Lane::Public(_) => lane.to_string(),
        Lane::Direct(node) => format!("direct:{}", called(node, names)),
    }
}

impl ShownEntry {
    /// How `entry` is shown where its author is called by `names`.
    pub fn of(entry: &Entry, names: &BTreeMap<NodeId, String>) -> Self {
        let chain = entry.chain();
        Self {
            author: called(chain.author, names),
            epoch: chain.epoch.to_string(),
            lane: lane(chain.lane, names),
            sequence: entry.sequence(),
            time: entry.header().time.0,
            items: entry.header().items,
            bytes: entry.sealed().len(),
        }
    }
}

impl LaneStats {
    /// What an audit counted, by author and lane.
    pub fn of(found: &LogAudit, names: &BTreeMap<NodeId, String>) -> Vec<Self> {
        let mut all: BTreeMap<(String, String), Self> = BTreeMap::new();
        for (id, chain) in &found.chains {
            let key = (called(id.author, names), lane(id.lane, names));
            let stats = all.entry(key).or_default();
            let forked = |fork: &&peerage_protocol::log::fork::Fork| fork.forked == (*id).into();
            stats.epochs += 1;
            stats.entries += chain.entries;
            stats.items += chain.items;
            stats.bytes += chain.bytes;
            stats.forks += u64::from(found.forks.iter().any(|fork| forked(&fork)));
        }
        let named = all.into_iter().map(|((author, lane), stats)| Self {
            author,
            lane,
            ..stats
        });
        named.collect()
    }
}

/// What `peerage log verify` says.
pub fn log_verified(found: &LogAudit) -> String {
    let entries: u64 = found.chains.values().map(|chain| chain.entries).sum();
    let entries = match entries {
        1 => "1 entry".to_owned(),
        many => format!("{many} entries"),
    };
    let chains = counted(found.chains.len(), "chain");
    let mut said = match found.faults.is_empty() {
        true => format!("The log is whole: {entries} in {chains}.\n"),
        false => format!("The log is not as it was written. {entries} in {chains} are good.\n"),
    };
    for fault in &found.faults {
        said.push_str(&format!("  {fault}\n"));
    }
    for fork in &found.forks {
        let (author, epoch) = (fork.forked.author, fork.forked.epoch);
        let place = fork.place().map_or(0, |(_, sequence)| sequence);
        said.push_str(&format!(
            "  {author} signed two entries no. {place} in epoch {epoch}: nothing more of it is taken\n"
        ));
    }
    said
}

/// What `peerage log show` says.
pub fn log_entries(entries: &[ShownEntry], view: View) -> String {
    if entries.is_empty() {
        return "There is no such entry.\n".to_owned();
    }
    let rows = entries.iter().map(|entry| {
        let epoch: String = entry.epoch.chars().take(EPOCH_SHOWN).collect();
        vec![
            cell(&entry.author),
            cell(&entry.lane),
            cell(&epoch),
            cell(&entry.sequence.to_string()),
            cell(&entry.items.to_string()),
            cell(&entry.bytes.to_string()),
        ]
    });
    let header = ["AUTHOR", "LANE", "EPOCH", "NO.", "ITEMS", "BYTES"];
    table(view, &header, rows.collect())
}

/// What `peerage log stats` says.
pub fn log_stats(lanes: &[LaneStats], view: View) -> String {
    if lanes.is_empty() {
        return "The log is empty.\n".to_owned();
    }
    let rows = lanes.iter().map(|stats| {
        let numbers = [
            stats.epochs,
            stats.entries,
            stats.items,
            stats.bytes,
            stats.forks,
        ];
        let names = [cell(&stats.author), cell(&stats.lane)];
        let numbers = numbers.iter().map(|number| cell(&number.to_string()));
        names.into_iter().chain(numbers).collect()
    });
    let header = [
        "AUTHOR", "LANE", "EPOCHS", "ENTRIES", "ITEMS", "BYTES", "FORKED",
    ];
    table(view, &header, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_log_is_whole_and_says_so() {
        let found = LogAudit::default();
        assert_eq!(
            log_verified(&found),
            "The log is whole: 0 entries in 0 chains.\n"
        );
        assert_eq!(log_stats(&[], View::default()), "The log is empty.\n");
        assert_eq!(
            log_entries(&[], View::default()),
            "There is no such entry.\n"
        );
    }

    #[test]
    fn each_author_and_lane_is_a_line() {
        let stats = LaneStats {
            author: "desk".to_owned(),
            lane: "tasks".to_owned(),
            epochs: 2,
            entries: 30,
            items: 40,
            bytes: 5_000,
            forks: 1,
        };
        let shown = log_stats(&[stats], View::default());
        let words: Vec<&str> = shown
            .lines()
            .nth(1)
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        assert_eq!(words, ["desk", "tasks", "2", "30", "40", "5000", "1"]);
    }
}
