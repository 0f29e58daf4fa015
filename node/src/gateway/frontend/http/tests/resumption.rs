//! Legacy streams that are lost and taken up again.

use http::StatusCode;
use serde_json::json;

use super::super::replay::KEPT_BYTES_MAX;
use super::double::{Client, Events, bare, call};

async fn resume(client: &Client, session: &str, after: &str) -> Result<Events, StatusCode> {
    let headers = [("mcp-session-id", session), ("last-event-id", after)];
    let response = client.send(bare("GET", &headers)).await;
    match response.status() {
        StatusCode::OK => Ok(Events::of(response)),
        refused => Err(refused),
    }
}

/// What `session` is answered to a call of `tool`, which becomes a stream.
async fn stream_of(client: &Client, session: &str, id: u32, tool: &str) -> Events {
    Events::of(
        client
            .post(&[("mcp-session-id", session)], &call(id, tool))
            .await,
    )
}

#[tokio::test]
async fn a_lost_stream_is_taken_up_after_any_of_its_events() {
    let client = Client::new();
    let session = client.initialize("2025-11-25").await;
    let mut events = stream_of(&client, &session, 1, "progress").await;
    let mut ids = vec![events.primed().await];
    while events.next().await.is_some() {
        ids.push(events.last_id.clone().unwrap());
    }
    assert_eq!(ids.len(), 5);
    for (missed_from, id) in ids.iter().enumerate() {
        let mut resumed = resume(&client, &session, id).await.unwrap();
        for step in missed_from + 1..=3 {
            assert_eq!(resumed.next().await.unwrap()["params"]["progress"], step);
        }
        if missed_from < 4 {
            assert_eq!(resumed.next().await.unwrap()["id"], 1);
            assert_eq!(resumed.last_id, Some(ids[4].clone()));
        }
        assert_eq!(resumed.next().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_long_in_coming_can_be_taken_up_before_it_has_said_anything() {
    let client = Client::new();
    let session = client.initialize("2025-11-25").await;
    let mut events = stream_of(&client, &session, 1, "waits").await;
    let id = events.primed().await;
    drop(events);
    let mut resumed = resume(&client, &session, &id).await.unwrap();
    client.double.finish.notify_one();
    assert_eq!(resumed.next().await.unwrap()["id"], 1);
    assert_eq!(resumed.next().await, None);
    // And once more, when it is long over.
    let mut again = resume(&client, &session, &id).await.unwrap();
    assert_eq!(again.next().await.unwrap()["id"], 1);
    assert_eq!(again.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn who_takes_a_stream_up_ends_the_one_before_even_if_that_does_not_read() {
    let client = Client::new();
    let session = client.initialize("2025-11-25").await;
    let mut first = stream_of(&client, &session, 1, "chatters").await;
    let id = first.primed().await;
    let mut second = resume(&client, &session, &id).await.unwrap();
    for step in 1..=100 {
        assert_eq!(second.next().await.unwrap()["params"]["progress"], step);
    }
    assert_eq!(second.next().await.unwrap()["id"], 1);
    while first.next().await.is_some() {}
}

#[tokio::test]
async fn ids_of_other_sessions_unknown_ones_and_what_is_not_kept_are_refused() {
    let client = Client::new();
    let session = client.initialize("2025-11-25").await;
    let mut events = stream_of(&client, &session, 1, "progress").await;
    let id = events.primed().await;
    let other = client.initialize("2025-11-25").await;
    assert_eq!(
        resume(&client, &other, &id).await.err(),
        Some(StatusCode::GONE)
    );
    for unknown in ["1-9", "2-0", "1", "x-1", "", "1-18446744073709551615"] {
        let refused = resume(&client, &session, unknown).await.err();
        assert_eq!(refused, Some(StatusCode::GONE), "{unknown:?}");
    }
    for number in 2..70 {
        let mut events = stream_of(&client, &session, number, "progress").await;
        while events.next().await.is_some() {}
    }
    assert_eq!(
        resume(&client, &session, &id).await.err(),
        Some(StatusCode::GONE)
    );
}

#[tokio::test]
async fn the_kept_events_of_all_sessions_are_bounded_and_come_free_with_their_sessions() {
    let client = Client::new();
    let session = client.initialize("2025-11-25").await;
    let mut kept = Vec::new();
    for number in 1..20 {
        let mut events = stream_of(&client, &session, number, "large").await;
        let id = events.primed().await;
        while events.next().await.is_some() {}
        kept.push(resume(&client, &session, &id).await.is_ok());
    }
    let fit = KEPT_BYTES_MAX / (8 * 1024 * 1024) - 1;
    assert_eq!(kept.iter().filter(|kept| **kept).count(), fit);
    assert!(kept[..fit].iter().all(|kept| *kept), "{kept:?}");
    client
        .send(bare("DELETE", &[("mcp-session-id", &session)]))
        .await;

    let session = client.initialize("2025-11-25").await;
    let mut events = stream_of(&client, &session, 1, "large").await;
    let id = events.primed().await;
    while events.next().await.is_some() {}
    assert!(resume(&client, &session, &id).await.is_ok());
}

#[tokio::test]
async fn earlier_versions_are_spared_the_event_without_data() {
    let client = Client::new();
    let session = client.initialize("2025-06-18").await;
    let mut events = stream_of(&client, &session, 1, "progress").await;
    let first = events.frame().await.unwrap();
    assert!(
        first.starts_with(b"id: 1-1\nevent: message\ndata: {"),
        "{first:?}"
    );
}

#[tokio::test]
async fn a_session_stream_taken_up_again_begins_with_what_may_have_been_missed() {
    let client = Client::new();
    let session = client.initialize("2025-11-25").await;
    let headers = [("mcp-session-id", session.as_str())];
    let mut events = Events::of(client.send(bare("GET", &headers)).await);
    client
        .double
        .lists
        .send_modify(|versions| versions.tools += 1);
    let expected = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    assert_eq!(events.next().await, Some(expected.clone()));
    let id = events.last_id.take().unwrap();
    drop(events);
    let mut resumed = resume(&client, &session, &id).await.unwrap();
    assert_eq!(resumed.next().await, Some(expected));
}
