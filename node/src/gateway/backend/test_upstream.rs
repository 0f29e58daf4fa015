//! What the tests of both kinds of upstream share: calls, settings, and waiting for a condition.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use peerage_protocol::id::{NodeId, ServerName};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::supervisor::Upstreams;
use super::timing::Timing;
use super::upstream::{UpstreamChange, UpstreamEvent, UpstreamState};
use crate::config::upstream::{UpstreamSettings, UpstreamTransport};
use crate::gateway::aside::Aside;
use crate::gateway::call::{
    ASIDES_WAITING_MAX, Call, CallError, Caller, Era, Notification, Reply, ReplyBody,
};
use crate::gateway::client::{Client, ClientSession};
use crate::gateway::mcp::splice::Params;

/// Upstreams in a hurry, and what they tell.
pub(crate) struct House {
    pub(crate) upstreams: Upstreams,
    pub(crate) events: mpsc::Receiver<UpstreamEvent>,
}

impl House {
    pub(crate) fn new(timing: Timing) -> Self {
        let (sender, events) = mpsc::channel(64);
        let node = NodeId::from_public_key([9; 32]);
        let upstreams = Upstreams::with_timing(std::env::temp_dir(), node, sender, timing);
        Self { upstreams, events }
    }

    /// Makes these the upstreams.
    pub(crate) fn apply(&self, upstreams: &[(&str, UpstreamSettings)]) {
        let named = upstreams
            .iter()
            .map(|(server, settings)| (name(server), settings.clone()));
        self.upstreams.apply(named.collect());
    }

    pub(crate) async fn call(&self, server: &str, call: Call) -> Result<Reply, CallError> {
        self.upstreams.get(&name(server)).unwrap().call(call).await
    }

    pub(crate) fn state(&self, server: &str) -> UpstreamState {
        let states = self.upstreams.states();
        states
            .into_iter()
            .find(|(found, _)| *found == name(server))
            .unwrap()
            .1
    }

    /// Waits until the upstream's state is as wanted.
    pub(crate) async fn until(&self, server: &str, wanted: impl Fn(&UpstreamState) -> bool) {
        until(|| wanted(&self.state(server))).await;
    }

    /// The names of the next list of tools.
    pub(crate) async fn next_tools(&mut self) -> Vec<String> {
        let event = timeout(PATIENCE, self.events.recv())
            .await
            .unwrap()
            .unwrap();
        match event.change {
            UpstreamChange::Offer(offer, _) => {
                offer.tools.into_iter().map(|tool| tool.name).collect()
            }
            UpstreamChange::Removed => panic!("{} was removed", event.server),
        }
    }
}

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `condition`.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < patience, "it never came true");
        sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn name(server: &str) -> ServerName {
    server.parse().unwrap()
}

/// Timing that does not keep a test waiting.
pub(crate) fn hurried() -> Timing {
    Timing {
        probe: Duration::from_millis(1_500),
        restart_first: Duration::from_millis(50),
        restart_last: Duration::from_millis(200),
        reconnect_first: Duration::from_millis(50),
        reconnect_last: Duration::from_millis(200),
        coalesce: Duration::from_millis(20),
        ..Timing::default()
    }
}

/// The Python server under `tests/fixtures`, behaving as told.
pub(crate) fn python(behaviour: &str) -> UpstreamSettings {
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/upstream.py"]
        .iter()
        .collect();
    program("python3", &[script.to_str().unwrap(), behaviour])
}

pub(crate) fn program(command: &str, args: &[&str]) -> UpstreamSettings {
    UpstreamSettings {
        share: false,
        transport: UpstreamTransport::Stdio {
            command: command.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: Default::default(),
            cwd: None,
            instance: Default::default(),
        },
    }
}

/// A legacy caller's `tools/call`, and its notifications.
pub(crate) fn call(tool: &str, arguments: Value) -> (Call, mpsc::Receiver<Aside>) {
    call_with(serde_json::json!({"name": tool, "arguments": arguments}))
}

pub(crate) fn call_with(params: Value) -> (Call, mpsc::Receiver<Aside>) {
    let (asides, received) = mpsc::channel(ASIDES_WAITING_MAX);
    let call = Call {
        caller: Caller::Guest,
        era: Era::Legacy,
        method: "tools/call".into(),
        params: Params::scan(Bytes::from(params.to_string())).unwrap(),
        deadline: Instant::now() + Duration::from_secs(20),
        via: Vec::new(),
        trace: None,
        client: Client::Session(ClientSession::new(Bytes::from_static(b"{}"), None).0),
        asides,
    };
    (call, received)
}

/// A legacy call of a client with these raw capabilities.
pub(crate) fn call_of(capabilities: &str, params: Value) -> (Call, mpsc::Receiver<Aside>) {
    let (call, told) = call_with(params);
    let raw = Bytes::copy_from_slice(capabilities.as_bytes());
    let client = Client::Session(ClientSession::new(raw, None).0);
    (Call { client, ..call }, told)
}

/// The message of a notification.
pub(crate) fn notified(aside: Aside) -> Bytes {
    match aside {
        Aside::Notification(Notification(message)) => message,
        other => panic!("no notification: {other:?}"),
    }
}

/// The text in a tool's result.
pub(crate) fn text(reply: Result<Reply, CallError>) -> String {
    let ReplyBody::Result(result) = reply.unwrap().body else {
        panic!("an error object");
    };
    let result: Value = serde_json::from_slice(&result).unwrap();
    result["content"][0]["text"].as_str().unwrap().to_owned()
}
