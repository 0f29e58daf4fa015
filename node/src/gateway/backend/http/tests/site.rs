//! A small MCP server over HTTP, in either era, that remembers what it was sent.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::config::upstream::{UpstreamSettings, UpstreamTransport};
use crate::gateway::call::Era;

/// What the server knows and does.
pub(super) struct Site {
    pub(super) era: Era,
    /// Answers calls with event streams.
    pub(super) streams: AtomicBool,
    /// Answers everything with this status, unless 0.
    pub(super) refuse: AtomicU16,
    /// The last session that was opened.
    pub(super) session: AtomicU64,
    /// The last session that is not known any more.
    pub(super) forgotten: AtomicU64,
    /// Tools beside the first twelve.
    pub(super) grown: watch::Sender<usize>,
    /// As many more, announced to nobody but the caller that made them grow.
    pub(super) grown_unannounced: AtomicUsize,
    /// Refuses the version of the next request once, and names it as spoken.
    pub(super) wavers: AtomicBool,
    /// Ids of calls whose streams were closed before the answer, which is on the stream that resumes them.
    pub(super) owed: Mutex<Vec<Value>>,
    /// Streams closed by the client before the answer.
    pub(super) abandoned: AtomicUsize,
    /// Requests as they came.
    pub(super) seen: Mutex<Vec<(HeaderMap, Value)>>,
}

/// A server that listens on the loopback.
pub(super) struct Served {
    pub(super) site: Arc<Site>,
    pub(super) address: std::net::SocketAddr,
    /// Its own: with it, every connection ends at once.
    runtime: Option<Runtime>,
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Served {
    pub(super) async fn start(era: Era) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), era).await
    }

    pub(super) async fn start_at(address: std::net::SocketAddr, era: Era) -> Self {
        let listener = loop {
            // The one before may not have let go of the port yet.
            if let Ok(listener) = std::net::TcpListener::bind(address) {
                break listener;
            }
            tokio::task::yield_now().await;
        };
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let site = Arc::new(Site {
            era,
            streams: AtomicBool::new(false),
            refuse: AtomicU16::new(0),
            session: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
            grown: watch::Sender::new(0),
            grown_unannounced: AtomicUsize::new(0),
            wavers: AtomicBool::new(false),
            owed: Mutex::default(),
            abandoned: AtomicUsize::new(0),
            seen: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&site));
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            site,
            address,
            runtime: Some(runtime),
        }
    }

    pub(super) fn settings(&self) -> UpstreamSettings {
        UpstreamSettings {
            share: false,
            transport: UpstreamTransport::Http {
                url: format!("http://{}/mcp", self.address),
                headers: BTreeMap::from([(
                    "authorization".to_owned(),
                    "Bearer hunter2".to_owned(),
                )]),
            },
        }
    }

    /// The requests of that method.
    pub(super) fn seen(&self, method: &str) -> Vec<(HeaderMap, Value)> {
        let seen = self.site.seen.lock().unwrap();
        seen.iter()
            .filter(|(_, message)| message["method"] == method)
            .cloned()
            .collect()
    }
}

async fn answer(
    State(site): State<Arc<Site>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let message: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    site.seen
        .lock()
        .unwrap()
        .push((headers.clone(), message.clone()));
    match site.refuse.load(Ordering::SeqCst) {
        0 => {}
        status => return status_only(StatusCode::from_u16(status).unwrap()),
    }
    let opens = matches!(
        message["method"].as_str(),
        Some("initialize" | "server/discover")
    );
    let known = headers.get("mcp-session-id").is_some_and(|id| {
        let id: u64 = id.to_str().unwrap().parse().unwrap();
        id > site.forgotten.load(Ordering::SeqCst)
    });
    if site.era == Era::Legacy && !opens && !known {
        return status_only(StatusCode::NOT_FOUND);
    }
    match method {
        Method::GET if headers.contains_key("last-event-id") => resumed(&site),
        Method::GET => announcements(&site),
        Method::POST => post(site, message).await,
        _ => status_only(StatusCode::OK),
    }
}

fn status_only(status: StatusCode) -> Response<Body> {
    Response::builder()
        .status(status)
        .body(Body::empty())
        .unwrap()
}

async fn post(site: Arc<Site>, message: Value) -> Response<Body> {
    let id = message["id"].clone();
    let params = &message["params"];
    match (message["method"].as_str().unwrap(), site.era) {
        ("initialize", Era::Legacy) => {
            let session = site.session.fetch_add(1, Ordering::SeqCst) + 1;
            let mut response = json_answer(
                &id,
                json!({"protocolVersion": "2025-06-18", "capabilities": {}}),
            );
            let session = HeaderValue::from_str(&session.to_string()).unwrap();
            response.headers_mut().insert("mcp-session-id", session);
            response
        }
        ("server/discover", Era::Modern) if site.wavers.swap(false, Ordering::SeqCst) => {
            let data = json!({"supported": ["2026-07-28"], "requested": "2026-07-28"});
            refusal(
                &id,
                json!({"code": -32022, "message": "unsupported", "data": data}),
            )
        }
        ("server/discover", Era::Modern) => {
            json_answer(&id, json!({"supportedVersions": ["2026-07-28"]}))
        }
        ("subscriptions/listen", Era::Modern) => announcements(&site),
        ("tools/list", _) => json_answer(&id, list_page(&site, params)),
        ("tools/call", _) => call(site, id, params).await,
        _ if id.is_null() => status_only(StatusCode::ACCEPTED),
        _ => refusal(&id, json!({"code": -32601, "message": "unknown"})),
    }
}

fn refusal(id: &Value, error: Value) -> Response<Body> {
    let error = json!({"jsonrpc": "2.0", "id": id, "error": error});
    Response::builder()
        .status(StatusCode::BAD_REQUEST)
        .header("content-type", "application/json")
        .body(error.to_string().into())
        .unwrap()
}

fn json_answer(id: &Value, result: Value) -> Response<Body> {
    let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
    Response::builder()
        .header("content-type", "application/json; charset=utf-8")
        .body(serde_json::to_string_pretty(&answer).unwrap().into())
        .unwrap()
}

fn list_page(site: &Site, params: &Value) -> Value {
    let at: usize = params["cursor"]
        .as_str()
        .map_or(0, |cursor| cursor.parse().unwrap());
    let count = 12 + *site.grown.borrow() + site.grown_unannounced.load(Ordering::SeqCst);
    let tools: Vec<_> = (at..count.min(at + 5))
        .map(|n| json!({"name": format!("t{n}")}))
        .collect();
    match at + 5 < count {
        true => json!({"tools": tools, "nextCursor": (at + 5).to_string()}),
        false => json!({"tools": tools}),
    }
}

async fn call(site: Arc<Site>, id: Value, params: &Value) -> Response<Body> {
    let arguments = &params["arguments"];
    let result = json!({"content": [{"type": "text", "text": arguments["text"].as_str().unwrap_or("done")}]});
    match params["name"].as_str().unwrap() {
        "big" => json_answer(&id, json!("x".repeat(17 * 1024 * 1024))),
        "drop" => events(stream::iter([Ok(comment())]).boxed()),
        "grow" => {
            site.grown_unannounced.fetch_add(1, Ordering::SeqCst);
            let news = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
            let last = json!({"jsonrpc": "2.0", "id": id, "result": result});
            events(stream::iter([Ok(event(&news)), Ok(event(&last))]).boxed())
        }
        "poll" => {
            site.owed.lock().unwrap().push(id);
            events(stream::iter([Ok(numbered())]).boxed())
        }
        "hang" => {
            let guard = Abandoned(site);
            let never = stream::pending().map(move |event| {
                let _ = &guard;
                event
            });
            events(stream::iter([Ok(comment())]).chain(never).boxed())
        }
        _ if !site.streams.load(Ordering::SeqCst) => json_answer(&id, result),
        _ => {
            let token = params["_meta"]["progressToken"].clone();
            let steps = arguments["steps"].as_u64().unwrap_or(0);
            let progress = (0..steps).map(move |step| {
                event(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": step}}))
            });
            let last = event(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
            events(stream::iter(progress.chain([last]).map(Ok)).boxed())
        }
    }
}

/// Counts a stream that the client has closed.
struct Abandoned(Arc<Site>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.abandoned.fetch_add(1, Ordering::SeqCst);
    }
}

fn comment() -> Bytes {
    Bytes::from_static(b": the answer takes its time\n\n")
}

/// An event without data, after which the stream can be resumed.
fn numbered() -> Bytes {
    Bytes::from_static(b"id: e1\nretry: 200\ndata: \n\n")
}

/// Closed once more before the answers that are owed.
fn resumed(site: &Site) -> Response<Body> {
    let seen = site.seen.lock().unwrap();
    let again = |(headers, _): &&(HeaderMap, Value)| headers.contains_key("last-event-id");
    if seen.iter().filter(again).count() == 1 {
        return events(stream::iter([Ok(comment())]).boxed());
    }
    let owed = std::mem::take(&mut *site.owed.lock().unwrap());
    let answers = owed.into_iter().map(|id| {
        let result = json!({"content": [{"type": "text", "text": "resumed"}]});
        Ok(event(
            &json!({"jsonrpc": "2.0", "id": id, "result": result}),
        ))
    });
    events(stream::iter(answers.collect::<Vec<_>>()).boxed())
}

fn event(message: &Value) -> Bytes {
    format!("event: message\ndata: {message}\n\n").into()
}

fn events(stream: BoxStream<'static, Result<Bytes, Infallible>>) -> Response<Body> {
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(Body::from_stream(stream))
        .unwrap()
}

fn announcements(site: &Site) -> Response<Body> {
    let changed = event(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
    let grown = stream::unfold(site.grown.subscribe(), move |mut grown| {
        let changed = changed.clone();
        async move {
            grown.changed().await.ok()?;
            Some((Ok(changed), grown))
        }
    });
    events(stream::iter([Ok(comment())]).chain(grown).boxed())
}
