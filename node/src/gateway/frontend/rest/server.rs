//! Serves the control API on the Unix socket in the home, to processes of the same user only.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use peerage_protocol::limits::BODY_BYTES_MAX;
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream, unix};
use tokio_util::sync::CancellationToken;

use super::agents_api::TokenShown;
use super::api::{CallRequest, InviteRequest, JoinRequest, RenameRequest, TokenRequest};
use super::keys_api::FoundRequest;
use super::members_api::RevokeRequest;
use super::refusal::{Exit, Refused};
use super::requests_api::{ApproveRequest, AskRequest, CollectRequest, OpenRequests};
use super::service::OwnerService;

/// The socket of one node; only its owner's processes get through.
pub struct OwnerSocket {
    listener: UnixListener,
}

impl OwnerSocket {
    /// Binds `path` with mode 0600; a socket left behind by a node that ended without stopping is replaced, which is
    /// safe because the caller holds the home's lock.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener })
    }
}

impl axum::serve::Listener for OwnerSocket {
    type Io = UnixStream;
    type Addr = unix::SocketAddr;

    async fn accept(&mut self) -> (UnixStream, unix::SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) if is_owner(&stream) => return (stream, address),
                Ok(_) => {
                    tracing::warn!("another user tried the control socket and was turned away")
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket could not accept");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<unix::SocketAddr> {
        self.listener.local_addr()
    }
}

fn is_owner(stream: &UnixStream) -> bool {
    let owner = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|credentials| credentials.uid() == owner)
}

/// Serves until `stop`.
pub async fn serve(socket: OwnerSocket, service: Arc<OwnerService>, stop: CancellationToken) {
    let served =
        axum::serve(socket, routes(service)).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the control socket ended");
    }
}

/// The control API as a router.
pub fn routes(service: Arc<OwnerService>) -> axum::Router {
    axum::Router::new()
        .route("/v1/status", get(status))
        .route("/v1/nodes", get(nodes))
        .route("/v1/agents", get(agents))
        .route("/v1/addresses", get(addresses))
        .route("/v1/scan", post(begin_scan).get(scan))
        .route("/v1/tools", get(tools))
        .route("/v1/call", post(call))
        .route("/v1/invite", post(invite))
        .route("/v1/tickets", get(tickets))
        .route("/v1/tickets/{id}", delete(withdraw_ticket))
        .route("/v1/join", post(join))
        .route("/v1/rename", post(rename))
        .route("/v1/leave", post(leave))
        .route("/v1/members", get(members))
        .route("/v1/requests", get(requests).post(open_requests))
        .route("/v1/approve", post(approve))
        .route("/v1/ask", post(ask))
        .route("/v1/keys/rotate", post(rotate_key))
        .route("/v1/found", post(found))
        .route("/v1/collect", post(collect))
        .route("/v1/revoke", post(revoke))
        .route("/v1/reload", post(reload))
        .route("/v1/tokens", post(create_token).get(tokens))
        .route("/v1/agent-of-token", post(agent_of_token))
        .route("/v1/tokens/{name}", delete(revoke_token))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(service)
}

type Service = State<Arc<OwnerService>>;

async fn status(State(service): Service) -> Response {
    respond(Ok(service.status()))
}

async fn nodes(State(service): Service) -> Response {
    respond(Ok(service.nodes()))
}

async fn agents(State(service): Service) -> Response {
    respond(Ok(service.agents()))
}

async fn addresses(State(service): Service) -> Response {
    respond(service.addresses().await)
}

async fn begin_scan(State(service): Service) -> Response {
    respond(Ok(service.begin_scan()))
}

async fn scan(State(service): Service) -> Response {
    respond(Ok(service.scan()))
}

#[derive(Deserialize)]
struct ToolsQuery {
    #[serde(default)]
    query: String,
}

async fn tools(State(service): Service, Query(asked): Query<ToolsQuery>) -> Response {
    respond(Ok(service.tools(&asked.query)))
}

async fn call(State(service): Service, body: Result<Json<CallRequest>, JsonRejection>) -> Response {
    match body {
        Ok(Json(request)) => respond(service.call(request).await),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn invite(
    State(service): Service,
    body: Result<Json<InviteRequest>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(request)) => respond(service.invite(&request).await),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn tickets(State(service): Service) -> Response {
    respond(service.tickets().await)
}

async fn withdraw_ticket(State(service): Service, UrlPath(id): UrlPath<String>) -> Response {
    respond(service.withdraw_ticket(&id).await)
}

async fn join(State(service): Service, body: Result<Json<JoinRequest>, JsonRejection>) -> Response {
    match body {
        Ok(Json(request)) => respond(service.join(&request).await),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn rename(
    State(service): Service,
    body: Result<Json<RenameRequest>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(request)) => respond(service.rename(&request).await),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn members(State(service): Service) -> Response {
    respond(service.members())
}

async fn revoke(
    State(service): Service,
    body: Result<Json<RevokeRequest>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(request)) => respond(service.revoke(&request).await),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn rotate_key(State(service): Service) -> Response {
    respond(service.rotate_key().await)
}

async fn found(
    State(service): Service,
    body: Result<Json<FoundRequest>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(request)) => respond(service.found_by_root(&request).await),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn requests(State(service): Service) -> Response {
    respond(service.requests().await)
}

async fn open_requests(
    State(service): Service,
    body: Result<Json<OpenRequests>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(request)) => respond(service.open_requests(&request).await),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn approve(
    State(service): Service,
    body: Result<Json<ApproveRequest>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(request)) => respond(service.approve(&request).await),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn ask(State(service): Service, body: Result<Json<AskRequest>, JsonRejection>) -> Response {
    match body {
        Ok(Json(request)) => respond(service.ask(&request).await),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn collect(
    State(service): Service,
    body: Result<Json<CollectRequest>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(request)) => respond(service.collect(&request).await),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn leave(State(service): Service) -> Response {
    respond(service.leave().await)
}

async fn reload(State(service): Service) -> Response {
    respond(service.reload().await)
}

async fn create_token(
    State(service): Service,
    body: Result<Json<TokenRequest>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(request)) => respond(service.create_token(&request).await),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn agent_of_token(
    State(service): Service,
    body: Result<Json<TokenShown>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(shown)) => respond(service.agent_of_token(&shown)),
        Err(rejection) => respond_bad_body(&rejection),
    }
}

async fn tokens(State(service): Service) -> Response {
    respond(service.tokens().await)
}

async fn revoke_token(State(service): Service, UrlPath(name): UrlPath<String>) -> Response {
    respond(service.revoke_token(&name).await)
}

async fn unknown() -> Response {
    respond::<()>(Err(Refused::new(
        Exit::Failed,
        "unknown_request",
        "this node does not know that request",
        "use the same version of peerage for the command and the node",
    )))
}

fn respond<T: Serialize>(answer: Result<T, Refused>) -> Response {
    match answer {
        Ok(body) => Json(body).into_response(),
        Err(refused) => (http_status(refused.exit), Json(refused)).into_response(),
    }
}

fn respond_bad_body(rejection: &JsonRejection) -> Response {
    respond::<()>(Err(Refused::new(
        Exit::Failed,
        "bad_request",
        rejection.body_text(),
        "use the same version of peerage for the command and the node",
    )))
}

fn http_status(exit: Exit) -> StatusCode {
    match exit {
        Exit::Failed => StatusCode::BAD_REQUEST,
        Exit::Refused => StatusCode::FORBIDDEN,
        Exit::Unreachable => StatusCode::BAD_GATEWAY,
        Exit::ToolError => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
