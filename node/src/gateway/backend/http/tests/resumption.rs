//! Streams that end before their answer, and servers that hesitate over our version.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;

use super::house_with;
use super::site::Served;
use crate::gateway::backend::test_upstream::{call, text};
use crate::gateway::call::Era;

#[tokio::test]
async fn a_numbered_stream_that_closes_is_resumed_after_the_time_that_the_server_wants() {
    let served = Served::start(Era::Legacy).await;
    let house = house_with(&served).await;
    let start = Instant::now();
    let answered = house.call("x", call("poll", json!({})).0).await;
    assert_eq!(text(answered), "resumed");
    assert!(
        start.elapsed() >= Duration::from_millis(400),
        "twice, as it closed the resumed stream too"
    );
    let (posted, _) = served.seen("tools/call").remove(0);
    let resuming: Vec<_> = {
        let seen = served.site.seen.lock().unwrap();
        let headers = seen.iter().map(|(headers, _)| headers.clone());
        headers
            .filter(|headers| headers.contains_key("last-event-id"))
            .collect()
    };
    assert_eq!(resuming.len(), 2);
    for headers in resuming {
        assert_eq!(headers["last-event-id"], "e1");
        assert_eq!(headers["mcp-session-id"], posted["mcp-session-id"]);
    }
    assert_eq!(served.seen("tools/call").len(), 1, "the call ran once");
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_modern_stream_that_closes_is_not_resumed() {
    let served = Served::start(Era::Modern).await;
    let house = house_with(&served).await;
    let error = house
        .call("x", call("poll", json!({})).0)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("closed the stream"), "{error}");
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_server_that_refuses_our_version_but_names_it_is_asked_for_it_again() {
    let served = Served::start(Era::Modern).await;
    served.site.wavers.store(true, Ordering::SeqCst);
    let house = house_with(&served).await;
    assert_eq!(served.seen("server/discover").len(), 2);
    assert!(served.seen("initialize").is_empty());
    house.upstreams.stop().await;
}
