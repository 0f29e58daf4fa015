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
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::super::{Credential, Health, HttpService, Service, Unauthorized, http_frontend};
use crate::gateway::call::{Call, CallError, Caller, Era, Notification, Reply, ReplyBody};
use crate::identity::TokenId;

pub(super) const OWN_ID: NodeId = NodeId::from_public_key([1; 32]);
pub(super) const TOKEN: &str = "good-token";
/// Another token of the same agent.
pub(super) const SECOND_TOKEN: &str = "better-token";

/// A service whose tools do what their names say.
pub(super) struct Double {
    pub(super) in_flight: watch::Sender<usize>,
    pub(super) finish: Notify,
    pub(super) tools: watch::Sender<u64>,
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
            tools: watch::Sender::new(0),
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
            "simple" => Ok(text("done")),
            "caller" => Ok(text(&format!("{:?} via {}", call.caller, call.via.len()))),
            "progress" => {
                let token = call.params.progress_token().map(Bytes::copy_from_slice).unwrap();
                for step in 1..=3 {
                    let token = String::from_utf8(token.to_vec()).unwrap();
                    let message = format!(
                        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\n\"params\":{{\"progressToken\":{token},\"progress\":{step}}}}}"
                    );
                    call.notifications.send(Notification(message.into())).await.unwrap();
                }
                Ok(text("done"))
            }
            "logs" => {
                let message = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#;
                let message = Notification(Bytes::from_static(message.as_bytes()));
                call.notifications.send(message).await.unwrap();
                Ok(text("done"))
            }
            "waits" => {
                self.finish.notified().await;
                Ok(text("waited"))
            }
            "begins_and_hangs" => {
                let message = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
                let message = Notification(Bytes::from_static(message.as_bytes()));
                call.notifications.send(message).await.unwrap();
                std::future::pending().await
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
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, CallError>> {
        self.answer(call).boxed()
    }

    fn tools_changed(&self) -> watch::Receiver<u64> {
        self.tools.subscribe()
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
pub(super) struct Events(pub(super) Body);

impl Events {
    pub(super) fn of(response: Response<Body>) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self(response.into_body())
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
        Some(self.0.frame().await?.unwrap().into_data().unwrap())
    }

    pub(super) async fn next(&mut self) -> Option<Value> {
        let frame = self.frame().await?;
        let data = frame.strip_prefix(b"event: message\ndata: ").unwrap();
        let data = data.strip_suffix(b"\n\n").unwrap();
        assert!(!data.contains(&b'\n'));
        Some(serde_json::from_slice(data).unwrap())
    }
}
