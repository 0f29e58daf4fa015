//! `firebase`: what the owner needs to set a registry up.

use peerage_node::discovery::firebase::{RULES, record_id};
use peerage_node::gateway::frontend::rest::api::StatusResponse;
use serde_json::json;

use super::Context;
use crate::arguments::Firebase;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

pub(super) async fn firebase(context: &Context, deed: &Firebase) -> Result<(), Failure> {
    match deed {
        Firebase::Rules => print(RULES),
        Firebase::Id => id(context).await,
    }
}

async fn id(context: &Context) -> Result<(), Failure> {
    let status: StatusResponse = context.client().get("/v1/status").await?;
    let no_mesh = || {
        Failure::failed(
            "no_mesh",
            "this node belongs to no mesh yet, and its id differs with the mesh; found one with: peerage invite",
        )
    };
    let mesh = status.mesh.ok_or_else(no_mesh)?;
    let mesh = mesh
        .parse()
        .map_err(|error| Failure::failed("mesh", error))?;
    let node = status.node.parse();
    let id = record_id(mesh, node.map_err(|error| Failure::failed("node", error))?);
    match context.json {
        true => print(&render::json(&json!({"id": id}))?),
        false => print(&format!("{id}\n")),
    }
}

/// Does what the node that started this process asks on standard input.
#[cfg(feature = "firebase")]
pub(super) async fn errand() -> Result<(), Failure> {
    let done = peerage_node::discovery::firebase::run_errand().await;
    done.map_err(|error| Failure::failed("errand", error))
}
