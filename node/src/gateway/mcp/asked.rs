//! What a client was asked on behalf of upstreams and has not answered yet.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::envelope::RequestId;
use super::splice::with_request_id;
use crate::gateway::aside::{ServerRequest, Withdrawn};
use crate::gateway::call::ReplyBody;

/// Requests to one client that may be unanswered at a time; one more is refused.
const ASKED_MAX: usize = 64;

/// The open requests to one client, by the ids we gave them.
#[derive(Debug, Default)]
pub struct Asked {
    last: u64,
    open: BTreeMap<RequestId, Open>,
}

#[derive(Debug)]
struct Open {
    /// The call that the upstream was running when it asked.
    call: Option<RequestId>,
    /// The request's own number.
    number: u64,
    answer: oneshot::Sender<ReplyBody>,
}

impl Asked {
    /// The message that asks; `None` where too much is open already.
    pub fn ask(&mut self, call: Option<&RequestId>, request: ServerRequest) -> Option<Bytes> {
        self.open.retain(|_, open| !open.answer.is_closed());
        if self.open.len() >= ASKED_MAX {
            request.refuse("this client has too many unanswered requests");
            return None;
        }
        self.last += 1;
        let id = RequestId::of_number(self.last);
        let method = serde_json::Value::from(&*request.method);
        let mut message = format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":{method}"#,
            id.as_json()
        )
        .into_bytes();
        if let Some(params) = &request.params {
            message.extend_from_slice(b",\"params\":");
            message.extend_from_slice(params);
        }
        message.push(b'}');
        let open = Open {
            call: call.cloned(),
            number: request.number,
            answer: request.answer,
        };
        self.open.insert(id, open);
        Some(message.into())
    }

    /// The client has answered; an answer to nothing that is open is dropped.
    pub fn answered(&mut self, id: &RequestId, body: ReplyBody) {
        if let Some(open) = self.open.remove(id) {
            let _ = open.answer.send(body);
        }
    }

    /// The message that takes a request back; `None` where the client has answered it or was never asked.
    pub fn withdrawn(&mut self, withdrawn: &Withdrawn) -> Option<Bytes> {
        let mut open = self.open.iter();
        let (id, _) = open.find(|(_, open)| open.number == withdrawn.request)?;
        let id = id.clone();
        self.open.remove(&id);
        with_request_id(&withdrawn.message, id.as_json())
    }

    /// The call is over: nobody waits for what was asked during it.
    pub fn forget(&mut self, call: &RequestId) {
        if !self.open.is_empty() {
            self.open.retain(|_, open| open.call.as_ref() != Some(call));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn request() -> (ServerRequest, oneshot::Receiver<ReplyBody>) {
        ServerRequest::new("roots/list", Some(Bytes::from_static(b"{\"a\": 1}")))
    }

    #[test]
    fn an_answer_comes_back_to_whoever_asked() {
        let mut asked = Asked::default();
        let (one, mut answered) = request();
        let (other, mut unanswered) = request();
        let message = asked.ask(None, one).unwrap();
        let expected = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list","params":{"a": 1}}"#;
        assert_eq!(message, expected.as_bytes());
        asked.ask(None, other).unwrap();
        let body = ReplyBody::Result(Bytes::from_static(b"{}"));
        asked.answered(&RequestId::of_number(9), body.clone());
        asked.answered(&RequestId::of_number(1), body.clone());
        assert_eq!(answered.try_recv(), Ok(body));
        assert!(unanswered.try_recv().is_err());
    }

    #[test]
    fn what_is_withdrawn_is_taken_back_under_the_id_that_the_client_knows() {
        let mut asked = Asked::default();
        let (other, _unanswered) = request();
        let (one, mut answered) = request();
        let withdrawn = Withdrawn {
            request: one.number,
            message: Bytes::from_static(br#"{"params":{"requestId":"theirs","reason":"late"}}"#),
        };
        asked.ask(None, other).unwrap();
        asked.ask(None, one).unwrap();
        let message = asked.withdrawn(&withdrawn).unwrap();
        assert_eq!(
            message,
            &br#"{"params":{"requestId":2,"reason":"late"}}"#[..]
        );
        assert!(answered.try_recv().is_err());
        assert_eq!(asked.withdrawn(&withdrawn), None);
        assert_eq!(asked.open.len(), 1);
    }

    #[test]
    fn what_was_asked_during_a_call_is_dropped_with_it() {
        let mut asked = Asked::default();
        let call = RequestId::of_number(5);
        let (during, mut gone) = request();
        let (outside, _kept) = request();
        asked.ask(Some(&call), during).unwrap();
        asked.ask(None, outside).unwrap();
        asked.forget(&call);
        assert_eq!(gone.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert_eq!(asked.open.len(), 1);
    }

    #[test]
    fn one_request_too_many_is_refused() {
        let mut asked = Asked::default();
        let mut open = Vec::new();
        for _ in 0..ASKED_MAX {
            let (one, answered) = request();
            assert!(asked.ask(None, one).is_some());
            open.push(answered);
        }
        let (one, mut answered) = request();
        assert_eq!(asked.ask(None, one), None);
        assert!(matches!(answered.try_recv(), Ok(ReplyBody::Error(_))));
    }
}
