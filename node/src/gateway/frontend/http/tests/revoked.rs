//! A token that is revoked or replaced: what was opened with it ends, and is nobody else's.

use http::StatusCode;
use serde_json::json;

use super::double::{Client, Events, SECOND_TOKEN, TOKEN, bare, modern};
use crate::identity::TokenId;

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn the_next_token_of_an_agent_does_not_get_the_sessions_of_the_last() {
    let client = Client::new();
    let (first, second) = (bearer(TOKEN), bearer(SECOND_TOKEN));
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let opened = client.post(&[("authorization", &first)], &initialize).await;
    let id = opened.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for (token, expected) in [(&second, StatusCode::NOT_FOUND), (&first, StatusCode::OK)] {
        let headers = [("authorization", token.as_str()), ("mcp-session-id", &id)];
        assert_eq!(client.post(&headers, &ping).await.status(), expected);
    }
    let headers = [("authorization", first.as_str()), ("mcp-session-id", &id)];
    let mut stream = Events::of(client.send(bare("GET", &headers)).await);
    client.double.revoked.send_replace(Some(TokenId::of(TOKEN)));
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_subscription_ends_with_the_token_that_opened_it() {
    let client = Client::new();
    let (headers, body) = modern("subscriptions/listen", None);
    let bearer = bearer(TOKEN);
    let mut headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    headers.push(("authorization", &bearer));
    let mut events = Events::of(client.post(&headers, &body).await);
    assert!(events.next().await.is_some());
    client.double.revoked.send_replace(Some(TokenId::of(TOKEN)));
    assert_eq!(events.next().await, None);
}
