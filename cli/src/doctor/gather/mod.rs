//! Looks at everything once, and changes nothing.

mod configuration;
mod endpoint;
mod files;
mod identity;
mod knock;
mod occupant;
mod ports;

use std::time::Duration;

use peerage_node::config::environment::Environment;
use peerage_node::gateway::frontend::rest::api::NodesResponse;
use peerage_node::home::Home;
use peerage_protocol::time::Timestamp;

use super::evidence::{Answer, Evidence, Whose};
use crate::socket::Client;

/// How long the node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that can be seen from here, at this moment.
pub async fn gather(home: &Home, now: Timestamp, environment: &dyn Environment) -> Evidence {
    let node = ask(home).await;
    let holder = home.holder().ok().flatten();
    let settings = configuration::settings(home);
    let servers = configuration::servers(home, environment);
    let bootstrap = configuration::bootstrap(home, &settings.file);
    let kept = identity::database(home);
    let list_bytes = match &node {
        Answer::Said(status, _) => {
            endpoint::list_bytes(status.http.first().map(String::as_str)).await
        }
        _ => None,
    };
    // A node that runs has its ports.
    let taken_ports = match (&node, &holder) {
        (Answer::NoNode, None) => ports::taken(&settings.file),
        _ => Vec::new(),
    };
    let mut doors = bootstrap.addresses;
    doors.extend(addresses_of_unlinked(&node, &kept));
    let knocks = knock::at_all(doors).await;
    Evidence {
        now,
        user: rustix::process::geteuid().as_raw(),
        version: env!("CARGO_PKG_VERSION"),
        home: home.root().to_path_buf(),
        folder: files::facts(home.root()),
        files: files::within(home.root()),
        program: std::env::current_exe()
            .ok()
            .and_then(|path| files::facts(&path)),
        holder,
        node,
        identity: identity::key(&home.identity_key()),
        root: identity::key(&home.root_key()),
        database: kept.facts,
        settings: settings.reading,
        unknown_settings: settings.unknown,
        servers: servers.reading,
        unset_variables: servers.unset,
        missing_commands: servers.missing_commands,
        bootstrap: bootstrap.reading,
        bad_bootstrap_entries: bootstrap.bad_entries,
        taken_ports,
        knocks,
        list_bytes,
        disk: files::disk(home.root()),
        twins: identity::twins(home),
    }
}

async fn ask(home: &Home) -> Answer {
    let client = Client::new(home.clone()).patient_for(PATIENCE);
    let status = match client.get("/v1/status").await {
        Ok(status) => status,
        Err(failure) if failure.is_no_node() => return Answer::NoNode,
        Err(failure) => return Answer::Silent(failure.to_string()),
    };
    match client.get::<NodesResponse>("/v1/nodes").await {
        Ok(NodesResponse { nodes }) => Answer::Said(Box::new(status), nodes),
        Err(failure) => Answer::Silent(failure.to_string()),
    }
}

/// Where the members may be found with whom no link stands.
fn addresses_of_unlinked(node: &Answer, kept: &identity::Kept) -> Vec<(Whose, String)> {
    let Answer::Said(_, nodes) = node else {
        return Vec::new();
    };
    let unlinked = nodes
        .iter()
        .filter(|node| !matches!(node.state.as_str(), "self" | "connected"));
    unlinked
        .flat_map(|node| {
            let addresses = kept.addresses.get(&node.node).into_iter().flatten();
            addresses.map(|address| (Whose::Member(node.name.clone()), address.clone()))
        })
        .collect()
}
