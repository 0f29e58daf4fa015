//! `nodes`, `tools`, `status`: what is there.

use peerage_node::gateway::frontend::rest::api::{NodesResponse, StatusResponse, ToolsResponse};

use super::{Context, now};
use crate::client::encode;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

pub(super) async fn nodes(context: &Context) -> Result<(), Failure> {
    let NodesResponse { nodes } = context.client().get("/v1/nodes").await?;
    match context.json {
        true => print(&render::json(&nodes)?),
        false => print(&render::nodes(&nodes, context.view)),
    }
}

pub(super) async fn tools(context: &Context, query: &str) -> Result<(), Failure> {
    let path = match query {
        "" => "/v1/tools".to_owned(),
        query => format!("/v1/tools?query={}", encode(query)),
    };
    let ToolsResponse { tools } = context.client().get(&path).await?;
    match context.json {
        true => print(&render::json(&tools)?),
        false => print(&render::tools(&tools, query, context.view)),
    }
}

pub(super) async fn status(context: &Context) -> Result<(), Failure> {
    let status: StatusResponse = context.client().get("/v1/status").await?;
    match context.json {
        true => print(&render::json(&status)?),
        false => print(&render::status(&status, now(), context.view)),
    }
}
