//! `serve` and `unserve`: edit `mcp.json`, then tell the node when one runs.

use std::collections::BTreeMap;

use peerage_node::config::servers_edit::{Added, add_server, remove_server};
use peerage_node::config::servers_error::ServersFileError;
use peerage_node::config::upstream::{UpstreamSettings, UpstreamTransport};
use peerage_node::gateway::frontend::rest::api::ReloadResponse;
use peerage_protocol::id::ServerName;
use serde_json::json;

use super::Context;
use crate::arguments::Serve;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

pub(super) async fn serve(context: &Context, serve: Serve) -> Result<(), Failure> {
    let home = context
        .home
        .prepare()
        .map_err(|error| Failure::failed("home", error))?;
    let settings = UpstreamSettings {
        share: serve.share,
        transport: transport(&serve)?,
    };
    let added = add_server(&home.servers(), &serve.name, &settings).map_err(edit_failed)?;
    let reloaded = reload(context).await?;
    let replaced = added == Added::Replaced;
    match context.json {
        true => print(&render::json(&json!({
            "name": serve.name.as_str(),
            "share": serve.share,
            "replaced": replaced,
            "live": reloaded.is_some(),
            "members": reloaded.map(|reloaded| reloaded.members).unwrap_or_default(),
        }))?),
        false => print(&render::served(
            serve.name.as_str(),
            serve.share,
            replaced,
            reloaded.as_ref(),
        )),
    }
}

pub(super) async fn unserve(context: &Context, name: &ServerName) -> Result<(), Failure> {
    remove_server(&context.home.servers(), name).map_err(edit_failed)?;
    let live = reload(context).await?.is_some();
    match context.json {
        true => print(&render::json(
            &json!({"name": name.as_str(), "live": live}),
        )?),
        false => print(&render::unserved(name.as_str(), live)),
    }
}

fn transport(serve: &Serve) -> Result<UpstreamTransport, Failure> {
    if let Some(url) = &serve.url {
        return Ok(UpstreamTransport::Http {
            url: url.clone(),
            headers: BTreeMap::new(),
        });
    }
    let Some((command, args)) = serve.command.split_first() else {
        return Err(Failure::failed("command", "give the command after --"));
    };
    // Relative paths mean what they mean in the shell where they were typed.
    let folder = std::env::current_dir().map_err(|error| {
        Failure::failed(
            "folder",
            format!("the current folder is gone ({error}); change to another"),
        )
    })?;
    let env = serve
        .env
        .iter()
        .map(|variable| (variable.name.clone(), variable.value.clone()));
    Ok(UpstreamTransport::Stdio {
        command: command.clone(),
        args: args.to_vec(),
        env: env.collect(),
        cwd: Some(folder),
        instance: Default::default(),
    })
}

/// Tells the node; `None` when none runs.
async fn reload(context: &Context) -> Result<Option<ReloadResponse>, Failure> {
    match context.client().post("/v1/reload", &json!({})).await {
        Ok(reloaded) => Ok(Some(reloaded)),
        Err(failure) if failure.is_no_node() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn edit_failed(error: ServersFileError) -> Failure {
    Failure::failed("mcp_json", error)
}
