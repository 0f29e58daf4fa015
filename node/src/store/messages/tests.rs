#![allow(clippy::unwrap_used)]

use super::*;

const ME: NodeId = NodeId::from_public_key([1; 32]);
const OTHER: NodeId = NodeId::from_public_key([2; 32]);

fn now() -> u64 {
    crate::control::wall().0
}

fn name(text: &str) -> AgentName {
    text.parse().unwrap()
}

fn content(id: u8, number: u64, text: &str) -> Content {
    Content {
        id: MessageId([id; 16]),
        from: name("coder"),
        number,
        sent: Timestamp(now()),
        lifetime: 60,
        priority: Priority::Normal,
        reply_to: None,
        text: text.to_owned(),
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("peerage.db")).unwrap();
    (folder, store)
}

async fn direct(store: &Store, content: Content) {
    let message = DirectMessage {
        to: name("reader"),
        content,
    };
    store.keep_message(OTHER, message, ME).await.unwrap();
}

async fn broadcast(store: &Store, topic: Option<&str>, content: Content) {
    let audience = match topic {
        Some(topic) => Audience::Topic(topic.parse().unwrap()),
        None => Audience::Everyone,
    };
    let message = PublicMessage { audience, content };
    store.keep_public_message(OTHER, message).await.unwrap();
}

async fn inbox(store: &Store, agent: &str) -> Vec<u8> {
    let found = store.inbox(name(agent), ME, 100).await.unwrap();
    found.iter().map(|one| one.content.id.0[0]).collect()
}

#[tokio::test]
async fn an_inbox_holds_a_message_once_in_the_senders_order_until_it_is_acknowledged() {
    let (_folder, store) = store();
    direct(&store, content(2, 20, "two")).await;
    direct(&store, content(1, 10, "one")).await;
    direct(&store, content(1, 10, "one again")).await;
    assert_eq!(inbox(&store, "reader").await, [1, 2]);
    assert_eq!(inbox(&store, "another").await, [0_u8; 0]);
    let ids = vec![MessageId([1; 16]), MessageId([9; 16])];
    let outcome = store.acknowledge_messages(name("reader"), ME, ids).await;
    let expected = Acknowledged {
        done: vec![MessageId([1; 16])],
        unknown: vec![MessageId([9; 16])],
    };
    assert_eq!(outcome.unwrap(), expected);
    assert_eq!(inbox(&store, "reader").await, [2]);
    direct(&store, content(1, 10, "one once more")).await;
    assert_eq!(inbox(&store, "reader").await, [2]);
}

#[tokio::test]
async fn the_urgent_comes_first_and_what_has_expired_not_at_all() {
    let (_folder, store) = store();
    direct(&store, content(1, 10, "one")).await;
    let urgent = Content {
        priority: Priority::High,
        ..content(2, 20, "two")
    };
    direct(&store, urgent).await;
    let expired = Content {
        sent: Timestamp(now() - 61_000),
        ..content(3, 30, "three")
    };
    direct(&store, expired).await;
    assert_eq!(inbox(&store, "reader").await, [2, 1]);
    assert_eq!(store.forget_messages(10, 2).await.unwrap(), 1);
    direct(&store, content(4, 40, "four")).await;
    assert_eq!(store.forget_messages(10, 2).await.unwrap(), 1);
    assert_eq!(
        inbox(&store, "reader").await,
        [2, 4],
        "the oldest goes first"
    );
}

#[tokio::test]
async fn public_messages_are_for_those_who_had_an_inbox_and_topics_for_those_who_follow() {
    let (_folder, store) = store();
    for agent in ["reader", "follower"] {
        store.open_inbox(name(agent)).await.unwrap();
    }
    let topic: Topic = "builds".parse().unwrap();
    let followed = store.follow_topic(name("follower"), topic.clone(), true, 9);
    assert_eq!(followed.await.unwrap(), std::slice::from_ref(&topic));
    broadcast(&store, None, content(1, 10, "all")).await;
    broadcast(&store, Some("builds"), content(2, 20, "builds")).await;
    assert_eq!(inbox(&store, "reader").await, [1]);
    assert_eq!(inbox(&store, "follower").await, [1, 2]);
    let done = vec![MessageId([1; 16])];
    store
        .acknowledge_messages(name("reader"), ME, done)
        .await
        .unwrap();
    assert_eq!(inbox(&store, "reader").await, [0_u8; 0]);
    assert_eq!(inbox(&store, "follower").await, [1, 2]);
    let left = store.follow_topic(name("follower"), topic, false, 9).await;
    assert_eq!(left.unwrap(), []);
    assert_eq!(inbox(&store, "follower").await, [1]);
}

#[tokio::test]
async fn a_search_finds_words_senders_topics_and_times_and_nothing_of_others() {
    let (_folder, store) = store();
    direct(&store, content(1, 10, "the tests are green")).await;
    broadcast(&store, Some("builds"), content(2, 20, "the build is green")).await;
    let find = async |agent: &str, query: MessageQuery| {
        let query = MessageQuery { limit: 10, ..query };
        let found = store.find_messages(name(agent), ME, query).await.unwrap();
        found
            .iter()
            .map(|one| one.content.id.0[0])
            .collect::<Vec<_>>()
    };
    let words = |text: &str| MessageQuery {
        text: Some(text.to_owned()),
        ..MessageQuery::default()
    };
    assert_eq!(find("reader", words("green")).await, [2, 1]);
    assert_eq!(find("reader", words("green tests")).await, [1]);
    assert_eq!(find("stranger", words("green")).await, [2]);
    assert_eq!(find("reader", words("\"OR ) *")).await, [0_u8; 0]);
    let of_topic = MessageQuery {
        topic: Some("builds".parse().unwrap()),
        ..MessageQuery::default()
    };
    assert_eq!(find("reader", of_topic).await, [2]);
    let of_sender = MessageQuery {
        sender: Some(name("nobody")),
        ..MessageQuery::default()
    };
    assert_eq!(find("reader", of_sender).await, [0_u8; 0]);
    let later = MessageQuery {
        since: Some(Timestamp(now() + 60_000)),
        ..MessageQuery::default()
    };
    assert_eq!(find("reader", later).await, [0_u8; 0]);
}

#[tokio::test]
async fn what_was_sealed_waits_until_it_is_opened_and_is_in_the_inbox_then() {
    let (_folder, store) = store();
    store.own_messages_of(ME).await.unwrap();
    let queue = |recipient| {
        store.run(move |connection| {
            let transaction = connection.transaction()?;
            sealed::insert(&transaction, OTHER, recipient, b"item")?;
            Ok(transaction.commit()?)
        })
    };
    queue(OTHER).await.unwrap();
    queue(ME).await.unwrap();
    queue(ME).await.unwrap();
    let waiting = store.sealed_messages(10).await.unwrap();
    assert_eq!(waiting.len(), 2, "a mailbox queues nothing");
    let message = DirectMessage {
        to: name("reader"),
        content: content(1, 10, "one"),
    };
    let opened = [Some(message), None];
    let opened = waiting
        .iter()
        .zip(opened)
        .map(|(one, message)| OpenedMessage {
            place: one.place,
            author: one.author,
            message,
        });
    let opened = opened.collect();
    store.take_opened_messages(ME, opened).await.unwrap();
    assert_eq!(store.sealed_messages(10).await.unwrap(), []);
    assert_eq!(inbox(&store, "reader").await, [1]);
    assert_eq!(store.last_message_number(OTHER).await.unwrap(), 10);
}
