//! A session with an HTTP server: posts messages, reads their answers, and knows when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming as Body;
use peerage_protocol::id::{NodeId, ServerName};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;

use super::caller_sessions::CallerSessions;
use super::endpoint::{Endpoint, SendError};
use super::name_header;
use super::param_headers::ParamHeaders;
use super::requests::UnderWay;
use crate::gateway::backend::announcements::Announcements;
use crate::gateway::backend::client_news::{Audience, ClientNews};
use crate::gateway::backend::desk::Outage;
use crate::gateway::backend::followed::Followed;
use crate::gateway::backend::greeting::{MODERN_VERSION, ServerCapabilities};
use crate::gateway::backend::handshake::Ask;
use crate::gateway::backend::open_requests::OpenRequests;
use crate::gateway::backend::outgoing::Outgoing;
use crate::gateway::backend::upstream::Definition;
use crate::gateway::call::{Call, CallError, Era, ReplyBody};
use crate::gateway::mcp::header_text;

/// The header that names a legacy session.
pub(crate) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// Cancellations and refusals on their way at once; more are left out.
const ASIDES_MAX: usize = 256;

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The server does not know it any more.
    Forgotten,
    /// The server does not answer, or not us.
    Failed(Outage),
}

/// Why a request of this session has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server does not know the session: the request did not run.
    Forgotten,
    /// Anything else; the request may have run.
    Call(CallError),
}

/// What every request to one server has in common.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) server: ServerName,
    endpoint: Arc<Endpoint>,
    era: Era,
    headers: HeaderMap,
    param_headers: ArcSwap<ParamHeaders>,
    last_id: AtomicU64,
    over: watch::Sender<Option<Over>>,
    capabilities: ServerCapabilities,
    /// Shared with the sessions of callers: a server may tell its news to whoever asks.
    pub(super) announcements: Arc<Announcements>,
    pub(super) followed: Followed,
    /// A call, of whatever session, went wrong in a way that may mean the server is gone.
    pub(super) suspect: Arc<Notify>,
    /// Calls of a legacy session, for what the server says without naming one.
    pub(super) under_way: UnderWay,
    pub(super) open_requests: OpenRequests,
    pub(super) client_news: ClientNews,
    asides: Arc<Semaphore>,
    pub(super) caller_sessions: CallerSessions,
    reach: Duration,
}

impl Session {
    /// A session in the modern sense: none.
    pub(crate) fn modern(server: ServerName, endpoint: Arc<Endpoint>, reach: Duration) -> Self {
        let version = HeaderValue::from_static(MODERN_VERSION);
        let headers = HeaderMap::from_iter([(VERSION, version)]);
        Self::new(server, endpoint, Era::Modern, headers, reach)
    }

    /// What `initialize` is sent with.
    pub(crate) fn greeting(server: ServerName, endpoint: Arc<Endpoint>, reach: Duration) -> Self {
        Self::new(server, endpoint, Era::Legacy, HeaderMap::new(), reach)
    }

    /// The legacy session that `greeting` opened.
    pub(crate) fn legacy(greeting: Self, version: &'static str, id: Option<HeaderValue>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(VERSION, HeaderValue::from_static(version));
        if let Some(mut id) = id {
            id.set_sensitive(true);
            headers.insert(SESSION, id);
        }
        Self {
            headers,
            ..greeting
        }
    }

    fn new(
        server: ServerName,
        endpoint: Arc<Endpoint>,
        era: Era,
        headers: HeaderMap,
        reach: Duration,
    ) -> Self {
        Self {
            server,
            endpoint,
            era,
            headers,
            param_headers: ArcSwap::default(),
            last_id: AtomicU64::new(0),
            over: watch::Sender::new(None),
            capabilities: ServerCapabilities::default(),
            announcements: Arc::default(),
            followed: Followed::default(),
            suspect: Arc::default(),
            under_way: UnderWay::default(),
            open_requests: OpenRequests::default(),
            client_news: ClientNews::new(Audience::Many),
            asides: Arc::new(Semaphore::new(ASIDES_MAX)),
            caller_sessions: CallerSessions::default(),
            reach,
        }
    }

    /// The same session, now that the server has said what it can do.
    pub(super) fn with_capabilities(self, capabilities: ServerCapabilities) -> Self {
        Self {
            capabilities,
            ..self
        }
    }

    /// What `initialize` is sent with to the same server for one client.
    pub(super) fn legacy_greeting(&self) -> Self {
        Self {
            client_news: ClientNews::new(Audience::One),
            announcements: Arc::clone(&self.announcements),
            suspect: Arc::clone(&self.suspect),
            ..Self::greeting(self.server.clone(), Arc::clone(&self.endpoint), self.reach)
        }
    }

    /// Whether the server keeps state under an id.
    pub(crate) fn has_id(&self) -> bool {
        self.headers.contains_key(SESSION)
    }

    /// How long a request of our own may take.
    pub(crate) fn reach(&self) -> Duration {
        self.reach
    }

    /// A request id that was not used before.
    pub(super) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Why the session is over, if it is.
    pub(crate) fn over(&self) -> Option<Over> {
        self.over.borrow().clone()
    }

    /// Waits until the session is over.
    pub(crate) async fn until_over(&self) -> Over {
        let mut over = self.over.subscribe();
        let ended = over.wait_for(Option::is_some).await;
        let reason = ended.ok().and_then(|over| over.clone());
        reason.unwrap_or(Over::Forgotten)
    }

    /// Ends the session; the first reason stays.
    pub(super) fn end(&self, reason: Over) {
        self.over.send_if_modified(|over| {
            let first = over.is_none();
            over.get_or_insert(reason);
            first
        });
    }

    /// The error of a request that the server did not answer.
    pub(super) fn down(&self, why: impl Into<String>) -> Failure {
        Failure::Call(CallError::UpstreamDown {
            server: self.server.to_string(),
            why: why.into(),
        })
    }

    /// Posts a call, with the headers that its era demands.
    pub(super) async fn post_call(
        &self,
        message: Outgoing,
        call: &Call,
    ) -> Result<Response<Body>, Failure> {
        let mut headers = self.headers_for(&call.method);
        if self.era == Era::Modern {
            headers.extend(name_header::of_call(call).map(|name| (NAME, name)));
            if let Some(tool) = call.params.name() {
                let marks = self.param_headers.load();
                headers.extend(marks.of_call(&tool, call.params.arguments()));
            }
        }
        self.send(Method::POST, headers, &call.via, Some(message))
            .await
    }

    /// Posts a message of our own.
    pub(super) async fn post(
        &self,
        message: Outgoing,
        rpc: &str,
    ) -> Result<Response<Body>, Failure> {
        self.send(Method::POST, self.headers_for(rpc), &[], Some(message))
            .await
    }

    fn headers_for(&self, rpc: &str) -> HeaderMap {
        let mut headers = self.headers.clone();
        if self.era == Era::Modern {
            headers.extend(header_text::encode(rpc).map(|rpc| (METHOD, rpc)));
        }
        headers
    }

    /// Keeps which arguments of these tools are sent as headers.
    pub(super) fn learn(&self, tools: &[Definition]) {
        if self.era == Era::Modern {
            self.param_headers
                .store(Arc::new(ParamHeaders::of_tools(tools)));
        }
    }

    /// Opens the stream on which a legacy server speaks unasked, or the rest of another after this event of it.
    pub(super) async fn get(&self, after: Option<HeaderValue>) -> Result<Response<Body>, Failure> {
        let mut headers = self.headers.clone();
        headers.extend(after.map(|id| (LAST_EVENT_ID, id)));
        self.send(Method::GET, headers, &[], None).await
    }

    /// Tells the server that the session is not needed any more.
    pub(crate) async fn delete(&self) {
        if self.has_id() && self.over().is_none() {
            let _ = self
                .send(Method::DELETE, self.headers.clone(), &[], None)
                .await;
        }
    }

    async fn send(
        &self,
        method: Method,
        headers: HeaderMap,
        via: &[NodeId],
        message: Option<Outgoing>,
    ) -> Result<Response<Body>, Failure> {
        let posted = method == Method::POST;
        let response = self.endpoint.send(method, headers, via, message).await;
        let response = response.map_err(|error| self.judge_send(error))?;
        // A refusal of GET or DELETE only says that the server has no such thing.
        if posted {
            self.judge_status(response.status())?;
        }
        Ok(response)
    }

    fn judge_send(&self, error: SendError) -> Failure {
        match error {
            SendError::Unreachable(_) => self.end(Over::Failed(Outage::new(error.to_string()))),
            SendError::Lost => self.suspect.notify_one(),
            SendError::Header => {}
        }
        self.down(error.to_string())
    }

    /// What a status means for the session; what it means for the request alone is left to the reader.
    fn judge_status(&self, status: StatusCode) -> Result<(), Failure> {
        match status {
            StatusCode::NOT_FOUND if self.has_id() => {
                self.end(Over::Forgotten);
                Err(Failure::Forgotten)
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let why = format!(
                    "it refused our credentials (HTTP {}); correct its headers in mcp.json",
                    status.as_u16()
                );
                self.end(Over::Failed(Outage::new(why.clone())));
                Err(self.down(why))
            }
            status if status.is_redirection() => Err(self.down(format!(
                "it redirects (HTTP {}); write the final url into mcp.json",
                status.as_u16()
            ))),
            _ => Ok(()),
        }
    }

    /// Posts what nobody waits for, if not too much of that is under way.
    pub(super) fn post_aside(self: &Arc<Self>, message: Outgoing, rpc: &'static str) {
        let Ok(permit) = Arc::clone(&self.asides).try_acquire_owned() else {
            return;
        };
        let session = Arc::clone(self);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = timeout(session.reach, session.post(message, rpc)).await;
                drop(permit);
            });
        }
    }

    /// Posts what is yet to be known, if anything, and nobody waits for; false where too much of that is under way. The
    /// wait itself ends with the call that it belongs to.
    pub(super) fn post_later(
        self: &Arc<Self>,
        message: impl Future<Output = Option<Outgoing>> + Send + 'static,
    ) -> bool {
        let Ok(permit) = Arc::clone(&self.asides).try_acquire_owned() else {
            return false;
        };
        let session = Arc::clone(self);
        tokio::spawn(async move {
            if let Some(message) = message.await {
                let _ = timeout(session.reach, session.post(message, "")).await;
            }
            drop(permit);
        });
        true
    }

    /// Tells something of our own; any answer but a refusal will do.
    pub(crate) async fn tell(&self, rpc: &str, params: Bytes) -> Result<(), Failure> {
        let message = Outgoing::notification(rpc, params);
        let posted = timeout(self.reach, self.post(message, rpc)).await;
        let response = posted.map_err(|_| self.silent())??;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(self.down(format!("it answered {rpc} with HTTP {}", status.as_u16()))),
        }
    }

    /// The error of a request of our own that took too long.
    pub(super) fn silent(&self) -> Failure {
        self.down(format!("it did not answer within {:?}", self.reach))
    }

    /// Asks something of our own; also gives the headers of the answer.
    pub(crate) async fn ask_with_headers(
        &self,
        rpc: &str,
        params: Bytes,
    ) -> Result<(HeaderMap, ReplyBody), Failure> {
        let asking = async {
            let id = self.next_id();
            let message = Outgoing::request(id, rpc, params);
            let response = self.post(message, rpc).await?;
            let headers = response.headers().clone();
            let body = self
                .read_answer(response, id, |_, _| std::future::ready(()))
                .await?;
            Ok((headers, body))
        };
        timeout(self.reach, asking)
            .await
            .map_err(|_| self.silent())?
    }
}

impl Ask for Session {
    fn server(&self) -> &ServerName {
        &self.server
    }

    fn era(&self) -> Era {
        self.era
    }

    fn capabilities(&self) -> ServerCapabilities {
        self.capabilities
    }

    async fn ask(&self, method: &str, params: Bytes) -> Result<ReplyBody, CallError> {
        match self.ask_with_headers(method, params).await {
            Ok((_, body)) => Ok(body),
            Err(Failure::Call(error)) => Err(error),
            Err(Failure::Forgotten) => Err(CallError::UpstreamDown {
                server: self.server.to_string(),
                why: "it forgot the session".to_owned(),
            }),
        }
    }
}
