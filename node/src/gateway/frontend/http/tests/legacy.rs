//! The legacy era: sessions that own their calls.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::{SESSION_IDLE_MAX, SESSIONS_MAX};
use super::double::{Client, Events, bare, call, json_body};

fn cancelled(id: u32) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
}

async fn ping(client: &Client, session: &str) -> StatusCode {
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    client
        .post(&[("mcp-session-id", session)], &ping)
        .await
        .status()
}

#[tokio::test]
async fn a_session_lists_and_calls() {
    let client = Client::new();
    let id = client.initialize("2025-06-18").await;
    let headers = [
        ("mcp-session-id", id.as_str()),
        ("mcp-protocol-version", "2025-06-18"),
    ];
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let seen = json_body(client.post(&headers, &list).await).await;
    assert_eq!(
        seen,
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": []}})
    );
    let seen = json_body(client.post(&headers, &call(2, "simple")).await).await;
    assert_eq!(
        seen["result"],
        json!({"content": [{"type": "text", "text": "done"}]})
    );
    let response = client.post(&headers, &call(3, "no-such")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(json_body(response).await["error"]["code"], -32602);
}

#[tokio::test]
async fn progress_comes_before_the_result_on_a_stream() {
    let client = Client::new();
    let id = client.initialize("2025-11-25").await;
    let headers = [("mcp-session-id", id.as_str())];
    let mut events = Events::of(client.post(&headers, &call(7, "progress")).await);
    for step in 1..=3 {
        assert_eq!(events.next().await.unwrap()["params"]["progress"], step);
    }
    assert_eq!(events.next().await.unwrap()["id"], 7);
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_call_goes_on_without_its_response_and_frees_its_id_when_done() {
    let client = Client::new();
    let id = client.initialize("2025-11-25").await;
    let headers = [("mcp-session-id", id.as_str())];
    let request = call(1, "waits");
    tokio::select! {
        biased;
        _ = client.post(&headers, &request) => panic!("it waits"),
        () = client.double.until_in_flight(1) => {}
    }
    let refused = json_body(client.post(&headers, &call(1, "simple")).await).await;
    assert_eq!(refused["error"]["code"], -32600);
    client.double.finish.notify_one();
    client.double.until_in_flight(0).await;
}

#[tokio::test]
async fn a_cancelled_call_is_stopped_and_leaves_an_empty_stream() {
    let client = Client::new();
    let id = client.initialize("2025-11-25").await;
    let headers = [("mcp-session-id", id.as_str())];
    let request = call(1, "hangs");
    let cancel = async {
        client.double.until_in_flight(1).await;
        let response = client.post(&headers, &cancelled(1)).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
    };
    let (response, ()) = tokio::join!(client.post(&headers, &request), cancel);
    assert_eq!(Events::of(response).next().await, None);
    client.double.until_in_flight(0).await;
}

#[tokio::test]
async fn the_end_of_a_session_stops_its_calls_and_streams() {
    let client = Client::new();
    let id = client.initialize("2025-11-25").await;
    let headers = [("mcp-session-id", id.as_str())];
    let mut stream = Events::of(client.send(bare("GET", &headers)).await);
    let request = call(1, "hangs");
    let delete = async {
        client.double.until_in_flight(1).await;
        client.send(bare("DELETE", &headers)).await.status()
    };
    let (_, deleted) = tokio::join!(client.post(&headers, &request), delete);
    assert_eq!(deleted, StatusCode::NO_CONTENT);
    client.double.until_in_flight(0).await;
    assert_eq!(stream.next().await, None);
    assert_eq!(ping(&client, &id).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_stream_of_a_session_tells_of_changed_tools_and_is_only_one() {
    let client = Client::new();
    let id = client.initialize("2025-11-25").await;
    let headers = [("mcp-session-id", id.as_str())];
    let mut first = Events::of(client.send(bare("GET", &headers)).await);
    client
        .double
        .lists
        .send_modify(|versions| versions.tools += 1);
    let expected = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    assert_eq!(first.next().await, Some(expected.clone()));

    let mut second = Events::of(client.send(bare("GET", &headers)).await);
    assert_eq!(first.next().await, None);
    client
        .double
        .lists
        .send_modify(|versions| versions.tools += 1);
    assert_eq!(second.next().await, Some(expected));
}

#[tokio::test]
async fn batches_are_served_in_the_one_version_that_has_them() {
    let client = Client::new();
    let batch = json!([call(1, "simple"), cancelled(9), call(2, "no-such"), 3]);
    let id = client.initialize("2025-06-18").await;
    let response = client.post(&[("mcp-session-id", &id)], &batch).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);

    let id = client.initialize("2025-03-26").await;
    let mut events = Events::of(client.post(&[("mcp-session-id", &id)], &batch).await);
    let mut ids = Vec::new();
    while let Some(event) = events.next().await {
        ids.push(event["id"].to_string());
    }
    ids.sort();
    assert_eq!(ids, ["1", "2", "null"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_without_use_is_forgotten_after_its_time() {
    let client = Client::new();
    let id = client.initialize("2025-11-25").await;
    tokio::time::advance(SESSION_IDLE_MAX / 2).await;
    assert_eq!(ping(&client, &id).await, StatusCode::OK);
    tokio::time::advance(SESSION_IDLE_MAX * 3 / 4).await;
    assert_eq!(ping(&client, &id).await, StatusCode::OK);
    tokio::time::advance(SESSION_IDLE_MAX).await;
    assert_eq!(ping(&client, &id).await, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_session_with_an_open_stream_is_not_forgotten() {
    let client = Client::new();
    let id = client.initialize("2025-11-25").await;
    let stream = client.send(bare("GET", &[("mcp-session-id", &id)])).await;
    tokio::time::advance(SESSION_IDLE_MAX * 2).await;
    assert_eq!(ping(&client, &id).await, StatusCode::OK);
    drop(stream);
}

#[tokio::test(start_paused = true)]
async fn when_all_places_are_taken_the_longest_unused_session_makes_room() {
    let client = Client::new();
    let oldest = client.initialize("2025-11-25").await;
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    let busy = client.initialize("2025-11-25").await;
    let _stream = client.send(bare("GET", &[("mcp-session-id", &busy)])).await;
    for _ in 2..SESSIONS_MAX {
        client.initialize("2025-11-25").await;
    }
    assert_eq!(ping(&client, &busy).await, StatusCode::OK);
    let newest = client.initialize("2025-11-25").await;
    assert_eq!(ping(&client, &oldest).await, StatusCode::NOT_FOUND);
    assert_eq!(ping(&client, &busy).await, StatusCode::OK);
    assert_eq!(ping(&client, &newest).await, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn when_no_session_is_idle_another_is_refused() {
    let client = Client::new();
    let mut streams = Vec::new();
    for _ in 0..SESSIONS_MAX {
        let id = client.initialize("2025-11-25").await;
        streams.push(client.send(bare("GET", &[("mcp-session-id", &id)])).await);
    }
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let request = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let response = client.post(&[], &request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    streams.pop();
    let response = client.post(&[], &request).await;
    assert_eq!(response.status(), StatusCode::OK);
}
