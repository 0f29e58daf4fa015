//! Agents that write to each other through real nodes, and nodes that come back where they were.

use std::collections::BTreeMap;
use std::time::Duration;

use peerage_node::store::Store;
use peerage_protocol::log::Lane;
use peerage_protocol::messaging::DirectItem;
use serde_json::{Value, json};

use crate::client::Client;
use crate::mesh::{join, named};
use crate::node::Peerage;
use crate::wait::wait_until;

/// Longer than a message needs on a busy machine, its node's return included.
pub const DELIVERED: Duration = Duration::from_secs(100);

/// A mesh of nodes with these names, the first of which founded it, each linked with the first.
pub async fn mesh(folder: &std::path::Path, names: &[&str]) -> Vec<Peerage> {
    let mut nodes: Vec<Peerage> = Vec::new();
    for name in names {
        let node = named(folder, name).await;
        if let Some(founder) = nodes.first() {
            join(founder, &node).await;
        }
        nodes.push(node);
    }
    nodes
}

/// Kills a node with SIGKILL; what is needed to start it again where it was.
pub async fn crash(node: Peerage) -> Off {
    let off = Off {
        home: node.home().to_path_buf(),
        listen: node.ready().listen.clone(),
    };
    node.kill().await;
    off
}

/// A node that does not run.
pub struct Off {
    home: std::path::PathBuf,
    listen: Vec<String>,
}

impl Off {
    /// Its folder.
    pub fn home(&self) -> &std::path::Path {
        &self.home
    }

    /// Starts it again, at the addresses it had.
    pub async fn up(self) -> Peerage {
        Peerage::up_at(&self.home, &self.listen, &[]).await
    }
}

/// Sends once the recipient's node is known well enough; gives the id.
pub async fn send(from: &Client, to: &str, text: &str) -> String {
    wait_until(
        &format!("a message to {to} is taken"),
        DELIVERED,
        async || {
            let arguments = json!({"to": to, "text": text});
            let sent = from.call("message_send", arguments).await.ok()?;
            let sent = sent
                .structured_content
                .filter(|_| sent.is_error != Some(true))?;
            Some(sent["id"].as_str()?.to_owned())
        },
    )
    .await
}

/// What waits for an agent now.
pub async fn inbox(agent: &Client) -> Vec<Value> {
    let found = agent
        .ask("message_wait", json!({"timeout_seconds": 0}))
        .await;
    let found = found["messages"].as_array().cloned();
    found.expect("an inbox is a list")
}

/// Waits until so many messages wait for an agent.
pub async fn wait_inbox(agent: &Client, count: usize) -> Vec<Value> {
    wait_until(&format!("{count} messages wait"), DELIVERED, async || {
        let waiting = inbox(agent).await;
        (waiting.len() == count).then_some(waiting)
    })
    .await
}

/// The texts of messages, in their order.
pub fn texts(messages: &[Value]) -> Vec<&str> {
    field(messages, "text")
}

/// The ids of messages, in their order.
pub fn ids(messages: &[Value]) -> Vec<&str> {
    field(messages, "id")
}

fn field<'a>(messages: &'a [Value], name: &str) -> Vec<&'a str> {
    let each = messages.iter().map(|message| message[name].as_str());
    each.map(|text| text.expect("a message has it")).collect()
}

/// Waits until `holder` keeps so many messages of each of these nodes for the one called `recipient`.
pub async fn wait_kept(holder: &Peerage, recipient: &str, authors: &[&str], count: usize) {
    let what = format!("{count} messages of {authors:?} for {recipient} are kept");
    wait_until(&what, DELIVERED, async || {
        let kept = kept(holder, recipient).await;
        let of = |author: &&str| kept.get(*author).copied().unwrap_or_default() == count;
        authors.iter().all(of).then_some(())
    })
    .await;
}

/// How many messages others wrote for the node called `recipient`, by the names of their nodes, that this one keeps.
pub async fn kept(holder: &Peerage, recipient: &str) -> BTreeMap<String, usize> {
    let nodes = holder.cli(&["nodes", "--json"]).await.done().json();
    let nodes = nodes.as_array().expect("a list is one JSON array").iter();
    let text = |node: &Value, name: &str| node[name].as_str().map(str::to_owned);
    let names: BTreeMap<String, String> = nodes
        .filter_map(|node| Some((text(node, "node")?, text(node, "name")?)))
        .collect();
    let store = Store::open(&holder.home().join("peerage.db")).expect("a database");
    let (mut after, mut kept) = (None, BTreeMap::new());
    loop {
        let page = store.log_page(after, 1_000).await.expect("entries");
        let Some((chain, last)) = page.last() else {
            return kept;
        };
        after = Some((*chain, last.sequence));
        for (_, entry) in page {
            let Lane::Direct(to) = entry.chain.lane else {
                continue;
            };
            let author = entry.chain.author.to_string();
            if names.get(&to.to_string()).map(String::as_str) != Some(recipient) {
                continue;
            }
            let items = entry.sealed.open_unsigned().expect("an entry").items();
            let sealed = |item: &&bytes::Bytes| {
                matches!(DirectItem::decode(item), Ok(DirectItem::Sealed(_)))
            };
            let author = names.get(&author).cloned().unwrap_or(author);
            *kept.entry(author).or_default() += items.iter().filter(sealed).count();
        }
    }
}
