//! `log`: whether the log of this node is whole, and what is in it; read from its database, whether or not it runs.

use std::collections::{BTreeMap, VecDeque};

use peerage_node::store::{LogAudit, audit_log, inspect, read_log};
use peerage_protocol::id::NodeId;
use peerage_protocol::log::entry::Entry;
use peerage_protocol::node_state::Record;
use serde_json::json;

use super::Context;
use crate::arguments::{Log, LogFilter};
use crate::failure::Failure;
use crate::render::{self, ShownEntry};
use crate::terminal::print;

pub(super) fn log(context: &Context, deed: &Log) -> Result<(), Failure> {
    if !context.home.store().exists() {
        let message = format!("{} has no database yet", context.home.root().display());
        return Err(Failure::failed("database", message));
    }
    match deed {
        Log::Verify => verify(context),
        Log::Show(filter) => show(context, filter),
        Log::Stats => stats(context),
    }
}

fn verify(context: &Context) -> Result<(), Failure> {
    let found = audit(context)?;
    let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    match context.json {
        true => print(&render::json(&json!({
            "entries": found.chains.values().map(|chain| chain.entries).sum::<u64>(),
            "chains": found.chains.len(),
            "forks": found.forks.len(),
            "faults": faults,
        }))?)?,
        false => print(&render::log_verified(&found))?,
    }
    match faults.len() {
        0 => Ok(()),
        count => {
            let count = render::counted(count, "fault");
            let message = format!("the log is not as it was written: {count}");
            Err(Failure::failed("log", message))
        }
    }
}

fn show(context: &Context, filter: &LogFilter) -> Result<(), Failure> {
    let names = names(context)?;
    let mut latest = VecDeque::new();
    let wanted = |entry: &Entry| {
        let chain = entry.chain();
        filter.lane.is_none_or(|lane| lane == chain.lane)
            && filter.author.is_none_or(|author| author == chain.author)
            && entry.sealed().body.is_some()
    };
    let read = read_log(&context.home.store(), |entry| {
        if wanted(entry) {
            let time = entry.header().time;
            let place = latest.partition_point(|shown: &ShownEntry| shown.time <= time.0);
            latest.insert(place, ShownEntry::of(entry, &names));
            if latest.len() > filter.count as usize {
                latest.pop_front();
            }
        }
    });
    read.map_err(unreadable)?;
    let latest: Vec<ShownEntry> = latest.into();
    match context.json {
        true => print(&render::json(&latest)?),
        false => print(&render::log_entries(&latest, context.view)),
    }
}

fn stats(context: &Context) -> Result<(), Failure> {
    let (found, names) = (audit(context)?, names(context)?);
    let lanes = render::LaneStats::of(&found, &names);
    match context.json {
        true => print(&render::json(&lanes)?),
        false => print(&render::log_stats(&lanes, context.view)),
    }
}

fn audit(context: &Context) -> Result<LogAudit, Failure> {
    audit_log(&context.home.store()).map_err(unreadable)
}

fn unreadable(error: peerage_node::store::StoreError) -> Failure {
    Failure::failed("database", error)
}

/// What the members known here are called.
fn names(context: &Context) -> Result<BTreeMap<NodeId, String>, Failure> {
    let found = inspect(&context.home.store()).map_err(unreadable)?;
    let chains = found.records.into_iter().filter_map(|record| match record {
        Record::Home { chain, .. } | Record::Member(chain) => Some(chain),
        Record::Peer(member) => Some(member.chain().clone()),
        _ => None,
    });
    let named = chains.map(|chain| (chain.body().subject, chain.body().name.to_string()));
    Ok(named.collect())
}
