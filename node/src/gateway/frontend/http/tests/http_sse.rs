//! The transport of 2024-11-05: one stream to the client, POSTs from it.

use axum::body::Body;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::super::CONVERSATIONS_MAX;
use super::double::{Client, Events, SECOND_TOKEN, TOKEN, bare, call, json_body, post};
use crate::identity::TokenId;

/// An open stream, and the path that its client posts to.
struct Opened {
    events: Events,
    path: String,
}

fn get(headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = bare("GET", headers);
    *request.uri_mut() = "/sse".parse().unwrap();
    request
}

async fn open(client: &Client, headers: &[(&str, &str)]) -> Opened {
    let mut events = Events::of(client.send(get(headers)).await);
    let (name, path) = events.named().await.unwrap();
    assert_eq!(name, "endpoint");
    Opened { events, path }
}

async fn say(
    client: &Client,
    path: &str,
    headers: &[(&str, &str)],
    message: &Value,
) -> Response<Body> {
    let mut request = post(headers, message.to_string());
    *request.uri_mut() = path.parse().unwrap();
    client.send(request).await
}

async fn initialize(client: &Client, opened: &mut Opened, headers: &[(&str, &str)]) {
    let params = json!({"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {}});
    let request = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let response = say(client, &opened.path, headers, &request).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let answer = opened.events.next().await.unwrap();
    assert_eq!(answer["result"]["protocolVersion"], "2024-11-05");
}

#[tokio::test]
async fn answers_and_changes_come_on_the_stream() {
    let client = Client::new();
    let mut opened = open(&client, &[]).await;
    initialize(&client, &mut opened, &[]).await;
    say(&client, &opened.path, &[], &call(1, "progress")).await;
    for step in 1..=3 {
        assert_eq!(
            opened.events.next().await.unwrap()["params"]["progress"],
            step
        );
    }
    assert_eq!(opened.events.next().await.unwrap()["id"], 1);
    client.double.tools.send_modify(|version| *version += 1);
    let changed = opened.events.next().await.unwrap();
    assert_eq!(changed["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn the_door_is_the_same_as_everywhere() {
    let client = Client::new();
    for (headers, expected) in [
        ([("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        ([("host", "evil.example")], StatusCode::FORBIDDEN),
        (
            [("authorization", "Bearer wrong")],
            StatusCode::UNAUTHORIZED,
        ),
        ([("accept", "application/json")], StatusCode::NOT_ACCEPTABLE),
    ] {
        assert_eq!(
            client.send(get(&headers)).await.status(),
            expected,
            "{headers:?}"
        );
    }
    let opened = open(&client, &[]).await;
    for (headers, expected) in [
        ([("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (
            [("content-type", "text/plain")],
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
    ] {
        let response = say(&client, &opened.path, &headers, &call(1, "simple")).await;
        assert_eq!(response.status(), expected, "{headers:?}");
    }
}

#[tokio::test]
async fn a_stream_takes_messages_of_the_token_that_opened_it_and_no_other() {
    let client = Client::new();
    let bearer = |token| format!("Bearer {token}");
    let (own, next) = (bearer(TOKEN), bearer(SECOND_TOKEN));
    let (own, next) = (
        [("authorization", own.as_str())],
        [("authorization", next.as_str())],
    );
    let mut opened = open(&client, &own).await;
    initialize(&client, &mut opened, &own).await;
    for others in [&[][..], &next] {
        let response = say(&client, &opened.path, others, &call(1, "simple")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
    client.double.revoked.send_replace(Some(TokenId::of(TOKEN)));
    assert_eq!(opened.events.next().await, None);
}

#[tokio::test]
async fn a_stream_that_is_lost_ends_its_session_and_its_calls() {
    let client = Client::new();
    let mut opened = open(&client, &[]).await;
    initialize(&client, &mut opened, &[]).await;
    say(&client, &opened.path, &[], &call(1, "hangs")).await;
    client.double.until_in_flight(1).await;
    drop(opened.events);
    client.double.until_in_flight(0).await;
    let response = say(&client, &opened.path, &[], &call(2, "simple")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_no_message_is_answered_on_the_stream_and_without_a_stream_nothing_is_heard() {
    let client = Client::new();
    let mut opened = open(&client, &[]).await;
    let response = say(&client, &opened.path, &[], &json!(3)).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(opened.events.next().await.unwrap()["error"]["code"], -32600);
    for (path, expected) in [
        ("/messages", StatusCode::BAD_REQUEST),
        ("/messages?session_id=guessed", StatusCode::NOT_FOUND),
    ] {
        let response = say(&client, path, &[], &call(1, "simple")).await;
        assert_eq!(response.status(), expected);
        assert!(json_body(response).await["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn streams_are_bounded_and_their_places_come_free() {
    let client = Client::new();
    let mut streams = Vec::new();
    for _ in 0..CONVERSATIONS_MAX {
        streams.push(open(&client, &[]).await);
    }
    let refused = client.send(get(&[])).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    streams.pop();
    open(&client, &[]).await;
}

#[tokio::test]
async fn a_node_that_stops_ends_its_streams() {
    let client = Client::new();
    let mut opened = open(&client, &[]).await;
    client.shutdown.cancel();
    assert_eq!(opened.events.next().await, None);
}
