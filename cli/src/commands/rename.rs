//! `rename`: another name for this node, and what that changes for others.

use std::time::Duration;

use peerage_node::config::settings_edit::write_name;
use peerage_node::gateway::frontend::rest::api::{RenameRequest, RenameResponse};
use peerage_node::store::inspect;
use peerage_protocol::id::NodeName;
use peerage_protocol::node_state::Record;
use serde_json::json;

use super::Context;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

/// An admin elsewhere may have to certify the name.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn rename(context: &Context, name: &NodeName) -> Result<(), Failure> {
    let running = ask_node(context, name).await?;
    let home = context
        .home
        .prepare()
        .map_err(|error| Failure::failed("home", error))?;
    write_name(&home.settings(), name).map_err(|error| Failure::failed("settings", error))?;
    let certified = match running {
        Some(RenameResponse { in_mesh }) => in_mesh.and_then(|name| name.parse().ok()),
        None if home.store().exists() => certified_name(context)?,
        None => None,
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

/// Has the node take the name in its mesh; `None` when none runs. What is refused there is noted nowhere.
async fn ask_node(context: &Context, name: &NodeName) -> Result<Option<RenameResponse>, Failure> {
    let request = RenameRequest {
        name: name.to_string(),
    };
    let client = context.client().patient_for(PATIENCE);
    match client.post("/v1/rename", &request).await {
        Ok(response) => Ok(Some(response)),
        Err(failure) if failure.is_no_node() => Ok(None),
        Err(failure) => Err(failure),
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
