//! `import`: takes over the servers that other clients have; shown first.

use std::collections::BTreeSet;

use peerage_node::config::environment::Environment;
use peerage_node::config::expand::expand;
use peerage_node::config::servers_edit::add_server;
use peerage_node::config::upstream::{UpstreamSettings, UpstreamTransport};
use peerage_node::gateway::frontend::rest::api::ReloadResponse;
use peerage_protocol::id::ServerName;
use serde_json::{Value, json};

use super::Context;
use super::connect::file;
use crate::arguments::{Import, KnownClient};
use crate::clients::{Found, servers_of};
use crate::failure::Failure;
use crate::render::{self, Imported};
use crate::terminal::print;

pub(super) async fn import(
    context: &Context,
    import: &Import,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let home = match import.write {
        true => context.home.prepare()?,
        false => context.home.clone(),
    };
    let mut taken = names_in(&home.servers());
    let mut all = Vec::new();
    for (client, found) in found(import, environment)? {
        let row = match &found.server {
            Err(why) => Imported::left_out(client, &found.name, why),
            Ok((name, _)) if taken.contains(name) => {
                Imported::left_out(client, &found.name, &format!("{name} is here already"))
            }
            Ok((name, settings)) => {
                // One variable that is not set would make the node refuse the whole file.
                if let Some(why) = unset_variable(settings, environment) {
                    all.push(Imported::left_out(client, &found.name, &why));
                    continue;
                }
                taken.insert(name.clone());
                if import.write {
                    let added = add_server(&home.servers(), name, settings);
                    added.map_err(|error| Failure::failed("mcp_json", error))?;
                }
                Imported::taken(client, &found.name, name, settings)
            }
        };
        all.push(row);
    }
    let live = match import.write {
        true => reload(context).await?,
        false => false,
    };
    match context.json {
        true => print(&render::json(&all)?),
        false => print(&render::imported(&all, import.write, live, context.view)),
    }
}

fn found(
    import: &Import,
    environment: &dyn Environment,
) -> Result<Vec<(KnownClient, Found)>, Failure> {
    let clients = match import.client {
        Some(client) => vec![client],
        None => KnownClient::ALL.to_vec(),
    };
    let mut all = Vec::new();
    for client in clients {
        let path = match file(client, import.project, environment) {
            // Of all clients, those without one are passed over.
            Err(_) if import.client.is_none() => continue,
            path => path?,
        };
        match servers_of(&path, client.format()) {
            Ok(servers) => all.extend(servers.into_iter().map(|found| (client, found))),
            // One broken file says nothing about the others.
            Err(error) if import.client.is_none() => tracing::warn!("{error}"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// Why the node could not read the server: a variable that is not set here.
fn unset_variable(settings: &UpstreamSettings, environment: &dyn Environment) -> Option<String> {
    let texts: Vec<&String> = match &settings.transport {
        UpstreamTransport::Stdio {
            command, args, env, ..
        } => std::iter::once(command)
            .chain(args)
            .chain(env.values())
            .collect(),
        UpstreamTransport::Http { url, headers } => {
            std::iter::once(url).chain(headers.values()).collect()
        }
    };
    let unset = texts
        .into_iter()
        .find_map(|text| expand(text, environment).err());
    unset.map(|unset| format!("{unset}, and import it again"))
}

/// The names that are taken. A file that is not understood is refused when it is written to.
fn names_in(servers: &std::path::Path) -> BTreeSet<ServerName> {
    let text = std::fs::read_to_string(servers).unwrap_or_default();
    let root: Value = serde_json::from_str(&text).unwrap_or_default();
    let members = root["mcpServers"].as_object();
    let names = members.into_iter().flat_map(|members| members.keys());
    names.filter_map(|name| name.parse().ok()).collect()
}

/// Tells the node; false when none runs.
async fn reload(context: &Context) -> Result<bool, Failure> {
    let reloaded: Result<ReloadResponse, Failure> =
        context.client().post("/v1/reload", &json!({})).await;
    match reloaded {
        Ok(_) => Ok(true),
        Err(failure) if failure.is_no_node() => Ok(false),
        Err(failure) => Err(failure),
    }
}
