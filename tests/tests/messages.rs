//! Messages between agents on real nodes: they arrive, once acknowledged they are gone, and no crash loses one.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use peerage_tests::cli;
use peerage_tests::client::{Client, Era, text_of};
use peerage_tests::messages::{
    DELIVERED, crash, ids, inbox, mesh, send, texts, wait_inbox, wait_kept,
};
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_sent_to_an_agent_whose_node_is_off_is_read_when_it_is_back_though_both_are_killed()
{
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = mesh(folder.path(), &["desk", "laptop"]).await;
    let (laptop, desk) = (nodes.pop().unwrap(), nodes.pop().unwrap());
    let coder = Client::connect_agent(&desk, "coder").await;
    let first = send(&coder, "reader@laptop", "one").await;
    let laptop = crash(laptop).await;
    let second = send(&coder, "reader@laptop", "two").await;
    let third = send(&coder, "reader@laptop", "three").await;
    let desk = crash(desk).await.up().await;
    let laptop = laptop.up().await;

    let reader = Client::connect_agent(&laptop, "reader").await;
    let waiting = wait_inbox(&reader, 3).await;
    assert_eq!(texts(&waiting), ["one", "two", "three"]);
    assert_eq!(ids(&waiting), [&first, &second, &third]);
    assert_eq!(waiting[0]["from"], "coder@desk");
    let laptop = crash(laptop).await.up().await;
    let reader = Client::connect_agent(&laptop, "reader").await;
    assert_eq!(inbox(&reader).await, waiting, "under the same ids again");
    let done = reader.ask("message_acknowledge", json!({"ids": [first, second]}));
    assert_eq!(done.await["unknown"], json!([]));
    let laptop = crash(laptop).await.up().await;
    let reader = Client::connect_agent(&laptop, "reader").await;
    assert_eq!(
        ids(&inbox(&reader).await),
        [&third],
        "what was acknowledged is gone"
    );
    drop(desk);
}

#[tokio::test]
async fn who_follows_its_inbox_is_told_of_direct_messages_broadcasts_and_topics() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = mesh(folder.path(), &["desk", "laptop", "server"]).await;
    let coder = Client::connect_agent(&nodes[0], "coder").await;
    let mut reader = Client::connect_agent(&nodes[1], "reader").await;
    let other = Client::connect_agent(&nodes[2], "other").await;
    reader
        .ask("message_subscribe", json!({"topic": "builds"}))
        .await;
    reader.subscribe("peerage://inbox").await;
    send(&coder, "reader@laptop", "to you").await;
    reader.wait_for_update("peerage://inbox", DELIVERED).await;
    coder
        .ask("message_broadcast", json!({"text": "to all"}))
        .await;
    let on_topic = json!({"topic": "builds", "text": "green"});
    let sent = coder.ask("message_broadcast", on_topic).await;
    assert_eq!(
        texts(&wait_inbox(&reader, 3).await),
        ["to you", "to all", "green"]
    );
    assert_eq!(texts(&wait_inbox(&other, 1).await), ["to all"]);
    assert_eq!(
        inbox(&coder).await,
        [] as [Value; 0],
        "one's own words do not come back"
    );

    let read = reader.read("peerage://inbox").await;
    assert_eq!(
        texts(read["messages"].as_array().unwrap()),
        ["to you", "to all", "green"]
    );
    let topic = other.read("peerage://topics/builds").await;
    assert_eq!(topic["messages"][0]["id"], sent["id"]);
    let uri = format!("peerage://messages/{}", sent["id"].as_str().unwrap());
    assert_eq!(other.read(&uri).await["text"], "green");
    let found = reader.ask(
        "message_query",
        json!({"text": "all", "from": "coder@desk"}),
    );
    assert_eq!(
        texts(found.await["messages"].as_array().unwrap()),
        ["to all"]
    );
    let found = other.ask("message_query", json!({"text": "you"})).await;
    assert_eq!(
        found["messages"],
        json!([]),
        "what is direct is for its two ends"
    );
}

#[tokio::test]
async fn who_waits_for_a_message_has_it_as_soon_as_it_comes_and_nothing_when_none_does() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = mesh(folder.path(), &["desk", "laptop"]).await;
    let coder = Client::connect_agent(&nodes[0], "coder").await;
    let reader = Client::connect_agent(&nodes[1], "reader").await;
    let nothing = reader
        .ask("message_wait", json!({"timeout_seconds": 1}))
        .await;
    assert_eq!(nothing["messages"], json!([]));
    let waiting = reader.ask("message_wait", json!({"timeout_seconds": 50}));
    let sending = send(&coder, "reader@laptop", "at last");
    let (came, id) = tokio::join!(waiting, sending);
    assert_eq!(came["messages"][0]["id"], id.as_str());
}

#[tokio::test]
async fn a_mailbox_delivers_for_a_sender_that_is_gone_and_cannot_read_what_it_keeps() {
    const SECRET: &str = "the-plaintext-of-a-direct-message";
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = mesh(folder.path(), &["mailbox", "sender", "recipient"]).await;
    let begun = Instant::now();
    let recipient = nodes.pop().unwrap();
    let coder = Client::connect_agent(&nodes[1], "coder").await;
    send(&coder, "reader@recipient", "first").await;
    // Once it has said that it has this one, nobody keeps it.
    wait_kept(&nodes[1], "recipient", &["sender"], 0).await;
    let recipient = crash(recipient).await;
    let id = send(&coder, "reader@recipient", SECRET).await;
    let sender = nodes.pop().unwrap();
    wait_kept(&nodes[0], "recipient", &["sender"], 1).await;
    println!("the mailbox has it after {:?}", begun.elapsed());
    let _sender = crash(sender).await;
    let recipient = recipient.up().await;
    let reader = Client::connect_agent(&recipient, "reader").await;
    let waiting = wait_inbox(&reader, 2).await;
    println!("the recipient has it after {:?}", begun.elapsed());
    assert_eq!(waiting[1]["id"], id.as_str());
    assert_eq!(waiting[1]["text"], SECRET);
    for file in std::fs::read_dir(nodes[0].home()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes
                .windows(SECRET.len())
                .any(|part| part == SECRET.as_bytes());
            assert!(!found, "{} holds the text", path.display());
        }
    }
    wait_kept(&nodes[0], "recipient", &["sender"], 0).await;
    println!("the mailbox is empty after {:?}", begun.elapsed());
}

#[tokio::test]
async fn the_owner_writes_and_reads_on_the_command_line_in_the_name_of_any_agent() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = mesh(folder.path(), &["desk"]).await;
    let node = &nodes[0];
    let made = node.cli(&["token", "create", "coder", "--json"]).await;
    let token = made.done().json()["token"].as_str().unwrap().to_owned();
    let sent = node.cli(&["send", "coder@desk", "are", "you", "there?", "--json"]);
    let sent = sent.await.done().json();
    let mut as_coder = cli::command(node.home(), &["inbox", "--json"]);
    let inbox = as_coder
        .env("PEERAGE_TOKEN", &token)
        .output()
        .await
        .unwrap();
    let inbox = cli::Said::new(&inbox).done().json();
    assert_eq!(inbox.as_array().unwrap().len(), 1);
    assert_eq!(inbox[0]["id"], sent["id"]);
    assert_eq!(inbox[0]["from"], "owner@desk");
    assert_eq!(inbox[0]["text"], "are you there?");
    let id = sent["id"].as_str().unwrap();
    let answer = [
        "send",
        "owner@desk",
        "yes",
        "--as",
        "coder",
        "--reply-to",
        id,
    ];
    node.cli(&answer).await.done();
    node.cli(&["ack", id, "--as", "coder"]).await.done();
    let again = node.cli(&["ack", "00000000000000000000000000000000"]).await;
    assert_eq!(again.code, 1, "{again:?}");
    let empty = node.cli(&["inbox", "--as", "coder", "--json"]).await.done();
    assert_eq!(empty.json(), json!([]));
    let mine = node.cli(&["inbox", "--json"]).await.done().json();
    assert_eq!(
        (&mine[0]["text"], &mine[0]["reply_to"]),
        (&"yes".into(), &id.into())
    );
    let found = node
        .cli(&["messages", "there", "--json"])
        .await
        .done()
        .json();
    assert_eq!(found[0]["id"], id);
    let unknown = node.cli(&["send", "coder@nowhere", "hello"]).await;
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("nowhere"), "{unknown:?}");
    let wordless = node.cli(&["send", "coder@desk"]).await;
    assert_eq!(wordless.code, 2, "{wordless:?}");
}

#[tokio::test]
async fn a_guest_has_no_inbox_and_is_told_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = mesh(folder.path(), &["desk"]).await;
    let guest = Client::connect(&nodes[0], Era::Modern).await;
    for (tool, arguments) in [
        ("message_wait", json!({})),
        ("message_send", json!({"to": "a@desk", "text": "x"})),
    ] {
        let refused = guest.call(tool, arguments).await.unwrap();
        assert_eq!(refused.is_error, Some(true));
        assert!(text_of(&refused).contains("peerage token create"));
    }
}
