//! What parked calls promise.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use serde_json::{Value, json};

use super::*;
use crate::gateway::backend::test_upstream::call_of;
use crate::gateway::call::Caller;

/// An upstream that asks for a name and greets; `ended` counts the calls that ended, also by being dropped.
fn greets(ended: Arc<AtomicUsize>) -> impl FnOnce(Call) -> Running {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    move |call| {
        let counted = Counted(ended);
        async move {
            let _counted = counted;
            let params = Bytes::from_static(br#"{"message":"who?"}"#);
            let (request, answered) = ServerRequest::new("elicitation/create", Some(params));
            call.asides.send(Aside::Request(request)).await.unwrap();
            let ReplyBody::Result(answer) = answered.await.unwrap() else {
                panic!("refused");
            };
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            Ok(Reply {
                era: Era::Legacy,
                body: ReplyBody::Result(json!({"hello": answer["name"]}).to_string().into()),
            })
        }
        .boxed()
    }
}

fn never(_: Call) -> Running {
    panic!("it was begun anew")
}

fn request(more: &Value, caller: Caller) -> Call {
    let mut params = json!({"name": "greet", "arguments": {"x": 1}});
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    let mut call = call_of("{}", params).0;
    call.caller = caller;
    call
}

fn seen(reply: Result<Reply, CallError>) -> Value {
    match reply.unwrap().body {
        ReplyBody::Result(raw) => serde_json::from_slice(&raw).unwrap(),
        ReplyBody::Error(raw) => panic!("an error: {raw:?}"),
    }
}

struct Lot {
    parking: Arc<Parking>,
    ended: Arc<AtomicUsize>,
    server: ServerName,
}

impl Lot {
    fn new() -> Self {
        Self {
            parking: Arc::default(),
            ended: Arc::default(),
            server: "files".parse().unwrap(),
        }
    }

    async fn begin(&self) -> Value {
        let call = request(&json!({}), Caller::Guest);
        let start = greets(self.ended.clone());
        seen(self.parking.answer(call, &self.server, start).await)
    }

    async fn go_on(&self, call: Call) -> Result<Reply, CallError> {
        self.parking.answer(call, &self.server, never).await
    }
}

fn answers(required: &Value) -> Value {
    let keys = required["inputRequests"].as_object().unwrap().keys();
    let responses: Value = keys
        .map(|key| (key.clone(), json!({"name": "Ada"})))
        .collect();
    json!({"requestState": required["requestState"], "inputResponses": responses})
}

#[tokio::test]
async fn a_parked_call_goes_on_where_it_was_when_its_caller_answers() {
    let lot = Lot::new();
    let required = lot.begin().await;
    assert_eq!(required["resultType"], "input_required");
    let asked = &required["inputRequests"]["r1"];
    assert_eq!(asked["method"], "elicitation/create");
    assert_eq!(asked["params"]["message"], "who?");
    let reply = lot.go_on(request(&answers(&required), Caller::Guest)).await;
    assert_eq!(seen(reply)["hello"], "Ada");
    assert_eq!(lot.ended.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_that_is_missing_is_asked_for_again_and_the_call_lives_on() {
    let lot = Lot::new();
    let required = lot.begin().await;
    let empty = json!({"requestState": required["requestState"], "inputResponses": {"other": 1}});
    let again = seen(lot.go_on(request(&empty, Caller::Guest)).await);
    assert_eq!(again["inputRequests"], required["inputRequests"]);
    assert_ne!(again["requestState"], required["requestState"]);
    let reply = lot.go_on(request(&answers(&again), Caller::Guest)).await;
    assert_eq!(seen(reply)["hello"], "Ada");
}

#[tokio::test]
async fn nobody_else_can_go_on_with_a_parked_call_nor_anybody_twice() {
    let lot = Lot::new();
    let required = lot.begin().await;
    let stranger = Caller::Agent("eve".parse().unwrap());
    let stolen = lot.go_on(request(&answers(&required), stranger)).await;
    assert!(matches!(stolen, Err(CallError::InvalidParams { .. })));
    let mut other = answers(&required);
    other["arguments"] = json!({"x": 2});
    let other = lot.go_on(request(&other, Caller::Guest)).await;
    assert!(matches!(other, Err(CallError::InvalidParams { .. })));
    let own = || lot.go_on(request(&answers(&required), Caller::Guest));
    assert_eq!(seen(own().await)["hello"], "Ada");
    assert!(matches!(own().await, Err(CallError::InvalidParams { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_never_comes_back_has_its_call_cancelled() {
    let lot = Lot::new();
    let required = lot.begin().await;
    sleep(PARKED_FOR + Duration::from_secs(1)).await;
    assert_eq!(lot.ended.load(Ordering::SeqCst), 1);
    let late = lot.go_on(request(&answers(&required), Caller::Guest)).await;
    assert!(matches!(late, Err(CallError::InvalidParams { .. })));
}
