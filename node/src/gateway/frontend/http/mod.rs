//! MCP over HTTP: streamable HTTP and WebSocket at `/mcp`, both eras on one endpoint, the pair `/sse` and `/messages`
//! of 2024-11-05, `GET /mcp/health` and `GET /mcp/agents`.
//!
//! A modern request lives in its response: whoever drops the response cancels the call. A legacy request lives in
//! its session: only the session's end, its deadline or `notifications/cancelled` stop it.

mod answering;
mod body;
mod conversation;
mod guard;
mod http_sse;
mod legacy;
mod modern;
mod refusal;
mod replay;
mod request;
mod respond;
mod serve;
mod service;
mod sessions;
mod subscription;
mod websocket;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use answering::CALL_DEADLINE;
pub use body::BODIES_BYTES_MAX;
pub use serve::{CONNECTIONS_MAX, serve};
pub use service::{Credential, Health, Service, Unauthorized};
pub use sessions::{SESSION_IDLE_MAX, SESSIONS_MAX};

use crate::gateway::backend::http::GATEWAY;
use crate::gateway::call::Era;
use crate::gateway::frontend::rest::agents_api::AgentsResponse;
use crate::gateway::mcp::envelope::{self, Incoming};
use crate::gateway::mcp::era;
use body::Budget;
use http_sse::EventStreams;
use modern::Begun;
use refusal::HttpRefusal;
use replay::KEPT_BYTES_MAX;
use request::Exchange;
use sessions::Sessions;

/// Calls of all clients that may be under way at a time.
pub const CALLS_MAX: usize = 4_096;
/// `subscriptions/listen` streams that may be open at a time.
pub const SUBSCRIPTIONS_MAX: usize = 1_024;

/// Connections of clients that stay, WebSockets and streams of 2024-11-05, that may be open at a time.
pub const CONVERSATIONS_MAX: usize = 256;

/// What the HTTP frontend needs.
pub struct HttpService {
    /// Who answers.
    pub service: Arc<dyn Service>,
    /// Hosts that requests may name in `Host` besides the loopback names, without port: a bound address, say.
    pub allowed_hosts: Vec<String>,
    /// Ends the streams that would never end by themselves; calls under way are left to finish.
    pub shutdown: CancellationToken,
}

/// What all requests share.
struct Frontend {
    service: Arc<dyn Service>,
    allowed_hosts: Vec<String>,
    shutdown: CancellationToken,
    sessions: Sessions,
    calls: Arc<Semaphore>,
    subscriptions: Arc<Semaphore>,
    conversations: Arc<Semaphore>,
    event_streams: EventStreams,
    /// Room for the events that legacy clients may ask for again.
    replay: Arc<Semaphore>,
    bodies: Budget,
}

/// The router for `/mcp` and `/mcp/health`; it needs no socket.
pub fn http_frontend(service: HttpService) -> Router {
    let frontend = Frontend {
        service: service.service,
        allowed_hosts: service.allowed_hosts,
        shutdown: service.shutdown,
        sessions: Sessions::new(),
        calls: Arc::new(Semaphore::new(CALLS_MAX)),
        subscriptions: Arc::new(Semaphore::new(SUBSCRIPTIONS_MAX)),
        conversations: Arc::new(Semaphore::new(CONVERSATIONS_MAX)),
        event_streams: EventStreams::default(),
        replay: Arc::new(Semaphore::new(KEPT_BYTES_MAX / 1024)),
        bodies: Budget::new(BODIES_BYTES_MAX),
    };
    Router::new()
        .route("/mcp", any(mcp))
        .route("/mcp/health", get(health))
        .route("/mcp/agents", get(agents))
        .route("/sse", get(open_event_stream))
        .route("/messages", post(post_to_event_stream))
        .with_state(Arc::new(frontend))
}

/// Another node that has this one for an upstream must know it. Not a layer: that would cost every call some
/// allocations.
fn named(served: Result<Response, HttpRefusal>) -> Response {
    let mut response = served.unwrap_or_else(HttpRefusal::into_response);
    let headers = response.headers_mut();
    headers.insert(GATEWAY, HeaderValue::from_static("1"));
    response
}

async fn health(State(frontend): State<Arc<Frontend>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let checked = guard::check(&head, &frontend.allowed_hosts);
    named(checked.map(|()| axum::Json(frontend.service.health()).into_response()))
}

/// Who is present: told to whoever may call.
async fn agents(State(frontend): State<Arc<Frontend>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let listed = Exchange::begin(&frontend, &head).map(|_| {
        let agents = frontend.service.agents();
        axum::Json(AgentsResponse { agents }).into_response()
    });
    named(listed)
}

async fn mcp(State(frontend): State<Arc<Frontend>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let served = match head.method {
        Method::POST => post_message(&frontend, &head, body).await,
        Method::GET if websocket::is_asked_for(&head.headers) => {
            Box::pin(websocket::upgrade(&frontend, &mut head)).await
        }
        Method::GET => legacy::get(&frontend, &head),
        Method::DELETE => legacy::delete(&frontend, &head),
        _ => Err(HttpRefusal::MethodNotAllowed),
    };
    named(served)
}

async fn open_event_stream(State(frontend): State<Arc<Frontend>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    named(http_sse::open(&frontend, &head))
}

async fn post_to_event_stream(State(frontend): State<Arc<Frontend>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    named(http_sse::post(&frontend, &head, body).await)
}

async fn post_message(
    frontend: &Arc<Frontend>,
    head: &Parts,
    body: axum::body::Body,
) -> Result<Response, HttpRefusal> {
    let exchange = Exchange::begin(frontend, head)?;
    request::check_content_type(&head.headers)?;
    let body = frontend.bodies.read(body).await?;
    if envelope::is_batch(&body) {
        return legacy::batch(frontend, &exchange, head, &body);
    }
    let incoming = match envelope::read(&body) {
        Ok(incoming) => incoming,
        Err(answer) => return Ok(respond::json(StatusCode::BAD_REQUEST, answer)),
    };
    match era_of(&incoming, exchange.routing.version) {
        Era::Modern => match modern::begin(frontend, &exchange, head, incoming)? {
            Begun::Response(response) => Ok(response),
            Begun::Call(call) => Ok(respond::events(Era::Modern, exchange.accept, call).await),
        },
        Era::Legacy => Box::pin(legacy::post(frontend, &exchange, head, incoming)).await,
    }
}

fn era_of(incoming: &Incoming, version_header: Option<&str>) -> Era {
    match incoming {
        Incoming::Request(request) => era::of_message(version_header, &request.params),
        Incoming::Notification { params, .. } => era::of_message(version_header, params),
        Incoming::Response { .. } => Era::Legacy,
    }
}

#[cfg(test)]
mod tests;
