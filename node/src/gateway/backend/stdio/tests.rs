//! Child processes as the rest of the node meets them: real ones, in Python.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::gateway::backend::test_upstream::{
    House, call, call_with, hurried, name, notified, program, python, text, until,
};
use crate::gateway::backend::timing::Timing;
use crate::gateway::backend::upstream::{UpstreamChange, UpstreamState};
use crate::gateway::call::{CallError, Era, ReplyBody};

fn is_down(state: &UpstreamState) -> bool {
    matches!(state, UpstreamState::Down { .. })
}

fn alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.contains("State:") && !status.contains("State:\tZ")
}

async fn house_with(behaviour: &str) -> House {
    let mut house = House::new(hurried());
    house.apply(&[("x", python(behaviour))]);
    assert_eq!(house.next_tools().await.len(), 12, "three pages");
    house
}

#[tokio::test]
async fn children_of_both_eras_are_greeted_listed_and_called() {
    for (behaviour, era) in [
        ("legacy", Era::Legacy),
        ("modern", Era::Modern),
        ("exits", Era::Legacy),
        ("silent", Era::Legacy),
    ] {
        let house = house_with(behaviour).await;
        let reply = house
            .call("x", call("echo", json!({"text": "hello"})).0)
            .await;
        assert_eq!(reply.as_ref().unwrap().era, era, "{behaviour}");
        assert_eq!(text(reply), "hello", "{behaviour}");
        house.upstreams.stop().await;
    }
}

#[tokio::test]
async fn a_modern_child_gets_the_meta_that_a_legacy_caller_did_not_send() {
    let house = house_with("modern").await;
    let meta: Value =
        serde_json::from_str(&text(house.call("x", call("meta", json!({})).0).await)).unwrap();
    assert_eq!(
        meta["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    house.upstreams.stop().await;
}

#[tokio::test]
async fn an_error_of_the_child_is_passed_on_as_it_is() {
    let house = house_with("legacy").await;
    let (mut call, _) = call("x", json!({}));
    call.method = "no/such".into();
    let ReplyBody::Error(error) = house.call("x", call).await.unwrap().body else {
        panic!("a result");
    };
    assert_eq!(
        &error[..],
        br#"{"code": -32601, "message": "unknown method no/such"}"#
    );
    house.upstreams.stop().await;
}

#[tokio::test]
async fn progress_reaches_each_of_many_callers_under_its_own_token_before_its_result() {
    let house = house_with("legacy").await;
    let calls = (0..32).map(|n| {
        let house = &house;
        async move {
            let (call, mut told) = call_with(json!({
                "name": "progress", "arguments": {"steps": 20, "of": n},
                "_meta": {"progressToken": "the same for all"},
            }));
            let answered = text(house.call("x", call).await);
            assert_eq!(answered, format!(r#"{{"of": {n}}}"#));
            for step in 0..20 {
                let progress: Value =
                    serde_json::from_slice(&notified(told.try_recv().unwrap())).unwrap();
                assert_eq!(
                    progress["params"],
                    json!({"progressToken": "the same for all", "progress": step, "of": n})
                );
            }
            assert!(told.try_recv().is_err(), "no more than twenty");
        }
    });
    futures::future::join_all(calls).await;
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_caller_that_does_not_read_its_progress_is_refused_and_the_child_is_told() {
    let house = house_with("legacy").await;
    let (greedy, _unread) = call_with(json!({
        "name": "progress", "arguments": {"steps": 400}, "_meta": {"progressToken": 1},
    }));
    assert!(matches!(
        house.call("x", greedy).await,
        Err(CallError::Busy { .. })
    ));
    assert_eq!(
        text(house.call("x", call("cancelled", json!({})).0).await),
        "1"
    );
    house.upstreams.stop().await;
}

#[tokio::test]
async fn calls_given_up_and_calls_out_of_time_are_cancelled_at_the_child() {
    let house = house_with("legacy").await;
    let (mut late, _) = call("sleep", json!({}));
    late.deadline = Instant::now() + Duration::from_millis(50);
    assert!(matches!(
        house.call("x", late).await,
        Err(CallError::DeadlineExceeded { .. })
    ));
    let given_up = (0..200).map(|_| {
        let call = house.call("x", call("sleep", json!({})).0);
        timeout(Duration::from_millis(500), call)
    });
    let given_up = futures::future::join_all(given_up).await;
    assert!(given_up.iter().all(Result::is_err), "a sleeper answered");
    let mut heard = String::new();
    while heard != "201" {
        heard = text(house.call("x", call("cancelled", json!({})).0).await);
    }
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_killed_child_fails_its_calls_by_name_and_comes_back() {
    let house = house_with("legacy").await;
    let pid = text(house.call("x", call("echo", json!({})).0).await);
    let (sleeper, _told) = call("sleep", json!({}));
    let kill = async {
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    };
    let (answered, ()) = tokio::join!(house.call("x", sleeper), kill);
    let Err(CallError::UpstreamDown { server, why }) = answered else {
        panic!("{answered:?}");
    };
    assert_eq!((&server[..], &why[..]), ("x", "it was ended by signal 9"));
    house
        .until("x", |state| *state == UpstreamState::Ready)
        .await;
    assert_ne!(text(house.call("x", call("echo", json!({})).0).await), pid);
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_child_that_fails_to_start_is_down_with_its_last_words_for_the_owner_only() {
    let house = House::new(hurried());
    house.apply(&[
        ("x", python("broken")),
        ("y", program("no-such-program-x", &[])),
    ]);
    house.until("x", is_down).await;
    house.until("y", is_down).await;
    let UpstreamState::Down { why } = house.state("x") else {
        panic!("not down");
    };
    assert_eq!(
        why,
        "it exited with status 3; it last said: no database at /nowhere"
    );
    let error = house
        .call("x", call("echo", json!({})).0)
        .await
        .unwrap_err();
    assert!(!error.to_string().contains("database"), "{error}");
    let error = house
        .call("y", call("echo", json!({})).0)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no program \"no-such-program-x\" in PATH"),
        "{error}"
    );
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_list_that_changes_in_a_burst_is_listed_again() {
    for behaviour in ["legacy", "modern"] {
        let mut house = house_with(behaviour).await;
        text(house.call("x", call("grow", json!({"by": 2})).0).await);
        assert_eq!(
            house.next_tools().await.last().unwrap(),
            "grown1",
            "{behaviour}"
        );
        house.upstreams.stop().await;
    }
}

#[tokio::test]
async fn garbage_between_messages_is_skipped_and_requests_of_the_child_are_answered() {
    let house = house_with("legacy").await;
    text(house.call("x", call("garbage", json!({})).0).await);
    let answers = text(house.call("x", call("ask", json!({})).0).await);
    assert_eq!(answers, r#"{"ping": {}, "roots/list": -32601}"#);
    house.upstreams.stop().await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_fails_its_call_at_once_and_no_other() {
    let house = house_with("legacy").await;
    let pid = text(house.call("x", call("echo", json!({})).0).await);
    for how in ["badutf", "dupresult", "nan", "noresult"] {
        let answered = house.call("x", call("spoil", json!({"how": how})).0).await;
        let Err(CallError::UpstreamDown { server, why }) = answered else {
            panic!("{how}: {answered:?}");
        };
        assert_eq!(server, "x", "{how}");
        assert!(
            why.starts_with("its answer cannot be read: "),
            "{how}: {why}"
        );
    }
    assert_eq!(
        text(house.call("x", call("echo", json!({})).0).await),
        pid,
        "the child stays"
    );
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_result_of_null_is_passed_on() {
    let house = house_with("legacy").await;
    let null = call("spoil", json!({"how": "null"})).0;
    assert_eq!(
        house.call("x", null).await.unwrap().body,
        ReplyBody::Result(bytes::Bytes::from_static(b"null"))
    );
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_child_whose_list_cannot_be_read_is_down_for_that_reason() {
    let house = House::new(hurried());
    house.apply(&[("x", python("badlist"))]);
    house.until("x", is_down).await;
    let UpstreamState::Down { why } = house.state("x") else {
        panic!("not down");
    };
    assert!(why.starts_with("its answer cannot be read: "), "{why}");
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_line_over_the_bound_ends_the_child_by_name() {
    let house = house_with("legacy").await;
    let error = house
        .call("x", call("flood", json!({})).0)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a line of more than 16777216 bytes"),
        "{error}"
    );
    house
        .until("x", |state| *state == UpstreamState::Ready)
        .await;
    house.upstreams.stop().await;
}

#[tokio::test]
async fn a_child_without_calls_is_stopped_and_the_next_call_starts_it_again() {
    let mut house = House::new(Timing {
        idle: Duration::from_millis(300),
        ..hurried()
    });
    house.apply(&[("x", python("legacy"))]);
    house.next_tools().await;
    let pid = text(house.call("x", call("echo", json!({})).0).await);
    let long = call("sleep", json!({"seconds": 0.8})).0;
    assert_eq!(
        text(house.call("x", long).await),
        "done",
        "not stopped under a call"
    );
    house
        .until("x", |state| *state == UpstreamState::Idle)
        .await;
    until(|| !alive(&pid)).await;
    assert_ne!(text(house.call("x", call("echo", json!({})).0).await), pid);
    house.upstreams.stop().await;
}

#[tokio::test]
async fn applying_settings_touches_only_what_changed() {
    let mut house = House::new(hurried());
    house.apply(&[
        ("kept", python("legacy")),
        ("changed", python("legacy")),
        ("gone", python("legacy")),
    ]);
    for _ in 0..3 {
        house.next_tools().await;
    }
    let before = text(house.call("kept", call("echo", json!({})).0).await);
    let mut shared = python("legacy");
    shared.share = true;
    house.apply(&[
        ("kept", shared),
        ("changed", python("modern")),
        ("new", python("legacy")),
    ]);
    assert!(house.upstreams.get(&name("gone")).is_none());
    let mut told = Vec::new();
    for _ in 0..3 {
        let event = timeout(Duration::from_secs(20), house.events.recv())
            .await
            .unwrap()
            .unwrap();
        told.push((
            event.server.to_string(),
            matches!(event.change, UpstreamChange::Removed),
        ));
    }
    told.sort();
    let told: Vec<_> = told
        .iter()
        .map(|(server, removed)| (&server[..], *removed))
        .collect();
    assert_eq!(told, [("changed", false), ("gone", true), ("new", false)]);
    assert_eq!(
        text(house.call("kept", call("echo", json!({})).0).await),
        before
    );
    house.upstreams.stop().await;
}

#[tokio::test]
async fn stopping_ends_children_and_grandchildren_in_time() {
    let mut house = house_with("legacy").await;
    house.apply(&[("x", python("legacy")), ("deaf", python("deaf"))]);
    let child = text(house.call("x", call("echo", json!({})).0).await);
    let grandchild = text(house.call("x", call("spawn", json!({})).0).await);
    assert!(alive(&child) && alive(&grandchild));
    let began = Instant::now();
    house.upstreams.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    until(|| !alive(&child) && !alive(&grandchild)).await;
    house.apply(&[("late", python("legacy"))]);
    assert!(
        house.events.try_recv().is_err(),
        "nothing starts after the end"
    );
    assert!(Path::new("/proc/self").exists(), "the test needs /proc");
}

#[tokio::test]
async fn a_child_that_never_answers_delays_neither_applying_nor_its_neighbour() {
    let mut house = House::new(hurried());
    let began = Instant::now();
    house.apply(&[("deaf", python("deaf")), ("x", python("legacy"))]);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(house.next_tools().await.len(), 12);
    let (mut waiting, _) = call("echo", json!({}));
    waiting.deadline = Instant::now() + Duration::from_millis(100);
    let deaf = house.call("deaf", waiting);
    let (late, answered) = tokio::join!(
        deaf,
        house.call("x", call("echo", json!({"text": "here"})).0)
    );
    assert_eq!(text(answered), "here");
    assert!(matches!(late, Err(CallError::DeadlineExceeded { .. })));
    house.upstreams.stop().await;
}
