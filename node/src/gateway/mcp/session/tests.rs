//! One test per cell of the table, and the conversation around it.

#![allow(clippy::unwrap_used)]

use super::super::envelope::read;
use super::*;
use crate::gateway::aside::{Aside, ServerRequest};
use serde_json::{Value, json};

const CONNECTIONS: [Transport; 4] = [
    Transport::HttpSse,
    Transport::Stdio,
    Transport::WebSocket,
    Transport::Peer,
];

fn id(number: u32) -> RequestId {
    RequestId::from_json(&number.to_string()).unwrap()
}

fn say(session: &mut Session, message: Value) -> Output {
    session.message(read(&message.to_string().into()).unwrap(), None)
}

fn request(number: u32, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
}

fn modern_params() -> Value {
    json!({"name": "t", "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }})
}

fn answer(output: Output) -> Value {
    match output {
        Output::Answer(answer) => serde_json::from_slice(&answer.message).unwrap(),
        other => panic!("not answered: {other:?}"),
    }
}

fn error_code(output: Output) -> i64 {
    answer(output)["error"]["code"].as_i64().unwrap()
}

fn initialize(session: &mut Session, version: &str) -> Value {
    let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {}});
    answer(say(session, request(0, "initialize", params)))
}

/// A legacy session on `transport` with the call 1 under way.
fn legacy_with_call(transport: Transport) -> Session {
    let mut session = Session::new(transport);
    initialize(&mut session, "2025-11-25");
    let output = say(&mut session, request(1, "tools/call", json!({"name": "t"})));
    assert!(matches!(
        output,
        Output::Dispatch {
            era: Era::Legacy,
            ..
        }
    ));
    session
}

/// A modern conversation on `transport` with the call 1 under way. Headers are checked by the tests of `era`.
fn modern_with_call(transport: Transport) -> Session {
    let mut session = Session::new(transport);
    let output = say(&mut session, request(1, "tools/call", modern_params()));
    assert!(matches!(
        output,
        Output::Dispatch {
            era: Era::Modern,
            ..
        }
    ));
    session
}

#[test]
fn modern_http_message_stands_alone() {
    let mut session = modern_with_call(Transport::Http);
    // What came before does not bind the next message to its era.
    assert_eq!(
        error_code(say(&mut session, request(2, "tools/list", json!({})))),
        -32600
    );
}

#[test]
fn legacy_http_message_belongs_to_the_session() {
    let mut session = legacy_with_call(Transport::Http);
    let output = say(&mut session, request(2, "tools/list", json!({})));
    assert!(matches!(
        output,
        Output::Dispatch {
            era: Era::Legacy,
            ..
        }
    ));
}

#[test]
fn connection_message_keeps_the_era_of_the_first() {
    for transport in CONNECTIONS {
        let mut session = modern_with_call(transport);
        assert_eq!(
            error_code(say(&mut session, request(2, "tools/list", json!({})))),
            -32602
        );
        let mut session = legacy_with_call(transport);
        let output = say(&mut session, request(2, "tools/list", modern_params()));
        assert!(matches!(
            output,
            Output::Dispatch {
                era: Era::Legacy,
                ..
            }
        ));
    }
}

#[test]
fn modern_http_stream_lost_cancels_that_call() {
    let mut session = modern_with_call(Transport::Http);
    assert_eq!(session.stream_lost(&id(1)), Loss::Cancel(vec![id(1)]));
    assert!(!session.answered(&id(1)));
}

#[test]
fn legacy_http_stream_lost_lets_the_call_go_on() {
    let mut session = legacy_with_call(Transport::Http);
    assert_eq!(session.stream_lost(&id(1)), Loss::Resume);
    assert!(session.answered(&id(1)));
}

#[test]
fn connection_stream_lost_ends_the_session() {
    for transport in CONNECTIONS {
        for mut session in [legacy_with_call(transport), modern_with_call(transport)] {
            assert_eq!(session.stream_lost(&id(1)), Loss::End(vec![id(1)]));
        }
    }
}

#[test]
fn modern_http_transport_lost_cancels_what_it_carried() {
    let mut session = modern_with_call(Transport::Http);
    assert_eq!(session.transport_lost(), Loss::Cancel(vec![id(1)]));
}

#[test]
fn legacy_http_transport_lost_lets_the_session_go_on() {
    let mut session = legacy_with_call(Transport::Http);
    assert_eq!(session.transport_lost(), Loss::Resume);
    assert!(session.answered(&id(1)));
}

#[test]
fn connection_transport_lost_ends_the_session() {
    for transport in CONNECTIONS {
        for mut session in [legacy_with_call(transport), modern_with_call(transport)] {
            assert_eq!(session.transport_lost(), Loss::End(vec![id(1)]));
        }
    }
}

#[test]
fn initialize_settles_the_version_and_names_the_server() {
    let mut session = Session::new(Transport::Stdio);
    let result = &initialize(&mut session, "2025-03-26")["result"];
    assert_eq!(result["protocolVersion"], "2025-03-26");
    assert_eq!(result["serverInfo"]["name"], "peerage");
    assert_eq!(result["capabilities"]["tools"]["listChanged"], true);
    assert_eq!(result["capabilities"]["resources"]["subscribe"], true);
    assert_eq!(session.version(), Some(LegacyVersion::March2025));
    let again = initialize(&mut session, "2025-06-18");
    assert_eq!(again["error"]["code"], -32600);
}

#[test]
fn initialize_without_a_version_is_refused() {
    let mut session = Session::new(Transport::Stdio);
    let output = say(&mut session, request(0, "initialize", json!({})));
    assert_eq!(error_code(output), -32602);
    assert_eq!(session.version(), None);
}

#[test]
fn before_initialize_only_ping_is_answered() {
    let mut session = Session::new(Transport::Stdio);
    assert_eq!(
        answer(say(&mut session, request(1, "ping", json!({}))))["result"],
        json!({})
    );
    assert_eq!(
        error_code(say(&mut session, request(2, "tools/list", json!({})))),
        -32600
    );
    assert_eq!(initialize(&mut session, "2025-11-25")["id"], 0);
}

#[test]
fn discover_says_what_a_modern_client_needs() {
    let mut session = Session::new(Transport::Stdio);
    let output = say(&mut session, request(1, "server/discover", modern_params()));
    let result = &answer(output)["result"];
    assert_eq!(result["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(result["resultType"], "complete");
    assert_eq!(
        result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "peerage"
    );
}

#[test]
fn methods_that_an_era_does_not_have_are_named() {
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
    ] {
        let mut session = Session::new(Transport::Http);
        let seen = answer(say(&mut session, request(1, method, modern_params())));
        assert_eq!(seen["error"]["code"], -32601);
        assert_eq!(
            seen["error"]["message"],
            format!("Method not found: {method}")
        );
    }
    for method in ["server/discover", "subscriptions/listen"] {
        let mut session = legacy_with_call(Transport::Http);
        let refused = say(&mut session, request(2, method, json!({})));
        assert_eq!(error_code(refused), -32601);
    }
}

#[test]
fn a_method_that_nobody_knows_yet_is_left_to_the_router() {
    let mut session = legacy_with_call(Transport::Http);
    let output = say(&mut session, request(2, "x/new", json!({})));
    assert!(matches!(output, Output::Dispatch { .. }));
}

#[test]
fn the_log_level_of_a_session_is_set_and_nonsense_refused() {
    let mut session = legacy_with_call(Transport::Http);
    let set = |level| request(2, "logging/setLevel", json!({"level": level}));
    assert_eq!(error_code(say(&mut session, set("loud"))), -32602);
    let answered = answer(say(&mut session, set("error")));
    assert_eq!(answered["result"], json!({}));
    let output = say(&mut session, request(3, "tools/list", json!({})));
    let Output::Dispatch {
        client: Client::Session(client),
        ..
    } = output
    else {
        panic!("not dispatched: {output:?}");
    };
    assert_eq!(client.log_level().unwrap().as_str(), "error");
}

#[test]
fn what_an_upstream_asks_during_a_call_is_answered_to_it_and_dropped_with_the_call() {
    let mut session = legacy_with_call(Transport::Http);
    let (asked, mut answered) = ServerRequest::new("roots/list", None);
    let message = session.told(Some(&id(1)), Aside::Request(asked)).unwrap();
    let message: Value = serde_json::from_slice(&message).unwrap();
    assert_eq!(message["method"], "roots/list");
    let response = json!({"jsonrpc": "2.0", "id": message["id"], "result": {"roots": []}});
    assert!(matches!(say(&mut session, response), Output::Nothing));
    assert!(answered.try_recv().is_ok());
    let (asked, mut unanswered) = ServerRequest::new("roots/list", None);
    session.told(Some(&id(1)), Aside::Request(asked)).unwrap();
    assert!(session.answered(&id(1)));
    assert!(unanswered.try_recv().is_err());
    let (late, mut refused) = ServerRequest::new("roots/list", None);
    assert_eq!(session.told(Some(&id(1)), Aside::Request(late)), None);
    assert!(refused.try_recv().is_ok());
}

#[test]
fn a_modern_client_is_never_asked() {
    let mut session = modern_with_call(Transport::Stdio);
    let (asked, mut refused) = ServerRequest::new("roots/list", None);
    assert_eq!(session.told(Some(&id(1)), Aside::Request(asked)), None);
    assert!(refused.try_recv().is_ok());
}

#[test]
fn a_cancelled_call_is_stopped_and_its_answer_not_sent() {
    let mut session = legacy_with_call(Transport::Http);
    let cancelled = |request_id: u32| json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request_id}});
    assert!(matches!(say(&mut session, cancelled(9)), Output::Nothing));
    assert!(
        matches!(say(&mut session, cancelled(1)), Output::Cancel(cancelled) if cancelled == id(1))
    );
    assert!(!session.answered(&id(1)));
}

#[test]
fn an_id_in_use_is_refused_until_it_is_answered() {
    let mut session = legacy_with_call(Transport::Http);
    let call = || request(1, "tools/call", json!({"name": "t"}));
    assert_eq!(error_code(say(&mut session, call())), -32600);
    assert!(session.answered(&id(1)));
    assert!(matches!(say(&mut session, call()), Output::Dispatch { .. }));
}

#[test]
fn one_request_too_many_is_refused_as_busy() {
    let mut session = legacy_with_call(Transport::Stdio);
    for number in 2..=REQUESTS_IN_FLIGHT_MAX as u32 {
        let output = say(&mut session, request(number, "tools/list", json!({})));
        assert!(matches!(output, Output::Dispatch { .. }));
    }
    let seen = answer(say(&mut session, request(1000, "tools/list", json!({}))));
    assert_eq!(seen["error"]["data"]["kind"], "busy");
}

#[test]
fn the_end_of_a_session_stops_its_calls() {
    let mut session = legacy_with_call(Transport::Http);
    assert_eq!(session.end(), [id(1)]);
    assert!(session.is_idle());
}
