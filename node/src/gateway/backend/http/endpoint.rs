//! One HTTP endpoint: pooled connections, and the headers that every request to it carries.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::buf::Chain;
use bytes::{Buf, Bytes};
use http::header::{ACCEPT, CONTENT_TYPE, InvalidHeaderName, InvalidHeaderValue};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use peerage_protocol::id::NodeId;

use crate::gateway::backend::outgoing::Outgoing;

/// Says which nodes a request has passed, so that a circle of nodes is seen.
pub(crate) const VIA: HeaderName = HeaderName::from_static("peerage-via");

/// Says of an answer that a Peerage node gave it, so that its tools are not passed on to a third.
pub(crate) const GATEWAY: HeaderName = HeaderName::from_static("peerage-gateway");

/// Connections kept open without a request.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// How long a connection is kept open without a request; below the usual limits of servers.
const IDLE_CONNECTION: Duration = Duration::from_secs(50);
/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);

type Body = Full<Chain<Bytes, Chain<Bytes, Bytes>>>;

/// An MCP endpoint, before any session. `Debug` shows neither its URL nor its headers.
pub(crate) struct Endpoint {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    uri: Uri,
    headers: HeaderMap,
    /// This node as [`VIA`] names it: to write an id in base 58 costs as much as to read a small request.
    node: HeaderValue,
    gateway: Arc<AtomicBool>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Checks the settings; nothing is sent yet. `gateway` is set once an answer came from a Peerage node.
    pub(crate) fn new(
        url: &str,
        headers: &BTreeMap<String, String>,
        node: NodeId,
        gateway: Arc<AtomicBool>,
    ) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().map_err(|_| EndpointError::NotAUrl)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(EndpointError::NotHttp);
        }
        let mut all = HeaderMap::new();
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let both = HeaderValue::from_static("application/json, text/event-stream");
        all.insert(ACCEPT, both);
        for (name, value) in headers {
            let invalid = || EndpointError::InvalidHeader { name: name.clone() };
            let parsed = name.parse().map_err(|_: InvalidHeaderName| invalid())?;
            let mut value: HeaderValue =
                value.parse().map_err(|_: InvalidHeaderValue| invalid())?;
            value.set_sensitive(true);
            all.insert::<HeaderName>(parsed, value);
        }
        Ok(Self {
            client: client()?,
            uri,
            headers: all,
            node: HeaderValue::try_from(node.to_string()).map_err(|_| EndpointError::NoName)?,
            gateway,
        })
    }

    /// Sends one request that has passed `via` before this node. Redirects are not followed.
    pub(crate) async fn send(
        &self,
        method: Method,
        headers: HeaderMap,
        via: &[NodeId],
        message: Option<Outgoing>,
    ) -> Result<Response<Incoming>, SendError> {
        let body = match message {
            Some(message) => {
                let rest = message.raw.chain(Bytes::from_static(Outgoing::TAIL));
                message.head.chain(rest)
            }
            None => Bytes::new().chain(Bytes::new().chain(Bytes::new())),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().extend(headers);
        request.headers_mut().insert(VIA, self.passed(via)?);
        let response = self.client.request(request).await;
        let response = response.map_err(|error| SendError::of(&error))?;
        if response.headers().contains_key(GATEWAY) {
            self.gateway.store(true, Ordering::Relaxed);
        }
        Ok(response)
    }

    fn passed(&self, via: &[NodeId]) -> Result<HeaderValue, SendError> {
        if via.is_empty() {
            return Ok(self.node.clone());
        }
        let mut passed: String = via.iter().map(|node| format!("{node}, ")).collect();
        passed.push_str(self.node.to_str().map_err(|_| SendError::Header)?);
        passed.parse().map_err(|_| SendError::Header)
    }
}

fn client() -> Result<Client<HttpsConnector<HttpConnector>, Body>, EndpointError> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.enforce_http(false);
    let https = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .map_err(|_| EndpointError::NoTls)?
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_CONNECTION)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .build(https))
}

/// Why settings name no endpoint. Neither URL nor values are repeated: they may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndpointError {
    /// Not a URL.
    #[error("its url in mcp.json is not a URL")]
    NotAUrl,
    /// A URL of another kind.
    #[error("its url in mcp.json must begin with http:// or https:// and name a host")]
    NotHttp,
    /// A header that HTTP does not allow.
    #[error("the header {name:?} in mcp.json has a name or value that HTTP does not allow")]
    InvalidHeader {
        /// Its name.
        name: String,
    },
    /// This node's id is no text that a header may hold.
    #[error("this node's id cannot be sent in a header")]
    NoName,
    /// No TLS on this machine.
    #[error("TLS cannot be set up")]
    NoTls,
}

/// Why a request got no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// Nobody answers there: the request did not run.
    #[error("it cannot be reached: {0}")]
    Unreachable(&'static str),
    /// The connection was lost: the request may have run.
    #[error("the connection was lost before the answer")]
    Lost,
    /// Our own header is wrong.
    #[error("the request has passed nodes that cannot be named in a header")]
    Header,
}

impl SendError {
    fn of(error: &hyper_util::client::legacy::Error) -> Self {
        if !error.is_connect() {
            return SendError::Lost;
        }
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(inner) = cause {
            if let Some(io) = inner.downcast_ref::<std::io::Error>() {
                return SendError::Unreachable(io_words(io.kind()));
            }
            cause = inner.source();
        }
        SendError::Unreachable("no connection")
    }
}

fn io_words(kind: std::io::ErrorKind) -> &'static str {
    match kind {
        std::io::ErrorKind::ConnectionRefused => "connection refused",
        std::io::ErrorKind::TimedOut => "connecting timed out",
        std::io::ErrorKind::InvalidData => {
            "its TLS certificate is not trusted, or it speaks no TLS"
        }
        std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => {
            "no route to it"
        }
        _ => "no connection, or an unknown host name",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn endpoint(url: &str, header: (&str, &str)) -> Result<Endpoint, EndpointError> {
        let headers = [(header.0.to_owned(), header.1.to_owned())].into();
        Endpoint::new(
            url,
            &headers,
            NodeId::from_public_key([1; 32]),
            Arc::default(),
        )
    }

    #[test]
    fn settings_that_name_no_endpoint_are_refused_without_their_secrets() {
        assert_eq!(
            endpoint("a b", ("a", "b")).unwrap_err(),
            EndpointError::NotAUrl
        );
        assert_eq!(
            endpoint("ftp://x/", ("a", "b")).unwrap_err(),
            EndpointError::NotHttp
        );
        let error = endpoint("http://x/", ("authorization", "hunter2\n")).unwrap_err();
        assert!(error.to_string().contains("authorization"));
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn debug_output_hides_the_values_of_headers() {
        let endpoint = endpoint("https://x/mcp?key=hunter2", ("authorization", "hunter2")).unwrap();
        assert!(!format!("{endpoint:?}").contains("hunter2"));
    }
}
