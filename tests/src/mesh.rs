//! Small meshes: founded, joined and connected the way two people would do it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::node::Peerage;
use crate::wait::wait_until;

/// Longer than a new member needs to be known on a busy machine.
const SETTLE: Duration = Duration::from_secs(30);

/// Starts a node that goes by `name`, with its home in `folder`.
pub async fn named(folder: &Path, name: &str) -> Peerage {
    Peerage::up(&folder.join(name), &["--name", name]).await
}

/// Makes a ticket at `host`.
pub async fn ticket(host: &Peerage) -> String {
    let invited = host.cli(&["invite", "--json"]).await.done().json();
    invited["ticket"]
        .as_str()
        .expect("a ticket is text")
        .to_owned()
}

/// Lets `guest` into the mesh of `host`, and waits until each sees the other connected.
pub async fn join(host: &Peerage, guest: &Peerage) {
    let ticket = ticket(host).await;
    guest.cli(&["join", &ticket]).await.done();
    wait_connected(host, &guest.ready().node).await;
    wait_connected(guest, &host.ready().node).await;
}

/// Three members, each connected to both others: a founder that let in a desk and a laptop.
pub async fn three(folder: &Path) -> [Peerage; 3] {
    let founder = named(folder, "founder").await;
    let desk = named(folder, "desk").await;
    let laptop = named(folder, "laptop").await;
    join(&founder, &desk).await;
    join(&founder, &laptop).await;
    wait_connected(&desk, &laptop.ready().node).await;
    [founder, desk, laptop]
}

/// Waits until `node` says that the node with this id is connected.
pub async fn wait_connected(node: &Peerage, other: &str) {
    wait_until(&format!("{other} connected"), SETTLE, async || {
        let nodes = node.cli(&["nodes", "--json"]).await.done().json();
        let connected = |entry: &&Value| entry["node"] == other && entry["state"] == "connected";
        nodes.as_array()?.iter().find(connected).map(|_| ())
    })
    .await;
}

/// The names of the tools that the command line lists at `node`.
pub async fn tool_names(node: &Peerage) -> Vec<String> {
    let tools = node.cli(&["tools", "--json"]).await.done().json();
    let tools = tools.as_array().expect("a list is one JSON array");
    let name = |tool: &Value| tool["name"].as_str().expect("a tool has a name").to_owned();
    tools.iter().map(name).collect()
}

/// Waits until `node` lists a tool whose name ends like this, and gives its name.
pub async fn wait_tool(node: &Peerage, ending: &str) -> String {
    wait_until(
        &format!("a tool …{ending} is listed"),
        SETTLE,
        async || {
            let names = tool_names(node).await;
            names.into_iter().find(|name| name.ends_with(ending))
        },
    )
    .await
}
