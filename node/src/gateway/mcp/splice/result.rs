//! What a result gains or loses between the eras: `resultType`, `ttlMs` and `cacheScope`.

use bytes::Bytes;

use super::removal::without_members;
use super::scan::{Member, members, whole};
use crate::gateway::call::{Era, Reply, ReplyBody};

/// Members of a result that only the modern era has (2026-07-28, "Results" and "Caching").
const MODERN_MEMBERS: [&str; 3] = ["resultType", "ttlMs", "cacheScope"];

/// How long, and for whom, a result may be kept by a client (2026-07-28, "Caching").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheHint {
    /// Freshness in milliseconds; 0 is stale at once.
    pub ttl_ms: u64,
    /// Who may share it.
    pub scope: CacheScope,
}

/// Who may share a cached result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheScope {
    /// Everybody.
    Public,
    /// The same authorization only.
    Private,
}

/// The raw result as a caller of era `caller` must see it.
///
/// A modern caller finds `resultType`, and with `hint` also `ttlMs` and `cacheScope`; what the answering side
/// said itself is kept. A legacy caller of a modern backend finds none of the three. All other bytes, and errors,
/// stay as they came.
pub fn result_for(caller: Era, reply: &Reply, hint: Option<CacheHint>) -> Bytes {
    let raw = match &reply.body {
        ReplyBody::Error(raw) => return raw.clone(),
        ReplyBody::Result(raw) => raw,
    };
    match (caller, reply.era) {
        (Era::Modern, _) => with_modern_members(raw, hint),
        (Era::Legacy, Era::Modern) => without_modern_members(raw),
        (Era::Legacy, Era::Legacy) => raw.clone(),
    }
}

fn with_modern_members(raw: &Bytes, hint: Option<CacheHint>) -> Bytes {
    let Some(found) = all_members(raw) else {
        return raw.clone();
    };
    let lacks = |key: &str| !found.iter().any(|member| member.is(raw, key));
    let mut added = String::new();
    if lacks("resultType") {
        added.push_str("\"resultType\":\"complete\",");
    }
    if let Some(hint) = hint {
        if lacks("ttlMs") {
            added.push_str(&format!("\"ttlMs\":{},", hint.ttl_ms));
        }
        if lacks("cacheScope") {
            added.push_str(match hint.scope {
                CacheScope::Public => "\"cacheScope\":\"public\",",
                CacheScope::Private => "\"cacheScope\":\"private\",",
            });
        }
    }
    if added.is_empty() {
        return raw.clone();
    }
    if found.is_empty() {
        added.pop();
    }
    insert_first(raw, &added)
}

/// Puts `members` right behind the opening brace.
fn insert_first(raw: &[u8], members: &str) -> Bytes {
    let brace = memchr::memchr(b'{', raw).map_or(0, |at| at + 1);
    let mut out = Vec::with_capacity(raw.len() + members.len());
    out.extend_from_slice(&raw[..brace]);
    out.extend_from_slice(members.as_bytes());
    out.extend_from_slice(&raw[brace..]);
    out.into()
}

fn without_modern_members(raw: &Bytes) -> Bytes {
    without_members(raw, &MODERN_MEMBERS).unwrap_or_else(|| raw.clone())
}

fn all_members(raw: &[u8]) -> Option<Vec<Member>> {
    members(raw, whole(raw))?.collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::arbitrary::json_object;
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    const HINT: CacheHint = CacheHint {
        ttl_ms: 5,
        scope: CacheScope::Private,
    };

    fn reply(era: Era, raw: &str) -> Reply {
        let body = ReplyBody::Result(Bytes::copy_from_slice(raw.as_bytes()));
        Reply { era, body }
    }

    #[test]
    fn a_modern_caller_is_told_what_a_legacy_backend_leaves_out() {
        let seen = result_for(
            Era::Modern,
            &reply(Era::Legacy, r#"{"tools":[]}"#),
            Some(HINT),
        );
        let expected = r#"{"resultType":"complete","ttlMs":5,"cacheScope":"private","tools":[]}"#;
        assert_eq!(seen, expected.as_bytes());
        let seen = result_for(Era::Modern, &reply(Era::Legacy, "{}"), None);
        assert_eq!(seen, &br#"{"resultType":"complete"}"#[..]);
    }

    #[test]
    fn what_a_modern_backend_said_is_kept() {
        let said = r#"{"resultType":"input_required","cacheScope":"public","ttlMs":9}"#;
        let seen = result_for(Era::Modern, &reply(Era::Modern, said), Some(HINT));
        assert_eq!(seen, said.as_bytes());
    }

    #[test]
    fn a_legacy_caller_sees_no_modern_members_wherever_they_stand() {
        let cases = [
            (r#"{"resultType":"complete","a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1, "ttlMs":0 }"#, r#"{"a":1 }"#),
            (
                r#"{ "ttlMs":0,"a":1,"cacheScope":"x" , "b":{"ttlMs":1},"resultType":"complete"}"#,
                r#"{ "a":1,"b":{"ttlMs":1}}"#,
            ),
            (r#"{"resultType":"complete","ttlMs":0}"#, "{}"),
        ];
        for (said, expected) in cases {
            let seen = result_for(Era::Legacy, &reply(Era::Modern, said), None);
            assert_eq!(seen, expected.as_bytes());
        }
    }

    #[test]
    fn errors_and_legacy_results_for_legacy_callers_stay_as_they_came() {
        let said = reply(Era::Legacy, r#"{"ttlMs":1}"#);
        assert_eq!(
            result_for(Era::Legacy, &said, Some(HINT)),
            &br#"{"ttlMs":1}"#[..]
        );
        let error = Bytes::from_static(br#"{"code":1}"#);
        let said = Reply {
            era: Era::Modern,
            body: ReplyBody::Error(error.clone()),
        };
        assert_eq!(result_for(Era::Modern, &said, Some(HINT)), error);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            for caller in [Era::Legacy, Era::Modern] {
                let body = ReplyBody::Result(bytes.clone().into());
                result_for(caller, &Reply { era: Era::Modern, body }, Some(HINT));
            }
        }

        #[test]
        fn what_is_added_for_one_era_is_taken_away_for_the_other(object in json_object(), pretty: bool) {
            let raw = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
            let modern = result_for(Era::Modern, &reply(Era::Legacy, &raw), Some(HINT));
            let value: Value = serde_json::from_slice(&modern).unwrap();
            prop_assert_eq!(&value["resultType"], "complete");
            let back = Reply { era: Era::Modern, body: ReplyBody::Result(modern) };
            let back: Value = serde_json::from_slice(&result_for(Era::Legacy, &back, None)).unwrap();
            prop_assert_eq!(back, object);
        }
    }
}
