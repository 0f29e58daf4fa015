//! Who and what is let in at all.

use axum::body::Body;
use http::{Request, StatusCode};
use peerage_protocol::id::NodeId;
use peerage_protocol::limits::{BODY_BYTES_MAX, HOPS_MAX};
use serde_json::json;

use super::double::{Client, OWN_ID, TOKEN, bare, call, json_body, post, send_modern};

async fn status(client: &Client, request: Request<Body>) -> StatusCode {
    client.send(request).await.status()
}

fn ping() -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string()
}

#[tokio::test]
async fn a_foreign_origin_or_host_is_forbidden_everywhere() {
    let client = Client::new();
    for headers in [
        [("origin", "http://evil.example")],
        [("origin", "null")],
        [("host", "evil.example")],
        [("host", "localhost.evil.example:8080")],
    ] {
        for method in ["POST", "GET", "DELETE"] {
            assert_eq!(
                status(&client, bare(method, &headers)).await,
                StatusCode::FORBIDDEN
            );
        }
        let mut health = bare("GET", &headers);
        *health.uri_mut() = "/mcp/health".parse().unwrap();
        assert_eq!(status(&client, health).await, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_request_without_host_is_forbidden() {
    let client = Client::new();
    let request = Request::get("/mcp/health").body(Body::empty()).unwrap();
    assert_eq!(status(&client, request).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn loopback_and_allowed_hosts_are_let_in() {
    let client = Client::new();
    for host in [
        "127.0.0.1:8080",
        "[::1]:8080",
        "LOCALHOST",
        "node.example:1",
    ] {
        let headers = [("host", host), ("origin", "http://localhost:5173")];
        let mut health = bare("GET", &headers);
        *health.uri_mut() = "/mcp/health".parse().unwrap();
        assert_eq!(status(&client, health).await, StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn health_has_the_promised_members() {
    let client = Client::new();
    let mut health = bare("GET", &[]);
    *health.uri_mut() = "/mcp/health".parse().unwrap();
    let expected = json!({"status": "ok", "version": "0.0.0", "uptime": 1, "connections": 2,
        "tools": 3, "memory_mb": 4.5, "cpu_percent": 0.5});
    assert_eq!(json_body(client.send(health).await).await, expected);
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_with_a_json_error() {
    let client = Client::new();
    let response = client.send(post(&[], vec![b' '; BODY_BYTES_MAX + 1])).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(json_body(response).await["error"]["code"], -32600);
}

#[tokio::test]
async fn an_unknown_token_is_challenged_and_not_repeated() {
    let client = Client::new();
    for value in ["Bearer wrong", "Basic Zzz", "wrong"] {
        let response = client.send(post(&[("authorization", value)], ping())).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(response.headers().contains_key("www-authenticate"));
        assert!(!json_body(response).await.to_string().contains("wrong"));
    }
}

#[tokio::test]
async fn content_type_and_accept_are_checked() {
    let client = Client::new();
    let text = post(&[("content-type", "text/plain")], ping());
    assert_eq!(
        status(&client, text).await,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let image = post(&[("accept", "image/png")], ping());
    assert_eq!(status(&client, image).await, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let client = Client::new();
    for method in ["PUT", "OPTIONS", "GET", "DELETE"] {
        let response = client.send(bare(method, &[])).await;
        assert_eq!(
            response.status(),
            StatusCode::METHOD_NOT_ALLOWED,
            "{method}"
        );
        assert_eq!(response.headers()["allow"], "POST, GET, DELETE");
    }
}

#[tokio::test]
async fn what_is_no_message_is_a_bad_request() {
    let client = Client::new();
    for (body, code) in [("{", -32700), ("{}", -32600), ("[]", -32600)] {
        let response = client.send(post(&[], body)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(json_body(response).await["error"]["code"], code);
    }
}

#[tokio::test]
async fn a_session_is_named_missing_unknown_or_anothers() {
    let client = Client::new();
    assert_eq!(
        status(&client, post(&[], ping())).await,
        StatusCode::BAD_REQUEST
    );
    let unknown = [("mcp-session-id", "unknown")];
    assert_eq!(
        status(&client, post(&unknown, ping())).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        status(&client, bare("GET", &unknown)).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        status(&client, bare("DELETE", &unknown)).await,
        StatusCode::NOT_FOUND
    );

    let id = client.initialize("2025-11-25").await;
    let own = [("mcp-session-id", id.as_str())];
    assert_eq!(status(&client, post(&own, ping())).await, StatusCode::OK);
    let bearer = format!("Bearer {TOKEN}");
    let others = [own[0], ("authorization", bearer.as_str())];
    assert_eq!(
        status(&client, post(&others, ping())).await,
        StatusCode::NOT_FOUND
    );
    let nonsense = [own[0], ("mcp-protocol-version", "2025-11-25, 2025-06-18")];
    assert_eq!(
        status(&client, post(&nonsense, ping())).await,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_request_that_came_by_here_before_is_refused_as_a_loop() {
    let client = Client::new();
    let id = client.initialize("2025-11-25").await;
    let long = vec![NodeId::from_public_key([2; 32]).to_string(); HOPS_MAX + 1].join(",");
    for via in [OWN_ID.to_string(), long] {
        let headers = [
            ("mcp-session-id", id.as_str()),
            ("peerage-via", via.as_str()),
        ];
        let seen = json_body(client.post(&headers, &call(1, "simple")).await).await;
        assert_eq!(seen["error"]["data"]["kind"], "loop");
    }
    let headers = [("mcp-session-id", id.as_str()), ("peerage-via", "nonsense")];
    let seen = json_body(client.post(&headers, &call(1, "simple")).await).await;
    assert_eq!(seen["error"]["code"], -32602);
}

#[tokio::test]
async fn the_service_learns_who_calls_and_by_which_way() {
    let client = Client::new();
    let bearer = format!("Bearer {TOKEN}");
    let other = NodeId::from_public_key([2; 32]).to_string();
    let (headers, body) = super::double::modern("tools/call", Some("caller"));
    let mut headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    headers.extend([
        ("authorization", bearer.as_str()),
        ("peerage-via", other.as_str()),
    ]);
    let seen = json_body(client.post(&headers, &body).await).await;
    assert_eq!(seen["result"]["content"][0]["text"], "Agent(\"ada\") via 1");
    let seen = json_body(send_modern(&client, "tools/call", Some("caller")).await).await;
    assert_eq!(seen["result"]["content"][0]["text"], "Guest via 0");
}
