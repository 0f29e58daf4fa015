//! A modern caller at a legacy upstream: a call whose upstream asks for something is parked, alive, until its caller
//! comes back with the answers; or until its time is over, which cancels it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use peerage_protocol::id::ServerName;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::binding;
use super::sealing::Seal;
use crate::gateway::aside::{Aside, ServerRequest};
use crate::gateway::call::{
    ASIDES_WAITING_MAX, Call, CallError, Era, Notification, Reply, ReplyBody,
};
use crate::gateway::mcp::splice::notification_token;

/// How long a caller may take for its answers, and a parked call lives.
pub(crate) const PARKED_FOR: Duration = Duration::from_secs(10 * 60);
/// Calls parked at one node; one more is refused.
pub(crate) const PARKED_MAX: usize = 1_024;

type Running = BoxFuture<'static, Result<Reply, CallError>>;
type Id = [u8; 16];

/// The parked calls of one node.
#[derive(Debug)]
pub(crate) struct Parking {
    seal: Option<Seal>,
    parked: Mutex<HashMap<Id, Parked>>,
}

/// A call under way whose upstream may ask its caller.
struct Parked {
    running: Running,
    told: mpsc::Receiver<Aside>,
    /// What the upstream has asked and was not answered, by the keys that the caller knows.
    asked: BTreeMap<String, ServerRequest>,
    last_key: u64,
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parked").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Retry<'a> {
    #[serde(borrow)]
    input_responses: Option<HashMap<String, &'a RawValue>>,
    request_state: Option<String>,
}

impl Default for Parking {
    fn default() -> Self {
        Self {
            seal: Seal::new(),
            parked: Mutex::default(),
        }
    }
}

impl Parking {
    /// Answers the call of a modern caller at a legacy upstream: begins it by `start`, or goes on with the parked one
    /// that the caller names.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        call: Call,
        server: &ServerName,
        start: impl FnOnce(Call) -> Running,
    ) -> Result<Reply, CallError> {
        let binding = binding::of_call(&call, server);
        let raw = call.params.to_bytes();
        let retry: Retry<'_> =
            serde_json::from_slice(&raw).map_err(|error| CallError::InvalidParams {
                what: format!("params: {error}"),
            })?;
        let parked = match &retry.request_state {
            Some(state) => {
                let mut parked = self.take(state, &binding)?;
                parked.settle(&retry.input_responses.unwrap_or_default());
                parked
            }
            None => Parked::begin(&call, start),
        };
        self.drive(parked, &call, &binding).await
    }

    async fn drive(
        self: &Arc<Self>,
        mut parked: Parked,
        call: &Call,
        binding: &[u8; 32],
    ) -> Result<Reply, CallError> {
        loop {
            if !parked.asked.is_empty() {
                return self.park(parked, binding);
            }
            tokio::select! {
                biased;
                Some(aside) = parked.told.recv() => parked.hear(aside, call).await,
                reply = &mut parked.running => {
                    while let Ok(aside) = parked.told.try_recv() {
                        parked.hear(aside, call).await;
                    }
                    return reply;
                }
            }
        }
    }

    /// Keeps the call, and tells its caller what is wanted and under which state it can go on.
    fn park(self: &Arc<Self>, parked: Parked, binding: &[u8; 32]) -> Result<Reply, CallError> {
        let full = || CallError::Busy {
            what: format!("{PARKED_MAX} calls wait for their callers' input"),
        };
        let mut id = Id::default();
        getrandom::fill(&mut id).map_err(|_| full())?;
        let sealed = self.seal.as_ref().and_then(|seal| seal.seal(&id, binding));
        let state = sealed.ok_or_else(full)?;
        let result = parked.required(&state);
        let mut calls = self.lock();
        if calls.len() >= PARKED_MAX {
            return Err(full());
        }
        calls.insert(id, parked);
        drop(calls);
        let parking = Arc::downgrade(self);
        tokio::spawn(async move {
            sleep(PARKED_FOR).await;
            if let Some(parking) = parking.upgrade() {
                let expired = parking.lock().remove(&id);
                drop(expired);
            }
        });
        Ok(Reply {
            era: Era::Modern,
            body: ReplyBody::Result(result),
        })
    }

    /// Takes out the call that `state` names; nobody can go on with it twice.
    fn take(&self, state: &str, binding: &[u8; 32]) -> Result<Parked, CallError> {
        let opened = self
            .seal
            .as_ref()
            .and_then(|seal| seal.open(state, binding));
        let id = opened.and_then(|id| Id::try_from(id).ok());
        let parked = id.and_then(|id| self.lock().remove(&id));
        parked.ok_or_else(|| CallError::InvalidParams {
            what: "params.requestState is not one that this request was given, or has expired; begin again without it"
                .to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parked {
    fn begin(call: &Call, start: impl FnOnce(Call) -> Running) -> Self {
        let (asides, told) = mpsc::channel(ASIDES_WAITING_MAX);
        let inner = Call {
            asides,
            deadline: Instant::now() + PARKED_FOR,
            ..call.with_params(call.params.clone())
        };
        Self {
            running: start(inner),
            told,
            asked: BTreeMap::new(),
            last_key: 0,
        }
    }

    /// Passes a notification on, keeps a request.
    async fn hear(&mut self, aside: Aside, call: &Call) {
        match aside {
            Aside::Request(request) => {
                self.last_key += 1;
                self.asked.insert(format!("r{}", self.last_key), request);
            }
            Aside::Withdrawn(withdrawn) => {
                self.asked
                    .retain(|_, request| request.number != withdrawn.request);
            }
            Aside::Notification(Notification(message)) => {
                // Each round has a progress token of its own.
                let message = match call.params.progress_token() {
                    Some(token) => notification_token(&message, token).unwrap_or(message),
                    None => message,
                };
                let _ = call.asides.send(Aside::notification(message)).await;
            }
        }
    }

    /// Brings the caller's answers to the upstream; what is not among them is asked for again.
    fn settle(&mut self, answers: &HashMap<String, &RawValue>) {
        for (key, answer) in answers {
            if let Some(request) = self.asked.remove(key) {
                let raw = Bytes::copy_from_slice(answer.get().as_bytes());
                let _ = request.answer.send(ReplyBody::Result(raw));
            }
        }
    }

    /// The raw result that says what is wanted.
    fn required(&self, state: &str) -> Bytes {
        let mut result = Vec::from(&br#"{"resultType":"input_required","inputRequests":{"#[..]);
        for (place, (key, request)) in self.asked.iter().enumerate() {
            if place > 0 {
                result.push(b',');
            }
            let method = serde_json::Value::from(&*request.method);
            result.extend_from_slice(format!(r#""{key}":{{"method":{method}"#).as_bytes());
            if let Some(params) = &request.params {
                result.extend_from_slice(b",\"params\":");
                result.extend_from_slice(params);
            }
            result.push(b'}');
        }
        result.extend_from_slice(format!(r#"}},"requestState":"{state}"}}"#).as_bytes());
        result.into()
    }
}

#[cfg(test)]
#[path = "parking_tests.rs"]
mod tests;
