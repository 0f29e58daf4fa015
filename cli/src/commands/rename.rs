//! `rename`: another name for this node, and what that changes for others.

use peerage_node::config::settings_file::write_name;
use peerage_node::store::inspect;
use peerage_protocol::id::NodeName;
use peerage_protocol::node_state::Record;
use serde_json::json;

use super::Context;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

pub(super) fn rename(context: &Context, name: &NodeName) -> Result<(), Failure> {
    let home = context
        .home
        .prepare()
        .map_err(|error| Failure::failed("home", error))?;
    write_name(&home.settings(), name).map_err(|error| Failure::failed("settings", error))?;
    let certified = match home.store().exists() {
        true => certified_name(context)?,
        false => None,
    };
    let effective = certified.as_ref().is_none_or(|certified| certified == name);
    match context.json {
        true => print(&render::json(&json!({
            "name": name.as_str(),
            "in_mesh": certified.as_ref().map(NodeName::as_str),
            "effective": effective,
        }))?),
        false => print(&render::renamed(
            name.as_str(),
            certified.as_ref().map(NodeName::as_str),
        )),
    }
}

/// The name that this node's certificate says; `None` without a mesh.
fn certified_name(context: &Context) -> Result<Option<NodeName>, Failure> {
    let found = inspect(&context.home.store())
        .map_err(|error| Failure::failed("store", format!("{error}; see: peerage doctor")))?;
    Ok(found.records.into_iter().find_map(|record| match record {
        Record::Home { chain, .. } => Some(chain.body().name.clone()),
        _ => None,
    }))
}
