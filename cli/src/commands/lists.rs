//! `nodes`, `agents`, `tools`, `status`: what is there.

use peerage_node::gateway::frontend::rest::addresses_api::AddressesResponse;
use peerage_node::gateway::frontend::rest::agents_api::AgentsResponse;
use peerage_node::gateway::frontend::rest::api::{NodesResponse, StatusResponse, ToolsResponse};

use super::{Context, now};
use crate::failure::Failure;
use crate::render;
use crate::socket::encode;

pub(super) async fn nodes(context: &Context) -> Result<String, Failure> {
    let NodesResponse { nodes } = context.client().get("/v1/nodes").await?;
    match context.json {
        true => render::json(&nodes),
        false => Ok(render::nodes(&nodes, now(), context.view)),
    }
}

pub(super) async fn agents(context: &Context) -> Result<String, Failure> {
    let AgentsResponse { agents } = context.client().get("/v1/agents").await?;
    match context.json {
        true => render::json(&agents),
        false => Ok(render::agents(&agents, context.view)),
    }
}

pub(super) async fn addresses(context: &Context) -> Result<String, Failure> {
    let known: AddressesResponse = context.client().get("/v1/addresses").await?;
    match context.json {
        true => render::json(&known),
        false => Ok(render::addresses(&known, now(), context.view)),
    }
}

pub(super) async fn tools(context: &Context, query: &str) -> Result<String, Failure> {
    let path = match query {
        "" => "/v1/tools".to_owned(),
        query => format!("/v1/tools?query={}", encode(query)),
    };
    let ToolsResponse { tools } = context.client().get(&path).await?;
    match context.json {
        true => render::json(&tools),
        false => {
            let starting = tools.is_empty() && query.is_empty() && servers_start(context).await;
            Ok(render::tools(&tools, query, starting, context.view))
        }
    }
}

/// Whether a server of this node is not ready yet. The list was answered, so that failing here would tell less.
async fn servers_start(context: &Context) -> bool {
    let status = context.client().get::<StatusResponse>("/v1/status").await;
    let starts = |status: StatusResponse| {
        let mut servers = status.servers.iter();
        servers.any(|server| server.state == "starting")
    };
    status.is_ok_and(starts)
}

pub(super) async fn status(context: &Context) -> Result<String, Failure> {
    let client = context.client();
    let status: StatusResponse = client.get("/v1/status").await?;
    if context.json {
        return render::json(&status);
    }
    // The page is worth reading without them.
    let members = client.get::<NodesResponse>("/v1/nodes").await;
    let NodesResponse { nodes } = members.unwrap_or_default();
    Ok(render::status(&status, &nodes, now(), context.view))
}
