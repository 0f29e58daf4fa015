//! What we say to an upstream in its own era, and what its greeting means.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::outgoing::quoted;
use crate::gateway::call::{Call, Era};
use crate::gateway::client::{Client, LogLevel};
use crate::gateway::mcp::era::{CAPABILITIES_KEY, CLIENT_INFO_KEY, LOG_LEVEL_KEY, VERSION_KEY};
use crate::gateway::mcp::splice::without_meta_members;

/// The modern version we speak.
pub(crate) const MODERN_VERSION: &str = "2026-07-28";
/// The legacy version we offer.
pub(crate) const LEGACY_VERSION: &str = "2025-11-25";
/// The legacy versions we accept.
const LEGACY_VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", LEGACY_VERSION];

/// The code of an error that names the versions the server speaks instead.
const UNSUPPORTED_VERSION: i64 = -32022;

const META_VERSION: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
const META_CLIENT: &str = concat!(
    r#""io.modelcontextprotocol/clientInfo":{"name":"peerage","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);
const META_CAPABILITIES: &str = r#""io.modelcontextprotocol/clientCapabilities":{}"#;

/// The params of `initialize`.
pub(crate) fn initialize_params() -> Bytes {
    Bytes::from_static(
        concat!(
            r#"{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true},"sampling":{"context":{},"tools":{}},"#,
            r#""elicitation":{"form":{},"url":{}}},"clientInfo":{"name":"peerage","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#""}}"#
        )
        .as_bytes(),
    )
}

/// The params of `initialize` that say what the client behind `call` says of itself; who says no name goes by ours.
pub(crate) fn initialize_params_of(call: &Call) -> Bytes {
    let (capabilities, info) = match &call.client {
        Client::Session(session) => (
            Some(&session.capabilities()[..]),
            session.info().map(|raw| &raw[..]),
        ),
        Client::Stateless => (
            call.params.meta_raw(CAPABILITIES_KEY),
            call.params.meta_raw(CLIENT_INFO_KEY),
        ),
    };
    let text = |raw: Option<&[u8]>| raw.map(|raw| String::from_utf8_lossy(raw).into_owned());
    let capabilities = text(capabilities).unwrap_or_else(|| "{}".to_owned());
    let info = text(info).unwrap_or_else(|| {
        concat!(
            r#"{"name":"peerage","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#""}"#
        )
        .to_owned()
    });
    format!(r#"{{"protocolVersion":"{LEGACY_VERSION}","capabilities":{capabilities},"clientInfo":{info}}}"#)
        .into()
}

/// The params of a request of our own that needs none but what `era` demands.
pub(crate) fn bare_params(era: Era) -> Bytes {
    own_params(era, "")
}

/// The params of a list for one page.
pub(crate) fn list_params(era: Era, cursor: Option<&str>) -> Bytes {
    match cursor {
        Some(cursor) => own_params(era, &format!(r#""cursor":{}"#, quoted(cursor))),
        None => bare_params(era),
    }
}

/// The params of `subscriptions/listen` for changes of every list.
pub(crate) fn listen_params() -> Bytes {
    own_params(
        Era::Modern,
        r#""notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}"#,
    )
}

/// The params of a request of our own with these raw members, and what `era` demands.
pub(crate) fn own_params(era: Era, members: &str) -> Bytes {
    match (era, members) {
        (Era::Legacy, _) => format!("{{{members}}}"),
        (Era::Modern, "") => format!(r#"{{"_meta":{{{}}}}}"#, whole_meta()),
        (Era::Modern, _) => format!(r#"{{{members},"_meta":{{{}}}}}"#, whole_meta()),
    }
    .into()
}

fn whole_meta() -> String {
    [META_VERSION, META_CLIENT, META_CAPABILITIES].join(",")
}

#[derive(Deserialize)]
struct CallerParams<'a> {
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct CallerMeta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<IgnoredAny>,
    #[serde(rename = "io.modelcontextprotocol/clientInfo")]
    client: Option<IgnoredAny>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<IgnoredAny>,
    #[serde(rename = "io.modelcontextprotocol/logLevel")]
    log_level: Option<IgnoredAny>,
}

/// The members of `_meta` that say of a session's client what it said with `initialize`: name, capabilities, level.
fn meta_of(client: &Client) -> (String, String, String) {
    let level =
        |level: LogLevel| format!(r#""io.modelcontextprotocol/logLevel":"{}""#, level.as_str());
    let Client::Session(session) = client else {
        let (info, capabilities) = (META_CLIENT.to_owned(), META_CAPABILITIES.to_owned());
        return (info, capabilities, level(LogLevel::Info));
    };
    let raw = |json: &Bytes| String::from_utf8_lossy(json).into_owned();
    let info = session.info().map_or_else(
        || META_CLIENT.to_owned(),
        |info| format!(r#""io.modelcontextprotocol/clientInfo":{}"#, raw(info)),
    );
    let capabilities = format!(
        r#""io.modelcontextprotocol/clientCapabilities":{}"#,
        raw(session.capabilities())
    );
    // A session that has set no level takes what is usual.
    let wanted = session.log_level().unwrap_or(LogLevel::Info);
    (info, capabilities, level(wanted))
}

/// A modern caller's `params` as a legacy upstream knows them: one that speaks both eras would else take the message for
/// a modern one.
pub(crate) fn without_modern_meta(params: &Bytes) -> Bytes {
    without_meta_members(
        params,
        &[
            VERSION_KEY,
            CLIENT_INFO_KEY,
            CAPABILITIES_KEY,
            LOG_LEVEL_KEY,
        ],
    )
}

/// A legacy caller's `params` with the `_meta` members that a modern upstream demands: what its session said of its
/// client. What the caller gave itself stays. Params whose `_meta` is no object go as they are, for the upstream to
/// refuse.
pub(crate) fn with_modern_meta(params: Bytes, client: &Client) -> Bytes {
    let (info, capabilities, log_level) = meta_of(client);
    let Ok(parsed) = serde_json::from_slice::<CallerParams<'_>>(&params) else {
        return params;
    };
    let Some(raw) = parsed.meta else {
        let members = [META_VERSION, &info, &capabilities, &log_level].join(",");
        return insert_members(&params, 0, &format!(r#""_meta":{{{members}}}"#));
    };
    let Ok(given) = serde_json::from_str::<CallerMeta>(raw.get()) else {
        return params;
    };
    let missing: Vec<&str> = [
        (given.version.is_none(), META_VERSION),
        (given.client.is_none(), &*info),
        (given.capabilities.is_none(), &*capabilities),
        (given.log_level.is_none(), &*log_level),
    ]
    .iter()
    .filter_map(|(missing, member)| missing.then_some(*member))
    .collect();
    let start = raw.get().as_ptr() as usize - params.as_ptr() as usize;
    insert_members(&params, start, &missing.join(","))
}

/// Puts `members` first into the object that begins at or after `from`.
pub(crate) fn insert_members(json: &Bytes, from: usize, members: &str) -> Bytes {
    let Some(brace) = json[from..].iter().position(|byte| *byte == b'{') else {
        return json.clone();
    };
    let inside = from + brace + 1;
    let empty = json[inside..]
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|byte| *byte == b'}');
    let comma: &[u8] = if empty || members.is_empty() {
        b""
    } else {
        b","
    };
    [&json[..inside], members.as_bytes(), comma, &json[inside..]]
        .concat()
        .into()
}

/// What a server says in its greeting that it can do, as far as we act on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerCapabilities {
    /// It has prompts.
    pub(crate) prompts: bool,
    /// It has resources.
    pub(crate) resources: bool,
    /// It sends log messages, from a level on that can be set.
    pub(crate) logging: bool,
}

impl ServerCapabilities {
    /// Reads the result of `initialize` or `server/discover`; what cannot be read is not there.
    pub(crate) fn of(result: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        struct Members {
            prompts: Option<IgnoredAny>,
            resources: Option<IgnoredAny>,
            logging: Option<IgnoredAny>,
        }
        #[derive(Deserialize)]
        struct Greeting {
            #[serde(default)]
            capabilities: Members,
        }
        serde_json::from_slice::<Greeting>(result)
            .map(|Greeting { capabilities }| Self {
                prompts: capabilities.prompts.is_some(),
                resources: capabilities.resources.is_some(),
                logging: capabilities.logging.is_some(),
            })
            .unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct DiscoverResult<'a> {
    #[serde(borrow, rename = "supportedVersions")]
    versions: Vec<Cow<'a, str>>,
}

/// Whether a result of `server/discover` offers the modern version we speak.
pub(crate) fn speaks_modern(result: &[u8]) -> bool {
    serde_json::from_slice::<DiscoverResult<'_>>(result).is_ok_and(|result| {
        result
            .versions
            .iter()
            .any(|version| version == MODERN_VERSION)
    })
}

#[derive(Deserialize)]
struct UnsupportedVersion<'a> {
    code: i64,
    #[serde(borrow)]
    data: SupportedVersions<'a>,
}

#[derive(Deserialize)]
struct SupportedVersions<'a> {
    #[serde(borrow)]
    supported: Vec<Cow<'a, str>>,
}

/// Whether an error of `server/discover` refuses the version, and yet offers the modern one we speak: it is to be asked
/// for once more.
pub(crate) fn offers_modern(error: &[u8]) -> bool {
    serde_json::from_slice::<UnsupportedVersion<'_>>(error).is_ok_and(|error| {
        let mut supported = error.data.supported.iter();
        error.code == UNSUPPORTED_VERSION && supported.any(|version| version == MODERN_VERSION)
    })
}

#[derive(Deserialize)]
struct InitializeResult<'a> {
    #[serde(borrow, rename = "protocolVersion")]
    version: Cow<'a, str>,
}

/// The legacy version that a result of `initialize` settled on.
pub(crate) fn settled_version(result: &[u8]) -> Result<&'static str, GreetingError> {
    let result: InitializeResult<'_> =
        serde_json::from_slice(result).map_err(|_| GreetingError::NoVersion)?;
    LEGACY_VERSIONS
        .into_iter()
        .find(|version| *version == result.version)
        .ok_or_else(|| GreetingError::UnknownVersion {
            version: result.version.chars().take(40).collect(),
        })
}

/// Why a greeting is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GreetingError {
    /// Not the result of `initialize`.
    #[error("it answered initialize without a protocolVersion; is it an MCP server?")]
    NoVersion,
    /// A version from neither half of MCP's history.
    #[error("it speaks MCP {version:?}, which this node does not know")]
    UnknownVersion {
        /// As it said, cut to 40 characters.
        version: String,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn completed(params: &str) -> Value {
        serde_json::from_slice(&with_modern_meta(
            Bytes::from(params.to_owned()),
            &Client::Stateless,
        ))
        .unwrap()
    }

    #[test]
    fn a_legacy_callers_params_gain_what_a_modern_upstream_demands() {
        for params in [
            "{}",
            "{ }",
            r#"{"name":"x"}"#,
            r#"{"_meta":{}}"#,
            r#"{"_meta": {"progressToken":1}}"#,
        ] {
            let meta = &completed(params)["_meta"];
            assert_eq!(
                meta["io.modelcontextprotocol/protocolVersion"], MODERN_VERSION,
                "{params}"
            );
            assert_eq!(
                meta["io.modelcontextprotocol/clientCapabilities"],
                json!({}),
                "{params}"
            );
            assert_eq!(
                meta["io.modelcontextprotocol/clientInfo"]["name"], "peerage",
                "{params}"
            );
        }
        let kept = completed(
            r#"{"name":"x","_meta":{"progressToken":1,"io.modelcontextprotocol/clientInfo":{"name":"theirs"}}}"#,
        );
        assert_eq!(kept["name"], "x");
        assert_eq!(kept["_meta"]["progressToken"], 1);
        assert_eq!(
            kept["_meta"]["io.modelcontextprotocol/clientInfo"]["name"],
            "theirs"
        );
    }

    #[test]
    fn our_own_params_are_valid_in_both_eras() {
        for era in [Era::Legacy, Era::Modern] {
            for raw in [
                bare_params(era),
                list_params(era, Some("a\"b")),
                initialize_params(),
                listen_params(),
            ] {
                serde_json::from_slice::<Value>(&raw).unwrap();
            }
        }
        let page: Value = serde_json::from_slice(&list_params(Era::Modern, Some("a\"b"))).unwrap();
        assert_eq!(page["cursor"], "a\"b");
    }

    #[test]
    fn eras_are_told_by_the_versions_offered() {
        assert!(speaks_modern(
            br#"{"supportedVersions":["2025-11-25","2026-07-28"]}"#
        ));
        assert!(!speaks_modern(br#"{"supportedVersions":["2099-01-01"]}"#));
        assert!(!speaks_modern(b"{}"));
        let error = |code, version| {
            format!(r#"{{"code":{code},"message":"","data":{{"supported":["{version}"]}}}}"#)
        };
        assert!(offers_modern(error(-32022, "2026-07-28").as_bytes()));
        assert!(!offers_modern(error(-32022, "2025-11-25").as_bytes()));
        assert!(!offers_modern(error(-32601, "2026-07-28").as_bytes()));
        assert_eq!(
            settled_version(br#"{"protocolVersion":"2024-11-05"}"#),
            Ok("2024-11-05")
        );
        assert_eq!(settled_version(b"[]"), Err(GreetingError::NoVersion));
        assert!(matches!(
            settled_version(br#"{"protocolVersion":"1.0"}"#),
            Err(GreetingError::UnknownVersion { .. })
        ));
    }

    proptest! {
        #[test]
        fn completed_params_stay_valid_json(key in "[a-z]{0,8}", value in "\\PC*", space in "[ \n]{0,3}") {
            let raw = format!("{space}{{{space}{}:{},\"_meta\":{space}{{{space}}}}}", quoted(&key), quoted(&value));
            let whole: Value = serde_json::from_slice(&with_modern_meta(raw.into(), &Client::Stateless)).unwrap();
            prop_assert_eq!(&whole[&key], &Value::from(value));
            prop_assert!(whole["_meta"]["io.modelcontextprotocol/protocolVersion"].is_string());
        }
    }
}
