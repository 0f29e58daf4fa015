//! The URIs in the result of `resources/read`: one for each of its `contents`.

use bytes::Bytes;

use super::scan::{Span, skip_space, text, value_end, whole};
use super::task_ids::only;
use super::write_edited;

/// The raw `result` with the URI of each of its contents written anew; `None` where it has none that can be read, or
/// any is named twice.
pub fn with_content_uris(result: &[u8], write: impl Fn(&str) -> String) -> Option<Bytes> {
    let contents = only(result, whole(result), "contents")?;
    let mut edits: Vec<(Span, Vec<u8>)> = Vec::new();
    for element in elements(result, contents)? {
        let Some(uri) = only(result, element, "uri") else {
            continue;
        };
        let written = write(&text(uri.of(result))?);
        edits.push((uri, serde_json::to_vec(&written).ok()?));
    }
    let edits: Vec<(Span, &[u8])> = edits.iter().map(|(span, json)| (*span, &**json)).collect();
    let added: usize = edits.iter().map(|(_, json)| json.len()).sum();
    let mut out = Vec::with_capacity(result.len() + added);
    write_edited(result, &edits, &mut out);
    Some(out.into())
}

/// The elements of the array that `array` spans; `None` where there is none.
fn elements(bytes: &[u8], array: Span) -> Option<Vec<Span>> {
    let bytes = bytes.get(..array.end)?;
    let mut at = skip_space(bytes, array.start);
    if bytes.get(at) != Some(&b'[') {
        return None;
    }
    let mut found = Vec::new();
    at = skip_space(bytes, at + 1);
    if bytes.get(at) == Some(&b']') {
        return Some(found);
    }
    loop {
        let end = value_end(bytes, at).ok()?;
        found.push(Span { start: at, end });
        at = skip_space(bytes, end);
        match bytes.get(at)? {
            b',' => at = skip_space(bytes, at + 1),
            b']' => return Some(found),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn marked(result: &str) -> Option<String> {
        let written = with_content_uris(result.as_bytes(), |own| format!("q:{own}"))?;
        Some(String::from_utf8(written.to_vec()).unwrap())
    }

    #[test]
    fn every_uri_of_the_contents_changes_and_nothing_else() {
        let said = r#"{ "uri":"kept", "contents" : [ {"text":"[\"uri\"]","uri" : "a:\u0031"}, {"blob":1.50}, {"uri":"a:2"} ]}"#;
        let expected = said
            .replace(r#""a:\u0031""#, r#""q:a:1""#)
            .replace("a:2", "q:a:2");
        assert_eq!(marked(said).unwrap(), expected);
        assert_eq!(marked(r#"{"contents":[]}"#).unwrap(), r#"{"contents":[]}"#);
    }

    #[test]
    fn what_cannot_be_read_or_means_two_things_stays() {
        for said in [
            "{}",
            r#"{"contents":{}}"#,
            r#"{"contents":[],"contents":[]}"#,
            r#"{"contents":[{"uri":5}]}"#,
            r#"{"contents":[{"uri":"a"}"#,
            "[]",
        ] {
            assert_eq!(marked(said), None, "{said}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = with_content_uris(&[b"{\"contents\":[".as_slice(), &bytes].concat(), str::to_owned);
        }
    }
}
