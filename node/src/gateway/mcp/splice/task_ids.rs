//! The ids of tasks, in requests that name one and in results that tell of one (2025-11-25, "Tasks"; the extension
//! `io.modelcontextprotocol/tasks` of 2026-07-28).

use std::borrow::Cow;

use bytes::Bytes;

use super::scan::{Span, members, text, whole};
use super::write_edited;

/// The member of `_meta` that says to which task a message belongs.
const RELATED: &str = "io.modelcontextprotocol/related-task";
/// The member that holds an id.
const ID: &str = "taskId";

/// The member `taskId` of raw `params`, where it is a string and occurs once.
pub fn task_id_of(params: &[u8]) -> Option<Cow<'_, str>> {
    text(only(params, whole(params), ID)?.of(params))
}

/// Whether a raw result of `tools/call` is a task: `resultType` says so, or it holds a `task`.
pub fn is_task(result: &[u8]) -> bool {
    let object = whole(result);
    let kind = only(result, object, "resultType").and_then(|span| text(span.of(result)));
    kind.as_deref() == Some("task") || only(result, object, "task").is_some()
}

/// The raw `result` with every id of a task written anew: its own, that of its `task`, and that in its `_meta`. `None`
/// where it has none.
pub fn with_task_ids(result: &[u8], write: impl Fn(&str) -> String) -> Option<Bytes> {
    let object = whole(result);
    let task = only(result, object, "task");
    let meta = only(result, object, "_meta");
    let related = meta.and_then(|meta| only(result, meta, RELATED));
    let holders = [Some(object), task, related];
    let mut edits: Vec<(Span, Vec<u8>)> = Vec::new();
    for holder in holders.into_iter().flatten() {
        let Some(span) = only(result, holder, ID) else {
            continue;
        };
        if let Some(id) = text(span.of(result)) {
            edits.push((span, serde_json::to_vec(&write(&id)).ok()?));
        }
    }
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|(span, _)| span.start);
    let edits: Vec<(Span, &[u8])> = edits.iter().map(|(span, json)| (*span, &**json)).collect();
    let mut out = Vec::with_capacity(result.len() + 64);
    write_edited(result, &edits, &mut out);
    Some(out.into())
}

/// The value of the member `key`, where it occurs once.
pub(super) fn only(bytes: &[u8], object: Span, key: &str) -> Option<Span> {
    let mut found = None;
    for member in members(bytes, object)? {
        let member = member.ok()?;
        if member.is(bytes, key) && found.replace(member.value).is_some() {
            return None;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn marked(result: &str) -> Option<String> {
        let written = with_task_ids(result.as_bytes(), |own| format!("q:{own}"))?;
        Some(String::from_utf8(written.to_vec()).unwrap())
    }

    #[test]
    fn ids_are_written_anew_wherever_a_result_tells_of_a_task_and_nowhere_else() {
        let cases = [
            (
                r#"{"resultType":"task","taskId" : "a","ttlMs":1}"#,
                r#"{"resultType":"task","taskId" : "q:a","ttlMs":1}"#,
            ),
            (
                r#"{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"a"}}, "task":{"taskId":"a","x":{"taskId":"a"}}}"#,
                r#"{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"q:a"}}, "task":{"taskId":"q:a","x":{"taskId":"a"}}}"#,
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(marked(said).unwrap(), expected);
        }
        for said in [
            "{}",
            "[]",
            r#"{"taskId":5}"#,
            r#"{"content":[{"taskId":"a"}]}"#,
        ] {
            assert_eq!(marked(said), None, "{said}");
        }
    }

    #[test]
    fn a_task_is_told_from_an_answer_that_is_complete() {
        assert!(is_task(br#"{"taskId":"a","resultType":"task"}"#));
        assert!(is_task(br#"{"task":{"taskId":"a"}}"#));
        assert!(!is_task(br#"{"content":[],"resultType":"complete"}"#));
        assert_eq!(task_id_of(br#"{"taskId":"\u0061"}"#).unwrap(), "a");
        assert_eq!(task_id_of(br#"{"taskId":"a","taskId":"b"}"#), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = (with_task_ids(&bytes, str::to_owned), task_id_of(&bytes), is_task(&bytes));
        }
    }
}
