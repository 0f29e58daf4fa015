//! A member that floods an agent on real nodes: others are read all the same, and nothing that was sent is lost.
#![allow(clippy::unwrap_used)]

use futures::future::join_all;
use peerage_node::store::Store;
use peerage_protocol::messaging::message::TEXT_BYTES_MAX;
use peerage_protocol::messaging::shares::Shares;
use peerage_tests::client::Client;
use peerage_tests::messages::{DELIVERED, crash, inbox, kept, mesh, send};
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::{Value, json};

/// Half as much again as a share holds.
const FLOOD: usize = 500;
/// Senders at a time.
const AT_ONCE: usize = 10;
/// What is on its way when a share is found to be full: two pushes and an answer, and what comes while others are opened.
const ON_ITS_WAY_BYTES: u64 = 4 * 1024 * 1024;

/// Sends texts that begin with their numbers, as long as texts may be.
async fn flood(desk: &Peerage) {
    let senders = (0..AT_ONCE).map(|number| format!("coder-{number}"));
    let senders = senders.map(async |name| Client::connect_agent(desk, &name).await);
    let senders = join_all(senders).await;
    for first in (0..FLOOD).step_by(AT_ONCE) {
        let sends = senders.iter().zip(first..).map(async |(sender, number)| {
            let text = format!("{number:0width$}", width = TEXT_BYTES_MAX);
            send(sender, "reader@laptop", &text).await
        });
        join_all(sends).await;
    }
}

/// What the texts of agents of the node called `from` begin with.
fn numbers(messages: &[Value], from: &str) -> Vec<usize> {
    let node = format!("@{from}");
    let of = messages.iter().filter(|message| {
        let from = message["from"].as_str();
        from.is_some_and(|from| from.ends_with(&node))
    });
    of.filter_map(|message| message["text"].as_str()?.parse().ok())
        .collect()
}

async fn unread_bytes(node: &Peerage) -> u64 {
    let store = Store::open(&node.home().join("peerage.db")).unwrap();
    store
        .unread()
        .await
        .unwrap()
        .values()
        .copied()
        .max()
        .unwrap_or_default()
}

#[tokio::test]
async fn a_flood_of_one_member_stops_at_its_share_while_others_are_read_and_goes_on_when_it_is_drained()
 {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = mesh(folder.path(), &["desk", "laptop", "server"]).await;
    let server = nodes.pop().unwrap();
    let (laptop, desk) = (nodes.pop().unwrap(), nodes.pop().unwrap());
    flood(&desk).await;
    let share = Shares::DEFAULT.most;
    wait_until("the share is full", DELIVERED, async || {
        (unread_bytes(&laptop).await >= share).then_some(())
    })
    .await;

    let other = Client::connect_agent(&server, "other").await;
    for number in 0..3 {
        let urgent = json!({"to": "reader@laptop", "text": number.to_string(), "priority": "high"});
        send(&other, "reader@laptop", "hello").await;
        other.ask("message_send", urgent).await;
    }
    let reader = Client::connect_agent(&laptop, "reader").await;
    wait_until("the others are read", DELIVERED, async || {
        (numbers(&inbox(&reader).await, "server") == [0, 1, 2]).then_some(())
    })
    .await;
    let unread = unread_bytes(&laptop).await;
    assert!(
        unread <= share + ON_ITS_WAY_BYTES,
        "{unread} bytes are unread"
    );
    let at_its_author = kept(&desk, "laptop").await;
    assert!(at_its_author["desk"] > 0, "{at_its_author:?}");

    // Held is what was held, a restart later too.
    let laptop = crash(laptop).await.up().await;
    let reader = Client::connect_agent(&laptop, "reader").await;
    let mut read = Vec::new();
    while read.len() < FLOOD {
        let wait = json!({"timeout_seconds": 20});
        let found = tokio::time::timeout(DELIVERED, reader.ask("message_wait", wait));
        let found = found.await.unwrap();
        let messages = found["messages"].as_array().unwrap();
        let ids: Vec<&Value> = messages.iter().map(|message| &message["id"]).collect();
        assert!(!ids.is_empty(), "{} of {FLOOD} came", read.len());
        read.extend(numbers(messages, "desk"));
        reader.ask("message_acknowledge", json!({"ids": ids})).await;
    }
    read.sort_unstable();
    assert_eq!(read, (0..FLOOD).collect::<Vec<_>>(), "each once");
}
