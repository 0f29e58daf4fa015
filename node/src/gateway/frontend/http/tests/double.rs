//! A service whose tools do what their names say, and a client that speaks to a router.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use peerage_protocol::id::NodeId;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::super::{Credential, Health, HttpService, Service, Unauthorized, http_frontend};
use crate::control::ListVersions;
use crate::gateway::aside::{Aside, ServerRequest};
use crate::gateway::call::{Call, CallError, Caller, Era, Reply, ReplyBody, Replying};
use crate::gateway::directory::AgentStatus;
use crate::identity::TokenId;

pub(super) const OWN_ID: NodeId = NodeId::from_public_key([1; 32]);
pub(super) const TOKEN: &str = "good-token";
/// Another token of the same agent.
pub(super) const SECOND_TOKEN: &str = "better-token";

/// A service whose tools do what their names say.
pub(super) struct Double {
    pub(super) in_flight: watch::Sender<usize>,
    pub(super) finish: Notify,
    pub(super) lists: watch::Sender<ListVersions>,
    pub(super) revoked: watch::Sender<Option<TokenId>>,
}

/// Counts a call for as long as it lives.
struct InFlight<'a>(&'a watch::Sender<usize>);

impl<'a> InFlight<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

fn reply(result: &Value) -> Reply {
    Reply {
        era: Era::Legacy,
        body: ReplyBody::Result(result.to_string().into()),
    }
}

fn text(text: &str) -> Reply {
    reply(&json!({"content": [{"type": "text", "text": text}]}))
}

impl Double {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            in_flight: watch::Sender::new(0),
            finish: Notify::new(),
            lists: watch::Sender::default(),
            revoked: watch::Sender::new(None),
        })
    }

    pub(super) async fn until_in_flight(&self, wanted: usize) {
        let mut count = self.in_flight.subscribe();
        let reached = count.wait_for(|count| *count == wanted);
        tokio::time::timeout(Duration::from_secs(30), reached)
            .await
            .expect("the number of calls under way is reached in time")
            .unwrap();
    }

    async fn answer(&self, call: Call) -> Result<Reply, CallError> {
        let _counted = InFlight::new(&self.in_flight);
        if &*call.method == "tools/list" {
            return Ok(reply(&json!({"tools": []})));
        }
        let name = call.params.name().unwrap_or_default().into_owned();
        match name.as_str() {
            "simple" | "placed" => Ok(text("done")),
            "caller" => Ok(text(&format!("{:?} via {}", call.caller, call.via.len()))),
            "progress" => {
                let token = call.params.progress_token().map(Bytes::copy_from_slice).unwrap();
                for step in 1..=3 {
                    let token = String::from_utf8(token.to_vec()).unwrap();
                    let message = format!(
                        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\n\"params\":{{\"progressToken\":{token},\"progress\":{step}}}}}"
                    );
                    call.asides.send(Aside::notification(message.into())).await.unwrap();
                }
                Ok(text("done"))
            }
            "logs" => {
                let message = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#;
                let message = Aside::notification(Bytes::from_static(message.as_bytes()));
                call.asides.send(message).await.unwrap();
                Ok(text("done"))
            }
            "chatters" => {
                for step in 1..=100 {
                    let message = format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":{step}}}}}"#);
                    call.asides.send(Aside::notification(message.into())).await.unwrap();
                }
                Ok(text("done"))
            }
            "large" => {
                let message = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
                let message = Aside::notification(Bytes::from_static(message.as_bytes()));
                call.asides.send(message).await.unwrap();
                Ok(text(&"x".repeat(8 * 1024 * 1024)))
            }
            "waits" => {
                self.finish.notified().await;
                Ok(text("waited"))
            }
            "begins_and_hangs" => {
                let message = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
                let message = Aside::notification(Bytes::from_static(message.as_bytes()));
                call.asides.send(message).await.unwrap();
                std::future::pending().await
            }
            "asks" => {
                let params = Bytes::from_static(br#"{"message":"who?"}"#);
                let (request, answered) = ServerRequest::new("elicitation/create", Some(params));
                call.asides.send(Aside::Request(request)).await.unwrap();
                match answered.await {
                    Ok(ReplyBody::Result(answer)) => Ok(text(&String::from_utf8_lossy(&answer))),
                    Ok(ReplyBody::Error(error)) => Ok(text(&String::from_utf8_lossy(&error))),
                    Err(_) => Ok(text("nobody answered")),
                }
            }
            "hangs" => std::future::pending().await,
            "lacks_capability" => Ok(Reply {
                era: Era::Modern,
                body: ReplyBody::Error(Bytes::from_static(
                    br#"{"code":-32021,"message":"Missing","data":{"requiredCapabilities":{"sampling":{}}}}"#,
                )),
            }),
            _ => Err(CallError::UnknownTool { name }),
        }
    }
}

impl Service for Double {
    fn call(self: Arc<Self>, call: Call) -> Replying {
        async move { self.answer(call).await }.boxed()
    }

    fn lists_changed(&self) -> watch::Receiver<ListVersions> {
        self.lists.subscribe()
    }

    fn follow(
        &self,
        _: Caller,
        uri: String,
        updated: mpsc::Sender<()>,
    ) -> BoxFuture<'static, Result<BoxFuture<'static, ()>, CallError>> {
        async move {
            if uri != "a:1" {
                return Err(CallError::UnknownResource { uri });
            }
            updated.send(()).await.unwrap();
            Ok(std::future::pending().boxed())
        }
        .boxed()
    }

    fn tool_definition(&self, name: &str) -> Option<Arc<str>> {
        let schema = r#"{"properties": {"region": {"x-mcp-header": "Region"}}}"#;
        (name == "placed")
            .then(|| format!(r#"{{"name": "placed", "inputSchema": {schema}}}"#).into())
    }

    fn authenticate(&self, bearer: Option<&str>) -> Result<Credential, Unauthorized> {
        let caller = match bearer {
            None => Caller::Guest,
            Some(TOKEN | SECOND_TOKEN) => Caller::Agent("ada".parse().unwrap()),
            Some(_) => return Err(Unauthorized),
        };
        let token = bearer.map(TokenId::of);
        Ok(Credential { caller, token })
    }

    fn until_revoked(&self, credential: &Credential) -> BoxFuture<'static, ()> {
        let (token, mut revoked) = (credential.token, self.revoked.subscribe());
        async move {
            let is_this = |revoked: &Option<TokenId>| token.is_some() && *revoked == token;
            let _ = revoked.wait_for(is_this).await;
        }
        .boxed()
    }

    fn agents(&self) -> Vec<AgentStatus> {
        Vec::new()
    }

    fn node_id(&self) -> NodeId {
        OWN_ID
    }

    fn health(&self) -> Health {
        Health {
            status: "ok",
            version: "0.0.0",
            uptime: 1,
            connections: 2,
            tools: 3,
            memory_mb: 4.5,
            cpu_percent: 0.5,
        }
    }
}

/// A router over a [`Double`].
pub(super) struct Client {
    pub(super) double: Arc<Double>,
    pub(super) router: Router,
    pub(super) shutdown: CancellationToken,
}

impl Client {
    pub(super) fn new() -> Self {
        let double = Double::new();
        let shutdown = CancellationToken::new();
        let router = http_frontend(HttpService {
            service: double.clone(),
            allowed_hosts: vec!["node.example".to_owned()],
            shutdown: shutdown.clone(),
        });
        Self {
            double,
            router,
            shutdown,
        }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn post(&self, headers: &[(&str, &str)], body: &Value) -> Response<Body> {
        self.send(post(headers, body.to_string())).await
    }

    /// Opens a legacy session and says so; returns its id.
    pub(super) async fn initialize(&self, version: &str) -> String {
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let request = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let response = self.post(&[], &request).await;
        assert_eq!(response.status(), StatusCode::OK);
        let id = response.headers()["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let response = self.post(&[("mcp-session-id", &id)], &initialized).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        id
    }
}

/// A POST as a well-behaved client sends it, and `headers` over that.
pub(super) fn post(headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post("/mcp").body(body.into()).unwrap();
    let usual = [
        ("host", "localhost:8080"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    for (name, value) in usual.iter().chain(headers) {
        let name = http::HeaderName::try_from(*name).unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

/// A request without body.
pub(super) fn bare(method: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = post(headers, Body::empty());
    *request.method_mut() = method.parse().unwrap();
    request
}

pub(super) fn call(id: u32, tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {"name": tool, "arguments": {}, "_meta": {"progressToken": "p"}}})
}

/// A modern request, and the headers that repeat it.
pub(super) fn modern(method: &str, tool: Option<&str>) -> (Vec<(&'static str, String)>, Value) {
    let meta = json!({
        "progressToken": "p",
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut params = json!({"_meta": meta, "notifications": {"toolsListChanged": true}});
    let mut headers = vec![
        ("mcp-protocol-version", "2026-07-28".to_owned()),
        ("mcp-method", method.to_owned()),
    ];
    if let Some(tool) = tool {
        params["name"] = json!(tool);
        headers.push(("mcp-name", tool.to_owned()));
    }
    let body = json!({"jsonrpc": "2.0", "id": "m-1", "method": method, "params": params});
    (headers, body)
}

pub(super) async fn send_modern(
    client: &Client,
    method: &str,
    tool: Option<&str>,
) -> Response<Body> {
    let (headers, body) = modern(method, tool);
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    client.post(&headers, &body).await
}

pub(super) async fn json_body(response: Response<Body>) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

/// The messages of an event stream, as far as it has come.
pub(super) struct Events {
    body: Body,
    /// The id of the last event, where events have ids.
    pub(super) last_id: Option<String>,
}

impl Events {
    pub(super) fn of(response: Response<Body>) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            last_id: None,
        }
    }

    /// The next event by its name, and its data.
    pub(super) async fn named(&mut self) -> Option<(String, String)> {
        let frame = String::from_utf8(self.frame().await?.to_vec()).unwrap();
        let (name, data) = frame.split_once("\ndata: ").unwrap();
        let name = name.strip_prefix("event: ").unwrap();
        Some((
            name.to_owned(),
            data.strip_suffix("\n\n").unwrap().to_owned(),
        ))
    }

    pub(super) async fn frame(&mut self) -> Option<Bytes> {
        Some(self.body.frame().await?.unwrap().into_data().unwrap())
    }

    /// The next event that carries a message.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            let frame = String::from_utf8(self.frame().await?.to_vec()).unwrap();
            let frame = frame.strip_suffix("\n\n").unwrap();
            let mut message = None;
            for line in frame.lines() {
                match line.split_once(": ").unwrap() {
                    ("id", id) => self.last_id = Some(id.to_owned()),
                    ("data", data) => message = (!data.is_empty()).then(|| data.to_owned()),
                    ("event", name) => assert_eq!(name, "message"),
                    other => panic!("not a field of ours: {other:?}"),
                }
            }
            if let Some(message) = message {
                return Some(serde_json::from_str(&message).unwrap());
            }
        }
    }

    /// The next event is the one that only says where the stream begins.
    pub(super) async fn primed(&mut self) -> String {
        let frame = String::from_utf8(self.frame().await.unwrap().to_vec()).unwrap();
        let id = frame.strip_prefix("id: ").unwrap();
        id.strip_suffix("\ndata: \n\n").unwrap().to_owned()
    }
}
