//! HTTP servers as the rest of the node meets them: real ones, on the loopback.

#![allow(clippy::unwrap_used)]

mod resumption;
mod site;

use std::sync::atomic::Ordering;
use std::time::Duration;

use peerage_protocol::id::NodeId;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::gateway::backend::test_upstream::{
    House, call, call_of, call_with, hurried, notified, text, until,
};
use crate::gateway::backend::upstream::UpstreamState;
use crate::gateway::call::{CallError, Era, ReplyBody};
use site::Served;

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];

async fn house_with(served: &Served) -> House {
    let mut house = House::new(hurried());
    house.apply(&[("x", served.settings())]);
    assert_eq!(house.next_tools().await.len(), 12, "three pages");
    house
        .until("x", |state| *state == UpstreamState::Ready)
        .await;
    house
}

#[tokio::test]
async fn servers_of_both_eras_answer_with_json_and_with_event_streams() {
    for era in ERAS {
        let served = Served::start(era).await;
        let house = house_with(&served).await;
        for streams in [false, true] {
            served.site.streams.store(streams, Ordering::SeqCst);
            let reply = house
                .call("x", call("echo", json!({"text": "hello"})).0)
                .await;
            assert_eq!(reply.as_ref().unwrap().era, era);
            assert_eq!(text(reply), "hello");
        }
        house.upstreams.stop().await;
    }
}

#[tokio::test]
async fn every_request_says_which_nodes_it_passed() {
    let own = NodeId::from_public_key([9; 32]);
    let other = NodeId::from_public_key([8; 32]);
    for era in ERAS {
        let served = Served::start(era).await;
        let house = house_with(&served).await;
        let (mut call, _) = call("echo", json!({}));
        call.via = vec![other];
        house.call("x", call).await.unwrap();
        house.upstreams.stop().await;
        let seen = served.site.seen.lock().unwrap();
        for (headers, message) in seen.iter() {
            let wanted = match message["method"] == "tools/call" {
                true => format!("{other}, {own}"),
                false => own.to_string(),
            };
            assert_eq!(headers["peerage-via"], wanted, "{message}");
            assert_eq!(headers["authorization"], "Bearer hunter2", "{message}");
        }
    }
}

#[tokio::test]
async fn headers_are_those_of_the_era() {
    let served = Served::start(Era::Modern).await;
    let house = house_with(&served).await;
    house.call("x", call("größe", json!({})).0).await.unwrap();
    let (headers, message) = served.seen("tools/call").remove(0);
    assert_eq!(headers["mcp-protocol-version"], "2026-07-28");
    assert_eq!(headers["mcp-method"], "tools/call");
    assert_eq!(headers["mcp-name"], "=?base64?Z3LDtsOfZQ==?=");
    let meta = &message["params"]["_meta"];
    assert_eq!(
        meta["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    house.upstreams.stop().await;

    let served = Served::start(Era::Legacy).await;
    let house = house_with(&served).await;
    house.call("x", call("echo", json!({})).0).await.unwrap();
    let (headers, _) = served.seen("tools/call").remove(0);
    assert_eq!(headers["mcp-protocol-version"], "2025-06-18");
    assert_eq!(headers["mcp-session-id"], "2", "the caller's own");
    house.upstreams.stop().await;
}

#[tokio::test]
async fn progress_comes_back_under_the_callers_token_before_the_result() {
    for era in ERAS {
        let served = Served::start(era).await;
        served.site.streams.store(true, Ordering::SeqCst);
        let house = house_with(&served).await;
        let calls = (0..32).map(|_| async {
            // More than the caller's queue holds: the server waits for the caller.
            let (call, mut told) = call_with(json!({
                "name": "t1", "arguments": {"steps": 300}, "_meta": {"progressToken": "mine"},
            }));
            let reading = async {
                for step in 0..300 {
                    let progress: Value =
                        serde_json::from_slice(&notified(told.recv().await.unwrap())).unwrap();
                    assert_eq!(
                        progress["params"],
                        json!({"progressToken": "mine", "progress": step})
                    );
                }
            };
            let (answered, ()) = tokio::join!(house.call("x", call), reading);
            assert_eq!(text(answered), "done");
        });
        futures::future::join_all(calls).await;
        let tokens = served
            .seen("tools/call")
            .into_iter()
            .map(|(headers, message)| {
                let session = headers.get("mcp-session-id").cloned();
                let token = message["params"]["_meta"]["progressToken"].to_string();
                (session.map(|id| id.to_str().unwrap().to_owned()), token)
            });
        let distinct: std::collections::BTreeSet<_> = tokens.collect();
        assert_eq!(
            distinct.len(),
            if era == Era::Legacy { 32 } else { 1 },
            "{era:?}"
        );
        house.upstreams.stop().await;
    }
}

#[tokio::test]
async fn a_server_learns_whom_it_serves_from_each_callers_own_session() {
    let served = Served::start(Era::Legacy).await;
    let house = house_with(&served).await;
    for capabilities in [r#"{"sampling":{}}"#, r#"{"roots":{}}"#] {
        let (call, _told) = call_of(capabilities, json!({"name": "echo"}));
        house.call("x", call).await.unwrap();
        let (_, opened) = served.seen("initialize").pop().unwrap();
        assert_eq!(opened["params"]["capabilities"].to_string(), capabilities);
    }
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_forgotten_session_is_opened_again_and_the_call_runs_once() {
    let served = Served::start(Era::Legacy).await;
    let house = house_with(&served).await;
    let (first, _told) = call("echo", json!({"text": "first"}));
    let client = first.client.clone();
    assert_eq!(text(house.call("x", first).await), "first");
    let last = served.site.session.load(Ordering::SeqCst);
    served.site.forgotten.store(last, Ordering::SeqCst);
    let calls = (0..8).map(|_| {
        let (mut again, _told) = call("echo", json!({"text": "again"}));
        again.client = client.clone();
        house.call("x", again)
    });
    for answered in futures::future::join_all(calls).await {
        assert_eq!(text(answered), "again");
    }
    let ran: Vec<_> = served
        .seen("tools/call")
        .into_iter()
        .filter(|(headers, _)| headers["mcp-session-id"].to_str().unwrap() > "2")
        .map(|(headers, _)| headers["mcp-session-id"].clone())
        .collect();
    assert_eq!(ran.len(), 8);
    assert!(
        ran.iter().all(|session| *session == ran[0]),
        "one new session for all: {ran:?}"
    );
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_server_that_refuses_us_is_down_and_says_what_to_correct() {
    let served = Served::start(Era::Modern).await;
    served.site.refuse.store(401, Ordering::SeqCst);
    let mut house = House::new(hurried());
    house.apply(&[("x", served.settings())]);
    house
        .until(
            "x",
            |state| matches!(state, UpstreamState::Down { why } if why.contains("HTTP 401")),
        )
        .await;
    assert!(
        served.seen("initialize").is_empty(),
        "refused once is enough"
    );
    let error = house
        .call("x", call("echo", json!({})).0)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("mcp.json") && !error.contains("hunter2"),
        "{error}"
    );
    served.site.refuse.store(0, Ordering::SeqCst);
    assert_eq!(house.next_tools().await.len(), 12);
    served.site.refuse.store(307, Ordering::SeqCst);
    house
        .until("x", |state| *state == UpstreamState::Ready)
        .await;
    let error = house
        .call("x", call("echo", json!({})).0)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("redirects"), "{error}");
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_down_and_comes_back_under_the_same_tools() {
    let served = Served::start(Era::Modern).await;
    let address = served.address;
    let mut house = house_with(&served).await;
    drop(served);
    house
        .until("x", |state| matches!(state, UpstreamState::Down { .. }))
        .await;
    let error = house
        .call("x", call("echo", json!({})).0)
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::UpstreamDown { .. }), "{error}");
    let served = Served::start_at(address, Era::Modern).await;
    house
        .until("x", |state| *state == UpstreamState::Ready)
        .await;
    assert_eq!(
        text(
            house
                .call("x", call("echo", json!({"text": "back"})).0)
                .await
        ),
        "back"
    );
    assert!(
        house.events.try_recv().is_err(),
        "equal tools are told once"
    );
    drop(served);
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_call_given_up_is_cancelled_as_the_era_has_it() {
    for era in ERAS {
        let served = Served::start(era).await;
        let house = house_with(&served).await;
        let hanging = house.call("x", call("hang", json!({})).0);
        assert!(timeout(Duration::from_millis(200), hanging).await.is_err());
        until(|| served.site.abandoned.load(Ordering::SeqCst) == 1).await;
        match era {
            Era::Modern => assert!(served.seen("notifications/cancelled").is_empty()),
            Era::Legacy => {
                until(|| !served.seen("notifications/cancelled").is_empty()).await;
                let (_, call) = served.seen("tools/call").remove(0);
                let (_, cancelled) = served.seen("notifications/cancelled").remove(0);
                assert_eq!(cancelled["params"]["requestId"], call["id"]);
            }
        }
        house.upstreams.stop().await;
    }
}

#[tokio::test]
async fn an_announced_change_is_listed() {
    for era in ERAS {
        let served = Served::start(era).await;
        let mut house = house_with(&served).await;
        until(|| served.site.grown.receiver_count() == 1).await;
        served.site.grown.send_replace(1);
        assert_eq!(house.next_tools().await.last().unwrap(), "t12");
        house.upstreams.stop().await;
    }
}

#[tokio::test]
async fn a_change_announced_to_one_caller_alone_is_listed() {
    for era in ERAS {
        let served = Served::start(era).await;
        let mut house = house_with(&served).await;
        house.call("x", call("grow", json!({})).0).await.unwrap();
        assert_eq!(house.next_tools().await.last().unwrap(), "t12");
        house.upstreams.stop().await;
    }
}

#[tokio::test]
async fn a_call_whose_answer_breaks_off_fails_and_is_not_sent_again() {
    let served = Served::start(Era::Modern).await;
    let house = house_with(&served).await;
    let error = house
        .call("x", call("drop", json!({})).0)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("closed the stream before the answer"),
        "{error}"
    );
    let error = house.call("x", call("big", json!({})).0).await.unwrap_err();
    assert!(matches!(error, CallError::TooLarge { .. }), "{error}");
    sleep(Duration::from_millis(50)).await;
    assert_eq!(served.seen("tools/call").len(), 2);
    assert_eq!(house.state("x"), UpstreamState::Ready);
    house.upstreams.stop().await;
}

#[tokio::test]
async fn an_error_in_a_refusal_is_the_answer() {
    let served = Served::start(Era::Modern).await;
    let house = house_with(&served).await;
    let (mut call, _) = call("x", json!({}));
    call.method = "no/such".into();
    let ReplyBody::Error(error) = house.call("x", call).await.unwrap().body else {
        panic!("a result");
    };
    assert_eq!(
        serde_json::from_slice::<Value>(&error).unwrap()["code"],
        -32601
    );
    house.upstreams.stop().await;
}
