//! The modern era: every request alone, and gone with its response.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::StatusCode;
use serde_json::{Value, json};

use super::super::{CALLS_MAX, SUBSCRIPTIONS_MAX};
use super::double::{Client, Events, json_body, modern, send_modern};

#[tokio::test]
async fn a_list_says_how_long_it_may_be_kept() {
    let client = Client::new();
    let response = send_modern(&client, "tools/list", None).await;
    assert_eq!(response.status(), StatusCode::OK);
    let expected = json!({"jsonrpc": "2.0", "id": "m-1", "result":
        {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": []}});
    assert_eq!(json_body(response).await, expected);
}

#[tokio::test]
async fn a_call_without_notifications_is_answered_in_json() {
    let client = Client::new();
    let seen = json_body(send_modern(&client, "tools/call", Some("simple")).await).await;
    assert_eq!(seen["result"]["content"][0]["text"], "done");
    assert_eq!(seen["result"]["resultType"], "complete");
}

#[tokio::test]
async fn progress_comes_before_the_result_on_a_stream() {
    let client = Client::new();
    let mut events = Events::of(send_modern(&client, "tools/call", Some("progress")).await);
    for step in 1..=3 {
        let event = events.next().await.unwrap();
        assert_eq!(
            event["params"],
            json!({"progressToken": "p", "progress": step})
        );
    }
    assert_eq!(events.next().await.unwrap()["id"], "m-1");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_client_that_takes_no_stream_gets_the_answer_alone() {
    let client = Client::new();
    let (headers, body) = modern("tools/call", Some("progress"));
    let mut headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    headers.push(("accept", "application/json"));
    let seen = json_body(client.post(&headers, &body).await).await;
    assert_eq!(seen["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn a_client_that_takes_only_streams_gets_the_answer_as_an_event() {
    let client = Client::new();
    let (headers, body) = modern("tools/call", Some("simple"));
    let mut headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    headers.push(("accept", "text/event-stream"));
    let mut events = Events::of(client.post(&headers, &body).await);
    assert_eq!(events.next().await.unwrap()["id"], "m-1");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn error_codes_become_statuses() {
    let client = Client::new();
    for (method, tool, status, code) in [
        ("ping", None, StatusCode::NOT_FOUND, -32601),
        ("initialize", None, StatusCode::NOT_FOUND, -32601),
        (
            "tools/call",
            Some("no-such"),
            StatusCode::BAD_REQUEST,
            -32602,
        ),
        (
            "tools/call",
            Some("lacks_capability"),
            StatusCode::BAD_REQUEST,
            -32021,
        ),
    ] {
        let response = send_modern(&client, method, tool).await;
        assert_eq!(response.status(), status);
        let seen = json_body(response).await;
        assert_eq!(
            (&seen["error"]["code"], &seen["id"]),
            (&json!(code), &json!("m-1"))
        );
    }
}

#[tokio::test]
async fn a_header_that_contradicts_the_body_is_refused() {
    let client = Client::new();
    let (_, body) = modern("tools/call", Some("simple"));
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "other"),
    ];
    let response = client.post(&headers, &body).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(json_body(response).await["error"]["code"], -32020);
}

#[tokio::test]
async fn a_notification_is_accepted_and_a_batch_is_not() {
    let client = Client::new();
    let headers = [("mcp-protocol-version", "2026-07-28")];
    let notification =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    assert_eq!(
        client.post(&headers, &notification).await.status(),
        StatusCode::ACCEPTED
    );
    let response = client.post(&headers, &json!([notification])).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn log_messages_are_for_those_who_named_a_level() {
    let client = Client::new();
    let seen = json_body(send_modern(&client, "tools/call", Some("logs")).await).await;
    assert_eq!(seen["result"]["content"][0]["text"], "done");

    let (headers, mut body) = modern("tools/call", Some("logs"));
    let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    body["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("info");
    let mut events = Events::of(client.post(&headers, &body).await);
    assert_eq!(
        events.next().await.unwrap()["method"],
        "notifications/message"
    );
    assert_eq!(events.next().await.unwrap()["id"], "m-1");
}

#[tokio::test]
async fn dropping_the_response_cancels_the_call() {
    let client = Client::new();
    let request = send_modern(&client, "tools/call", Some("hangs"));
    tokio::select! {
        biased;
        _ = request => panic!("it hangs"),
        () = client.double.until_in_flight(1) => {}
    }
    client.double.until_in_flight(0).await;
}

#[tokio::test]
async fn one_call_too_many_is_refused_as_busy() {
    let client = Client::new();
    let hanging = |_| send_modern(&client, "tools/call", Some("hangs"));
    let mut calls: FuturesUnordered<_> = (0..CALLS_MAX).map(hanging).collect();
    tokio::select! {
        biased;
        _ = calls.next() => panic!("they hang"),
        () = client.double.until_in_flight(CALLS_MAX) => {}
    }
    let seen = json_body(send_modern(&client, "tools/call", Some("simple")).await).await;
    assert_eq!(seen["error"]["data"]["kind"], "busy");
    drop(calls);
    let seen = json_body(send_modern(&client, "tools/call", Some("simple")).await).await;
    assert_eq!(seen["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn one_subscription_too_many_is_refused_as_busy() {
    let client = Client::new();
    let mut streams = Vec::new();
    for _ in 0..SUBSCRIPTIONS_MAX {
        streams.push(send_modern(&client, "subscriptions/listen", None).await);
    }
    let seen = json_body(send_modern(&client, "subscriptions/listen", None).await).await;
    assert_eq!(seen["error"]["data"]["kind"], "busy");
    streams.pop();
    Events::of(send_modern(&client, "subscriptions/listen", None).await);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_answer_ends_at_its_deadline() {
    let client = Client::new();
    let seen = json_body(send_modern(&client, "tools/call", Some("hangs")).await).await;
    assert_eq!(seen["error"]["data"]["kind"], "deadline_exceeded");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_acknowledged_kept_alive_told_and_closed_under_its_id() {
    let client = Client::new();
    let mut events = Events::of(send_modern(&client, "subscriptions/listen", None).await);
    let tag = json!({"io.modelcontextprotocol/subscriptionId": "m-1"});
    let acknowledged = events.next().await.unwrap();
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    let expected = json!({"_meta": tag, "notifications": {"toolsListChanged": true}});
    assert_eq!(acknowledged["params"], expected);

    let before = tokio::time::Instant::now();
    assert_eq!(events.frame().await.unwrap(), &b": keep-alive\n\n"[..]);
    assert_eq!(before.elapsed(), Duration::from_secs(15));

    client
        .double
        .lists
        .send_modify(|versions| versions.tools += 1);
    let changed = events.next().await.unwrap();
    assert_eq!(changed["method"], "notifications/tools/list_changed");
    assert_eq!(changed["params"]["_meta"], tag);

    client.shutdown.cancel();
    let closed = events.next().await.unwrap();
    assert_eq!(
        (&closed["id"], &closed["result"]["_meta"]),
        (&json!("m-1"), &tag)
    );
    assert_eq!(events.next().await, None::<Value>);
}

#[tokio::test]
async fn headers_that_repeat_arguments_must_say_the_same() {
    let client = Client::new();
    let (headers, mut body) = modern("tools/call", Some("placed"));
    body["params"]["arguments"] = json!({"region": "here"});
    for (sent, expected) in [
        (Some("here"), StatusCode::OK),
        (Some("there"), StatusCode::BAD_REQUEST),
        (None, StatusCode::BAD_REQUEST),
    ] {
        let mut headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        headers.extend(sent.map(|region| ("mcp-param-region", region)));
        let response = client.post(&headers, &body).await;
        assert_eq!(response.status(), expected, "{sent:?}");
        if expected != StatusCode::OK {
            assert_eq!(json_body(response).await["error"]["code"], -32020);
        }
    }
}
