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
    store.own_messages_of(ME).await.unwrap();
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
    assert_eq!(store.forget_messages(10, 2).await.unwrap(), 0);
    assert_eq!(inbox(&store, "reader").await, [2, 1, 4], "unread they stay");
    let read = vec![MessageId([1; 16]), MessageId([4; 16])];
    let done = store.acknowledge_messages(name("reader"), ME, read).await;
    assert_eq!(done.unwrap().unknown, []);
    let forgotten = store.forget_messages(10, 2).await.unwrap();
    assert_eq!(forgotten, 1, "the oldest goes first");
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
    let unread = async || store.unread().await.unwrap().get(&OTHER).copied();
    assert_eq!(unread().await, Some(2 * (512 + 4)), "it counts as it is");
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
    assert_eq!(unread().await, Some(512 + 3));
    assert_eq!(inbox(&store, "reader").await, [1]);
    assert_eq!(store.last_message_number(OTHER).await.unwrap(), 10);
}

#[tokio::test]
async fn what_comes_after_many_public_messages_is_in_the_inbox_even_where_the_last_ones_are_gone() {
    let (_folder, store) = store();
    assert_eq!(inbox(&store, "reader").await, [0_u8; 0]);
    for number in 1..=3 {
        let id = u8::try_from(number).unwrap();
        broadcast(&store, None, content(id, number, "news")).await;
    }
    let ids = [1, 2, 3].map(|id| MessageId([id; 16])).to_vec();
    store
        .acknowledge_messages(name("reader"), ME, ids)
        .await
        .unwrap();
    let done = |store: &Store| {
        let store = store.clone();
        async move {
            let done = store.run(|connection| {
                let sql = "SELECT done FROM readers WHERE agent = 'reader'";
                Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?)
            });
            done.await.unwrap()
        }
    };
    assert_eq!(done(&store).await, 3);
    let forget = store.run(|connection| {
        connection.execute("DELETE FROM messages WHERE place > 1", [])?;
        Ok(())
    });
    forget.await.unwrap();
    assert_eq!(done(&store).await, 1);
    broadcast(&store, None, content(4, 40, "more")).await;
    assert_eq!(inbox(&store, "reader").await, [4]);
}

#[tokio::test]
async fn what_is_public_and_for_others_is_passed_once_and_what_waits_is_never_passed() {
    let (_folder, store) = store();
    assert_eq!(inbox(&store, "reader").await, [0_u8; 0]);
    for number in 0..300 {
        let mut other = content(0, number, "not for it");
        other.id = MessageId([[9; 8], number.to_be_bytes()].concat().try_into().unwrap());
        broadcast(&store, Some("elsewhere"), other).await;
    }
    assert_eq!(inbox(&store, "reader").await, [0_u8; 0]);
    broadcast(&store, None, content(1, 1_000, "for all")).await;
    broadcast(&store, None, content(2, 1_001, "for all")).await;
    let second = vec![MessageId([2; 16])];
    store
        .acknowledge_messages(name("reader"), ME, second)
        .await
        .unwrap();
    assert_eq!(inbox(&store, "reader").await, [1]);
}

#[tokio::test]
async fn unread_bytes_are_counted_by_sender_until_they_are_acknowledged_or_forgotten() {
    let (_folder, store) = store();
    store.own_messages_of(ME).await.unwrap();
    let mut short = content(3, 30, "short lived");
    (short.sent, short.lifetime) = (Timestamp(1), 1);
    for one in [
        content(1, 10, "x"),
        content(2, 20, "xy"),
        content(1, 10, "x"),
        short,
    ] {
        direct(&store, one).await;
    }
    broadcast(&store, None, content(4, 40, "not counted")).await;
    let unread = async || store.unread().await.unwrap().get(&OTHER).copied();
    assert_eq!(unread().await, Some(3 * 512 + 3 + 11));
    store.own_messages_of(ME).await.unwrap();
    assert_eq!(unread().await, Some(3 * 512 + 3 + 11), "counted anew");
    let first = || vec![MessageId([1; 16])];
    store
        .acknowledge_messages(name("reader"), ME, first())
        .await
        .unwrap();
    store
        .acknowledge_messages(name("reader"), ME, first())
        .await
        .unwrap();
    assert_eq!(unread().await, Some(2 * 512 + 2 + 11));
    store.forget_messages(10, 100).await.unwrap();
    assert_eq!(unread().await, Some(512 + 2));
    store.forget_messages(10, 0).await.unwrap();
    assert_eq!(inbox(&store, "reader").await, [2], "unread is not too old");
    let second = vec![MessageId([2; 16])];
    store
        .acknowledge_messages(name("reader"), ME, second)
        .await
        .unwrap();
    assert_eq!(unread().await, None);
    store.forget_messages(10, 0).await.unwrap();
    assert_eq!(store.last_message_number(OTHER).await.unwrap(), 0);
}

#[tokio::test]
async fn the_senders_copy_is_written_with_its_entry_and_only_while_its_sender_waits() {
    let (_folder, store) = store();
    let message = |id, number| DirectMessage {
        to: name("reader"),
        content: content(id, number, "sealed elsewhere"),
    };
    let write = |number: u64| {
        let sent = store.sent.clone();
        store.run(move |connection| sent.keep(connection, ME, number))
    };
    let waits = store.keep_with_entry(ME, message(1, 10), OTHER);
    write(10).await.unwrap();
    drop(waits);
    drop(store.keep_with_entry(ME, message(2, 20), OTHER));
    write(20).await.unwrap();
    assert_eq!(store.last_message_number(ME).await.unwrap(), 10);
}
