//! Which half of MCP's history a request belongs to, and what the modern half demands of it.
//!
//! The order of the checks and the codes are those of the specification of 2026-07-28 ("Per-request protocol
//! fields", "Standard request headers", "Version negotiation").

use serde_json::json;

use super::answer::Refusal;
use super::envelope::Request;
use super::header_text;
use super::splice::Params;
use crate::gateway::call::Era;

/// The one version of the modern era.
pub const MODERN_VERSION: &str = "2026-07-28";
/// The member of `_meta` that names the version of a modern request.
pub const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
/// The member of `_meta` that says what a modern client can do.
pub const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
/// The member of `_meta` that names a modern client.
pub const CLIENT_INFO_KEY: &str = "io.modelcontextprotocol/clientInfo";
/// The member of `_meta` that asks for log messages from this level on.
pub const LOG_LEVEL_KEY: &str = "io.modelcontextprotocol/logLevel";
/// The member of `_meta` that names the server in a modern result.
pub const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";
/// The member of `_meta` that ties a notification to its `subscriptions/listen`.
pub const SUBSCRIPTION_KEY: &str = "io.modelcontextprotocol/subscriptionId";

/// A version of the legacy era.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LegacyVersion {
    /// 2024-11-05.
    November2024,
    /// 2025-03-26.
    March2025,
    /// 2025-06-18.
    June2025,
    /// 2025-11-25.
    November2025,
}

impl LegacyVersion {
    /// The newest.
    pub const LATEST: Self = Self::November2025;

    const ALL: [Self; 4] = [
        Self::November2024,
        Self::March2025,
        Self::June2025,
        Self::November2025,
    ];

    /// The version with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// What `initialize` answers to a client that asks for `requested`: the same where it is known, else the latest.
    pub fn negotiate(requested: &str) -> Self {
        Self::parse(requested).unwrap_or(Self::LATEST)
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::November2024 => "2024-11-05",
            Self::March2025 => "2025-03-26",
            Self::June2025 => "2025-06-18",
            Self::November2025 => "2025-11-25",
        }
    }

    /// Whether several messages may come in one JSON array.
    pub const fn has_batches(self) -> bool {
        matches!(self, Self::March2025)
    }
}

/// The headers by which an intermediary may route a request without reading its body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoutingHeaders<'a> {
    /// `MCP-Protocol-Version`.
    pub version: Option<&'a str>,
    /// `Mcp-Method`.
    pub method: Option<&'a str>,
    /// `Mcp-Name`.
    pub name: Option<&'a str>,
}

/// The era of a message, by its header and its `_meta`.
///
/// A version that is no legacy one is taken for modern: there it is refused by name.
pub fn of_message(version_header: Option<&str>, params: &Params) -> Era {
    let unheard_of = |version: &str| LegacyVersion::parse(version).is_none();
    if params.meta_raw(VERSION_KEY).is_some() || version_header.is_some_and(unheard_of) {
        Era::Modern
    } else {
        Era::Legacy
    }
}

/// Why a modern request is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EraError {
    /// A member of `_meta` that every modern request needs.
    #[error("params._meta lacks {key}, which every request of {MODERN_VERSION} carries")]
    MissingMeta {
        /// Which.
        key: &'static str,
    },
    /// The version is not a string.
    #[error("params._meta[\"{VERSION_KEY}\"] must be a string")]
    VersionNotText,
    /// A header that is missing or says something else than the body.
    #[error("the header {header} is missing, or differs from {member} in the body")]
    HeaderMismatch {
        /// The header.
        header: &'static str,
        /// Where the body says it.
        member: &'static str,
    },
    /// A version that this node does not speak statelessly.
    #[error("Unsupported protocol version")]
    UnsupportedVersion {
        /// As the client named it.
        requested: String,
    },
}

impl EraError {
    /// The JSON-RPC code that the specification gives it.
    pub fn code(&self) -> i64 {
        match self {
            EraError::MissingMeta { .. } | EraError::VersionNotText => -32602,
            EraError::HeaderMismatch { .. } => -32020,
            EraError::UnsupportedVersion { .. } => -32022,
        }
    }
}

impl From<&EraError> for Refusal {
    fn from(error: &EraError) -> Self {
        let data = match error {
            EraError::UnsupportedVersion { requested } => {
                Some(json!({"supported": [MODERN_VERSION], "requested": requested}).to_string())
            }
            _ => None,
        };
        Refusal {
            code: error.code(),
            message: error.to_string(),
            data,
        }
    }
}

/// Checks what the modern era demands of `request`; `headers` only on HTTP.
pub fn check_modern(
    request: &Request,
    headers: Option<&RoutingHeaders<'_>>,
) -> Result<(), EraError> {
    let params = &request.params;
    for key in [VERSION_KEY, CAPABILITIES_KEY] {
        if params.meta_raw(key).is_none() {
            return Err(EraError::MissingMeta { key });
        }
    }
    let version = params.meta_str(VERSION_KEY);
    if let Some(headers) = headers {
        check_headers(request, version.as_deref(), headers)?;
    }
    match version.ok_or(EraError::VersionNotText)? {
        version if version == MODERN_VERSION => Ok(()),
        version => Err(EraError::UnsupportedVersion {
            requested: version.into_owned(),
        }),
    }
}

fn check_headers(
    request: &Request,
    version: Option<&str>,
    headers: &RoutingHeaders<'_>,
) -> Result<(), EraError> {
    let mismatch = |header, member| Err(EraError::HeaderMismatch { header, member });
    if headers.version.is_none() || headers.version != version {
        return mismatch(
            "MCP-Protocol-Version",
            "params._meta[\"io.modelcontextprotocol/protocolVersion\"]",
        );
    }
    if headers.method != Some(&request.method) {
        return mismatch("Mcp-Method", "method");
    }
    let (named, member) = match &*request.method {
        "tools/call" | "prompts/get" => (request.params.name(), "params.name"),
        "resources/read" => (request.params.uri(), "params.uri"),
        _ => return Ok(()),
    };
    if named.is_some() && headers.name.and_then(header_text::decode) != named {
        return mismatch("Mcp-Name", member);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::envelope::{Incoming, read};
    use super::*;

    const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

    fn request(method: &str, params: &str) -> Request {
        let json =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#);
        match read(&json.into()).unwrap() {
            Incoming::Request(request) => request,
            other => panic!("not a request: {other:?}"),
        }
    }

    fn call(name_header: Option<&str>) -> Result<(), EraError> {
        let headers = RoutingHeaders {
            version: Some(MODERN_VERSION),
            method: Some("tools/call"),
            name: name_header,
        };
        let request = request("tools/call", &format!(r#""name":"grüße",{META}"#));
        check_modern(&request, Some(&headers))
    }

    #[test]
    fn a_legacy_client_gets_the_version_it_asks_for_and_at_most_the_latest_legacy_one() {
        for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
            assert_eq!(LegacyVersion::negotiate(version).as_str(), version);
        }
        for version in ["2026-07-28", "1999-01-01", ""] {
            assert_eq!(LegacyVersion::negotiate(version).as_str(), "2025-11-25");
        }
    }

    #[test]
    fn the_era_follows_meta_and_header() {
        let plain = request("tools/list", "").params;
        let modern = request("tools/list", META).params;
        assert_eq!(of_message(None, &plain), Era::Legacy);
        assert_eq!(of_message(Some("2025-06-18"), &plain), Era::Legacy);
        assert_eq!(of_message(Some(MODERN_VERSION), &plain), Era::Modern);
        assert_eq!(of_message(Some("v999"), &plain), Era::Modern);
        assert_eq!(of_message(None, &modern), Era::Modern);
    }

    #[test]
    fn both_required_members_of_meta_are_named_when_missing() {
        for (meta, key) in [
            ("{}", VERSION_KEY),
            (
                r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#,
                CAPABILITIES_KEY,
            ),
        ] {
            let request = request("server/discover", &format!(r#""_meta":{meta}"#));
            let refused = check_modern(&request, None).unwrap_err();
            assert_eq!(refused, EraError::MissingMeta { key });
            assert_eq!(refused.code(), -32602);
        }
    }

    #[test]
    fn an_unknown_version_is_answered_with_the_supported_ones() {
        let request = request("server/discover", &META.replace("2026-07-28", "2099-01-01"));
        let refused = check_modern(&request, None).unwrap_err();
        let refusal = Refusal::from(&refused);
        assert_eq!(refusal.code, -32022);
        let expected = r#"{"supported":["2026-07-28"],"requested":"2099-01-01"}"#;
        assert_eq!(refusal.data.unwrap(), expected);
    }

    #[test]
    fn headers_must_say_what_the_body_says() {
        let request = request("tools/list", META);
        let good = RoutingHeaders {
            version: Some(MODERN_VERSION),
            method: Some("tools/list"),
            name: None,
        };
        assert_eq!(check_modern(&request, Some(&good)), Ok(()));
        for bad in [
            RoutingHeaders {
                version: None,
                ..good
            },
            RoutingHeaders {
                version: Some("2025-11-25"),
                ..good
            },
            RoutingHeaders {
                method: None,
                ..good
            },
            RoutingHeaders {
                method: Some("TOOLS/LIST"),
                ..good
            },
        ] {
            let refused = check_modern(&request, Some(&bad)).unwrap_err();
            assert_eq!(refused.code(), -32020, "{bad:?}");
        }
    }

    #[test]
    fn a_name_header_is_compared_after_decoding() {
        assert_eq!(call(Some("grüße")), Ok(()));
        assert_eq!(call(Some("=?base64?Z3LDvMOfZQ==?=")), Ok(()));
        for bad in [
            None,
            Some("gruesse"),
            Some("=?base64?Z3LDvMOfZQ?="),
            Some("=?base64?!!?="),
        ] {
            assert_eq!(call(bad).unwrap_err().code(), -32020, "{bad:?}");
        }
    }

    #[test]
    fn without_headers_the_body_alone_decides() {
        assert_eq!(check_modern(&request("tools/list", META), None), Ok(()));
    }
}
