//! Carries single messages to the endpoint: finds it, finds it again when it moved, and holds messages back while
//! nobody answers there.
//!
//! A message is sent again only when it certainly was not sent before.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use peerage_node::gateway::backend::backoff::Backoff;
use peerage_node::home::Home;
use peerage_protocol::id::AgentName;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep};

use super::endpoint::{self, Endpoint};
use super::error::ClientError;
use super::identity;
use crate::background::ensure_running;

/// Messages that may wait for an answer to begin at a time, and KiB that they may hold together.
const MESSAGES_MAX: u32 = 256;
const MESSAGES_KIB_MAX: u32 = 64 * 1024;
/// Pauses between two attempts to reach the endpoint.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LAST: Duration = Duration::from_secs(2);
/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection is kept open without a request; the node closes it after a minute.
const IDLE_CONNECTION: Duration = Duration::from_secs(50);

/// One message, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    /// POST for messages, GET for the stream of a session, DELETE for its end.
    pub method: Method,
    /// What the message needs beyond the headers that all have.
    pub headers: HeaderMap,
    /// The message itself.
    pub body: Bytes,
}

/// Where the courier goes.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// This URL.
    Fixed {
        /// Where.
        endpoint: Endpoint,
        /// With this token, if any.
        token: Option<String>,
    },
    /// The node on this home, wherever it listens at the time.
    Node {
        /// Its home.
        home: Home,
        /// With the token of this agent; as a guest without one.
        agent: Option<AgentName>,
        /// Whether to start the node again when it was killed. One that was stopped stays stopped.
        revive: bool,
    },
}

/// Carries messages to one destination.
pub(crate) struct Courier {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    destination: Destination,
    route: Mutex<Option<Route>>,
    reviving: Mutex<()>,
    room: Semaphore,
    patience: Duration,
}

#[derive(Clone, Debug, PartialEq)]
struct Route {
    uri: Uri,
    bearer: Option<HeaderValue>,
}

impl Courier {
    /// Holds messages back for at most `patience` while nobody answers.
    pub(crate) fn new(destination: Destination, patience: Duration) -> Result<Self, ClientError> {
        Ok(Self {
            http: http_client()?,
            destination,
            route: Mutex::new(None),
            reviving: Mutex::new(()),
            room: Semaphore::new(MESSAGES_KIB_MAX as usize),
            patience,
        })
    }

    /// Delivers, waiting for the endpoint for as long as the courier is patient.
    pub(crate) async fn deliver(&self, parcel: &Parcel) -> Result<Response<Incoming>, ClientError> {
        let _place = self
            .room
            .try_acquire_many(room_of(&parcel.body))
            .map_err(|_| ClientError::Full)?;
        let begun = Instant::now();
        let mut pauses = Backoff::new(PAUSE_FIRST, PAUSE_LAST);
        loop {
            let why = match self.deliver_now(parcel).await {
                Err(error) if error.is_away() => {
                    self.revive().await;
                    error.to_string()
                }
                delivered => return delivered,
            };
            let pause = pauses.wait();
            let waited = begun.elapsed();
            if waited + pause > self.patience {
                return Err(ClientError::Away { waited, why });
            }
            sleep(pause).await;
        }
    }

    async fn revive(&self) {
        let Destination::Node {
            home, revive: true, ..
        } = &self.destination
        else {
            return;
        };
        // Many messages may find it gone at once: the first starts it.
        let Ok(_alone) = self.reviving.try_lock() else {
            return;
        };
        if home.was_lost() {
            match ensure_running(home, &[]).await {
                Ok(_) => tracing::warn!("the node was killed; it was started again"),
                Err(error) => tracing::warn!(%error, "the node was killed and cannot be started"),
            }
        }
    }

    /// Delivers if somebody answers now.
    pub(crate) async fn deliver_now(
        &self,
        parcel: &Parcel,
    ) -> Result<Response<Incoming>, ClientError> {
        let route = self.route().await?;
        let response = self.send(&route, parcel).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        // The token may have been renewed since it was read; what is refused for its token was not acted on.
        self.forget(&route).await;
        let renewed = self.route().await?;
        if renewed == route {
            return Err(ClientError::Unauthorized);
        }
        match self.send(&renewed, parcel).await? {
            refused if refused.status() == StatusCode::UNAUTHORIZED => {
                Err(ClientError::Unauthorized)
            }
            response => Ok(response),
        }
    }

    async fn send(
        &self,
        route: &Route,
        parcel: &Parcel,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::new(Full::new(parcel.body.clone()));
        *request.method_mut() = parcel.method.clone();
        *request.uri_mut() = route.uri.clone();
        let headers = request.headers_mut();
        *headers = parcel.headers.clone();
        let both = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(ACCEPT, both);
        if parcel.method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(bearer) = &route.bearer {
            headers.insert(AUTHORIZATION, bearer.clone());
        }
        match self.http.request(request).await {
            Ok(response) => Ok(response),
            Err(error) => {
                self.forget(route).await;
                Err(match error.is_connect() {
                    true => ClientError::Away {
                        waited: Duration::ZERO,
                        why: format!("no connection to {}", route.uri),
                    },
                    false => ClientError::Lost,
                })
            }
        }
    }

    /// The way there: looked up once, and again after it failed.
    async fn route(&self) -> Result<Route, ClientError> {
        let mut kept = self.route.lock().await;
        if let Some(route) = &*kept {
            return Ok(route.clone());
        }
        let route = self.look_up().await?;
        *kept = Some(route.clone());
        Ok(route)
    }

    async fn look_up(&self) -> Result<Route, ClientError> {
        match &self.destination {
            Destination::Fixed { endpoint, token } => route_to(&endpoint.url, token.as_deref()),
            Destination::Node { home, agent, .. } => {
                let endpoint = endpoint::of_node(home).await?;
                let token = match agent {
                    Some(agent) => Some(identity::token_of(home, agent).await?),
                    None => None,
                };
                route_to(&endpoint.url, token.as_deref())
            }
        }
    }

    /// Another message may have found a new way already: only the one that failed is forgotten.
    async fn forget(&self, failed: &Route) {
        let mut kept = self.route.lock().await;
        if kept.as_ref() == Some(failed) {
            *kept = None;
        }
    }
}

/// What a message takes of the room, in KiB: a small one as much as one of the most that may wait.
fn room_of(body: &Bytes) -> u32 {
    let kib = u32::try_from(body.len() / 1024).unwrap_or(u32::MAX);
    kib.saturating_add(1)
        .clamp(MESSAGES_KIB_MAX / MESSAGES_MAX, MESSAGES_KIB_MAX)
}

fn route_to(url: &str, token: Option<&str>) -> Result<Route, ClientError> {
    let wrong = || ClientError::Url {
        url: url.to_owned(),
    };
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(wrong());
    }
    let bearer = token.map(|token| -> Result<HeaderValue, ClientError> {
        let value = format!("Bearer {token}").parse();
        let mut value: HeaderValue = value.map_err(|_| ClientError::Token)?;
        value.set_sensitive(true);
        Ok(value)
    });
    Ok(Route {
        uri,
        bearer: bearer.transpose()?,
    })
}

fn http_client() -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>, ClientError> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.enforce_http(false);
    let https = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| ClientError::Tls(error.to_string()))?
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_CONNECTION)
        .build(https))
}
