//! What the head of an HTTP request says, within bounds.

use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use peerage_protocol::id::NodeId;
use peerage_protocol::limits::HOPS_MAX;

use super::refusal::HttpRefusal;
use super::service::{Credential, Unauthorized};
use super::{Frontend, guard};
use crate::gateway::call::CallError;
use crate::gateway::mcp::era::RoutingHeaders;

/// Nodes that a request has passed, oldest first, separated by commas.
const VIA: &str = "peerage-via";

/// One request whose head is in order.
pub(super) struct Exchange<'a> {
    /// Who asks.
    pub(super) credential: Credential,
    /// What may be answered.
    pub(super) accept: Accept,
    /// Nodes passed; an error is answered under the request's id.
    pub(super) via: Result<Vec<NodeId>, CallError>,
    /// The headers that repeat the body.
    pub(super) routing: RoutingHeaders<'a>,
}

/// Which content types the client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accept {
    /// `application/json`.
    pub(super) json: bool,
    /// `text/event-stream`.
    pub(super) stream: bool,
}

impl<'a> Exchange<'a> {
    /// Checks origin, host, token and `Accept`.
    pub(super) fn begin(frontend: &Frontend, head: &'a Parts) -> Result<Self, HttpRefusal> {
        guard::check(head, &frontend.allowed_hosts)?;
        let headers = &head.headers;
        let credential = frontend.service.authenticate(bearer(headers)?)?;
        let accept = Accept::of(headers);
        if !accept.json && !accept.stream {
            return Err(HttpRefusal::NotAcceptable);
        }
        Ok(Self {
            credential,
            accept,
            via: via(headers, frontend.service.node_id()),
            routing: RoutingHeaders {
                version: single(headers, "mcp-protocol-version"),
                method: single(headers, "mcp-method"),
                name: single(headers, "mcp-name"),
            },
        })
    }

    /// What is left of the head for a connection that outlives it: who asks, and what the asking has passed.
    pub(super) fn lasting(self) -> Exchange<'static> {
        Exchange {
            credential: self.credential,
            accept: self.accept,
            via: self.via,
            routing: RoutingHeaders::default(),
        }
    }
}

impl Accept {
    /// No header at all accepts everything.
    fn of(headers: &HeaderMap) -> Self {
        let mut accept = Self {
            json: !headers.contains_key(ACCEPT),
            stream: !headers.contains_key(ACCEPT),
        };
        let values = headers.get_all(ACCEPT).iter();
        for range in values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
            let media = range.split(|byte| *byte == b';').next().unwrap_or(range);
            let media = media.trim_ascii();
            let is = |known: &str| media.eq_ignore_ascii_case(known.as_bytes());
            accept.json |= ["*/*", "application/*", "application/json"]
                .into_iter()
                .any(is);
            accept.stream |= ["*/*", "text/*", "text/event-stream"].into_iter().any(is);
        }
        accept
    }
}

/// Refuses what does not call itself JSON.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), HttpRefusal> {
    let value = single(headers, CONTENT_TYPE.as_str()).ok_or(HttpRefusal::ContentType)?;
    let media = value.split(';').next().unwrap_or(value).trim();
    match media.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(HttpRefusal::ContentType),
    }
}

/// The value of a header that occurs once; one that occurs twice has no value that all readers agree on.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim),
        _ => None,
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Unauthorized> {
    if !headers.contains_key(AUTHORIZATION) {
        return Ok(None);
    }
    let value = single(headers, AUTHORIZATION.as_str()).ok_or(Unauthorized)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Unauthorized),
    }
}

fn via(headers: &HeaderMap, own: NodeId) -> Result<Vec<NodeId>, CallError> {
    let unreadable = || CallError::InvalidParams {
        what: "the header Peerage-Via must list node ids, separated by commas".to_owned(),
    };
    let mut passed = Vec::new();
    for value in headers.get_all(VIA) {
        for id in value.to_str().map_err(|_| unreadable())?.split(',') {
            if passed.len() >= HOPS_MAX {
                return Err(CallError::Loop);
            }
            passed.push(id.trim().parse().map_err(|_| unreadable())?);
        }
    }
    if passed.contains(&own) {
        return Err(CallError::Loop);
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn accept(value: &'static str) -> (bool, bool) {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]);
        let accept = Accept::of(&headers);
        (accept.json, accept.stream)
    }

    #[test]
    fn media_ranges_are_understood_whatever_their_case_and_parameters() {
        assert_eq!(
            accept("Application/JSON;q=0.9, text/event-stream"),
            (true, true)
        );
        assert_eq!(accept("application/json"), (true, false));
        assert_eq!(accept("text/event-stream;charset=utf-8"), (false, true));
        assert_eq!(accept("*/*"), (true, true));
        assert_eq!(accept("image/png, application/json5"), (false, false));
        assert_eq!(
            Accept::of(&HeaderMap::new()),
            Accept {
                json: true,
                stream: true
            }
        );
    }

    #[test]
    fn the_nodes_passed_are_read_in_order_over_several_headers() {
        let node = |byte| NodeId::from_public_key([byte; 32]);
        let mut headers = HeaderMap::new();
        let two = format!("{}, {}", node(2), node(3));
        headers.append(VIA, two.parse().unwrap());
        headers.append(VIA, node(4).to_string().parse().unwrap());
        assert_eq!(via(&headers, node(1)), Ok(vec![node(2), node(3), node(4)]));
        assert_eq!(via(&headers, node(4)), Err(CallError::Loop));
    }

    proptest! {
        #[test]
        fn no_header_bytes_panic(bytes: Vec<u8>) {
            let Ok(value) = HeaderValue::from_bytes(&bytes) else {
                return Ok(());
            };
            let headers = [ACCEPT, AUTHORIZATION, CONTENT_TYPE, http::HeaderName::from_static(VIA)];
            let headers = headers.into_iter().map(|name| (name, value.clone())).collect();
            let _ = (Accept::of(&headers), bearer(&headers), check_content_type(&headers));
            let _ = via(&headers, NodeId::from_public_key([1; 32]));
        }
    }
}
