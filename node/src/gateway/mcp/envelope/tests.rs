//! What is read as which message, and what is refused how.

#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn message(json: &str) -> Result<Incoming, Answer> {
    read(&Bytes::copy_from_slice(json.as_bytes()))
}

fn refusal(json: &str) -> (i64, String) {
    let answer = message(json).unwrap_err();
    let seen: serde_json::Value = serde_json::from_slice(&answer.message).unwrap();
    assert_eq!(answer.error, seen["error"]["code"].as_i64());
    (answer.error.unwrap(), seen["id"].to_string())
}

#[test]
fn a_request_keeps_its_id_as_written() {
    for id in [
        "1",
        "-7",
        "1e2",
        "\"a\\u0062\"",
        "123456789012345678901234567890",
    ] {
        let json = format!(r#"{{"jsonrpc":"2.0","id": {id} ,"method":"ping"}}"#);
        let Incoming::Request(request) = message(&json).unwrap() else {
            panic!("not a request: {json}");
        };
        assert_eq!(request.id.as_json(), id);
        assert_eq!(&*request.method, "ping");
    }
}

#[test]
fn a_method_written_with_escapes_is_the_same_method() {
    let json = r#"{"jsonrpc":"2.0","id":1,"m\u0065thod":"tools\/list"}"#;
    assert!(matches!(message(json).unwrap(), Incoming::Request(r) if &*r.method == "tools/list"));
}

#[test]
fn messages_are_sorted_by_their_members() {
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert!(matches!(
        message(notification),
        Ok(Incoming::Notification { .. })
    ));
    for response in [
        r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#,
    ] {
        assert!(matches!(message(response), Ok(Incoming::Response { .. })));
    }
}

#[test]
fn what_is_not_json_is_a_parse_error() {
    for json in [
        "",
        "{",
        "{\"jsonrpc\":\"2.0\",}",
        "nonsense",
        "{\"jsonrpc\":\"2.0\"} x",
    ] {
        assert_eq!(refusal(json), (-32700, "null".into()), "{json}");
    }
}

#[test]
fn what_is_json_but_no_message_is_an_invalid_request() {
    for json in [
        "1",
        "[]",
        r#"{"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        r#"{"jsonrpc":"2.0"}"#,
    ] {
        assert_eq!(refusal(json), (-32600, "null".into()), "{json}");
    }
    let both = r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#;
    assert_eq!(refusal(both), (-32600, "1".into()));
}

#[test]
fn an_id_longer_than_its_bound_is_refused() {
    let id = "9".repeat(REQUEST_ID_BYTES_MAX + 1);
    let json = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
    assert_eq!(refusal(&json).0, -32600);
}

#[test]
fn params_that_two_readers_could_read_differently_are_refused_under_the_id() {
    let json = r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a","name":"b"}}"#;
    assert_eq!(refusal(json), (-32602, "5".into()));
}

#[test]
fn a_batch_is_split_into_its_messages() {
    let batch = Bytes::from_static(b" [ {\"a\":1} ,\n2]");
    assert!(is_batch(&batch));
    assert_eq!(split(&batch).unwrap(), [&b"{\"a\":1}"[..], b"2"]);
}

#[test]
fn an_empty_batch_and_one_too_long_are_refused() {
    let full = format!("[{}]", vec!["1"; BATCH_MESSAGES_MAX].join(","));
    assert_eq!(split(&full.into()).unwrap().len(), BATCH_MESSAGES_MAX);
    let over = format!("[{}]", vec!["1"; BATCH_MESSAGES_MAX + 1].join(","));
    assert_eq!(split(&over.into()), Err(EnvelopeError::BatchLength));
    assert_eq!(
        split(&Bytes::from_static(b"[]")),
        Err(EnvelopeError::BatchLength)
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let bytes = Bytes::from(bytes);
        let _ = read(&bytes);
        let _ = split(&bytes);
    }

    #[test]
    fn scraps_of_messages_make_no_panic(scraps in proptest::collection::vec(
        prop_oneof![
            Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just(":"), Just("\"jsonrpc\":\"2.0\""),
            Just("\"id\""), Just("\"method\""), Just("\"params\""), Just("\"_meta\""), Just("null"), Just("1"),
        ],
        0..24,
    )) {
        let bytes = Bytes::from(scraps.concat());
        let _ = read(&bytes);
        let _ = split(&bytes);
    }
}
