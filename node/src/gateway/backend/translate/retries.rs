//! A legacy caller at a modern upstream: what the upstream requires is asked of the caller, then the request is sent
//! again with the answers (2026-07-28, "Multi round-trip requests").

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::gateway::aside::ServerRequest;
use crate::gateway::backend::greeting::insert_members;
use crate::gateway::backend::origin::Origin;
use crate::gateway::backend::rpc_error::RpcError;
use crate::gateway::call::{Call, CallError, Reply, ReplyBody};
use crate::gateway::mcp::splice::Params;

/// Times that an upstream may ask for more before its answer.
const ROUNDS_MAX: usize = 16;
/// Things that it may ask for at one time.
const REQUESTS_MAX: usize = 16;

/// What an upstream requires before it goes on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Required<'a> {
    #[serde(borrow)]
    result_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    input_requests: BTreeMap<String, InputRequest<'a>>,
    #[serde(borrow)]
    request_state: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct InputRequest<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// Sends `call` by `send`, as often as the upstream requires more of the caller.
pub(crate) async fn with_retries<F>(
    call: Call,
    server: &str,
    mut send: impl FnMut(Call) -> F,
) -> Result<Reply, CallError>
where
    F: Future<Output = Result<Reply, CallError>>,
{
    let first = call.params.to_bytes();
    let origin = Origin::of(&call, first.clone());
    let mut next = call.with_params(call.params.clone());
    for _ in 0..ROUNDS_MAX {
        let reply = send(next).await?;
        let ReplyBody::Result(result) = &reply.body else {
            return Ok(reply);
        };
        let Some(required) = required(result) else {
            return Ok(reply);
        };
        let answers = ask_all(&origin, required.input_requests, server).await?;
        let params = again(&first, &answers, required.request_state);
        let params = Params::scan(params).map_err(|error| CallError::InvalidParams {
            what: error.to_string(),
        })?;
        next = call.with_params(params);
    }
    Err(CallError::UpstreamDown {
        server: server.to_owned(),
        why: format!("it asked for more input {ROUNDS_MAX} times without an answer"),
    })
}

/// What a result requires; `None` where it is complete.
fn required(result: &[u8]) -> Option<Required<'_>> {
    memchr::memmem::find(result, b"input_required")?;
    let required: Required<'_> = serde_json::from_slice(result).ok()?;
    (required.result_type.as_deref() == Some("input_required")).then_some(required)
}

/// The caller's answers, each under the upstream's key.
async fn ask_all(
    origin: &Origin,
    requests: BTreeMap<String, InputRequest<'_>>,
    server: &str,
) -> Result<Vec<(String, Bytes)>, CallError> {
    if requests.len() > REQUESTS_MAX {
        return Err(CallError::Busy {
            what: format!("{server} asks for more than {REQUESTS_MAX} things at once"),
        });
    }
    let asking = requests.into_iter().map(|(key, request)| async move {
        let params = request.params;
        let params = params.map(|raw| Bytes::copy_from_slice(raw.get().as_bytes()));
        let (question, answered) = ServerRequest::new(&*request.method, params);
        origin.ask(question);
        match answered.await {
            Ok(ReplyBody::Result(answer)) => Ok((key, answer)),
            Ok(ReplyBody::Error(error)) => Err(unanswered(
                server,
                &request.method,
                &RpcError::read(&error).to_string(),
            )),
            Err(_) => Err(unanswered(server, &request.method, "no answer came")),
        }
    });
    try_join_all(asking).await
}

fn unanswered(server: &str, method: &str, why: &str) -> CallError {
    CallError::InvalidParams {
        what: format!("{server} needs {method} to go on, and the client did not answer it: {why}"),
    }
}

/// The first request's params with the answers and the upstream's state.
fn again(first: &Bytes, answers: &[(String, Bytes)], state: Option<&RawValue>) -> Bytes {
    let mut members = Vec::from(&b"\"inputResponses\":{"[..]);
    for (place, (key, answer)) in answers.iter().enumerate() {
        if place > 0 {
            members.push(b',');
        }
        members.extend_from_slice(serde_json::Value::from(key.as_str()).to_string().as_bytes());
        members.push(b':');
        members.extend_from_slice(answer);
    }
    members.push(b'}');
    if let Some(state) = state {
        members.extend_from_slice(b",\"requestState\":");
        members.extend_from_slice(state.get().as_bytes());
    }
    insert_members(first, 0, &String::from_utf8_lossy(&members))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;
    use crate::gateway::aside::Aside;
    use crate::gateway::backend::test_upstream::call_of;
    use crate::gateway::call::Era;

    const ELICITS: &str = r#"{"elicitation":{}}"#;

    fn reply(result: &Value) -> Result<Reply, CallError> {
        Ok(Reply {
            era: Era::Modern,
            body: ReplyBody::Result(result.to_string().into()),
        })
    }

    /// An upstream that wants a name, and says what it was sent in the end.
    async fn wants_a_name(call: Call) -> Result<Reply, CallError> {
        let params: Value = serde_json::from_slice(&call.params.to_bytes()).unwrap();
        match params["inputResponses"]["who"]["content"]["name"].as_str() {
            Some(_) => reply(&json!({"resultType": "complete", "seen": params})),
            None => reply(&json!({
                "resultType": "input_required",
                "inputRequests": {"who": {"method": "elicitation/create", "params": {"message": "?"}}},
                "requestState": "sealed \" state",
            })),
        }
    }

    #[tokio::test]
    async fn what_a_modern_upstream_requires_is_asked_of_the_legacy_caller() {
        let (call, mut told) = call_of(ELICITS, json!({"name": "t", "arguments": {"a": 1}}));
        let answering = async {
            let Some(Aside::Request(request)) = told.recv().await else {
                panic!("not asked");
            };
            assert_eq!(&*request.method, "elicitation/create");
            let answer = json!({"action": "accept", "content": {"name": "Ada"}}).to_string();
            request
                .answer
                .send(ReplyBody::Result(answer.into()))
                .unwrap();
        };
        let (reply, ()) = tokio::join!(with_retries(call, "x", wants_a_name), answering);
        let ReplyBody::Result(result) = reply.unwrap().body else {
            panic!("an error");
        };
        let seen: Value = serde_json::from_slice(&result).unwrap();
        assert_eq!(seen["seen"]["requestState"], "sealed \" state");
        assert_eq!(seen["seen"]["arguments"], json!({"a": 1}));
        assert_eq!(seen["seen"]["inputResponses"]["who"]["action"], "accept");
    }

    #[tokio::test]
    async fn a_caller_that_cannot_answer_is_told_what_is_missing() {
        let (call, _told) = call_of("{}", json!({"name": "t"}));
        let error = with_retries(call, "x", wants_a_name).await.unwrap_err();
        assert!(error.to_string().contains("elicitation/create"), "{error}");
    }

    #[tokio::test]
    async fn an_upstream_that_is_never_content_is_given_up() {
        let (call, _told) = call_of(ELICITS, json!({"name": "t"}));
        let never = |_: Call| async { reply(&json!({"resultType": "input_required"})) };
        let error = with_retries(call, "x", never).await.unwrap_err();
        assert!(matches!(error, CallError::UpstreamDown { .. }));
    }
}
