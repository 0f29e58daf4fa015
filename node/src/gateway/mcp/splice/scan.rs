//! Finds where the members of a JSON object lie, without reading their values.
//!
//! On valid JSON the spans are exact. On any other bytes the scan ends or says [`Malformed`]; it never panics,
//! never recurses and reads every byte at most once.

use std::borrow::Cow;

/// A part of the scanned bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start..self.end]
    }
}

/// One member of an object: its key with the quotes, and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: Span,
    pub(super) value: Span,
}

impl Member {
    /// Whether the key spells `name`, with or without escapes.
    pub(super) fn is(&self, bytes: &[u8], name: &str) -> bool {
        let raw = self.key.of(bytes);
        match memchr::memchr(b'\\', raw) {
            None => raw.get(1..raw.len() - 1) == Some(name.as_bytes()),
            Some(_) => text(raw).is_some_and(|key| key == name),
        }
    }
}

/// The bytes are not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The members of one object, in order.
#[derive(Clone, Debug)]
pub(super) struct Members<'a> {
    bytes: &'a [u8],
    position: usize,
    first: bool,
    done: bool,
}

/// The members of the object that `object` spans; `None` where there is no object.
pub(super) fn members(bytes: &[u8], object: Span) -> Option<Members<'_>> {
    let bytes = bytes.get(..object.end)?;
    let start = skip_space(bytes, object.start);
    (bytes.get(start) == Some(&b'{')).then_some(Members {
        bytes,
        position: start + 1,
        first: true,
        done: false,
    })
}

/// All of `bytes`.
pub(super) fn whole(bytes: &[u8]) -> Span {
    Span {
        start: 0,
        end: bytes.len(),
    }
}

/// The text of a raw JSON string; `None` when it is something else.
pub(super) fn text(raw: &[u8]) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', inner).is_some() {
        return serde_json::from_slice(raw).ok().map(Cow::Owned);
    }
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

impl Members<'_> {
    fn step(&mut self) -> Result<Option<Member>, Malformed> {
        let mut at = skip_space(self.bytes, self.position);
        match self.bytes.get(at) {
            Some(b'}') => return Ok(None),
            Some(b',') if !self.first => at = skip_space(self.bytes, at + 1),
            Some(_) if self.first => {}
            _ => return Err(Malformed),
        }
        let key = Span {
            start: at,
            end: string_end(self.bytes, at)?,
        };
        let colon = skip_space(self.bytes, key.end);
        if self.bytes.get(colon) != Some(&b':') {
            return Err(Malformed);
        }
        let start = skip_space(self.bytes, colon + 1);
        let end = value_end(self.bytes, start)?;
        self.first = false;
        self.position = end;
        Ok(Some(Member {
            key,
            value: Span { start, end },
        }))
    }
}

impl Iterator for Members<'_> {
    type Item = Result<Member, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let step = self.step().transpose();
        self.done = !matches!(step, Some(Ok(_)));
        step
    }
}

pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Behind the closing quote of the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    if bytes.get(at) != Some(&b'"') {
        return Err(Malformed);
    }
    let mut at = at + 1;
    loop {
        let rest = bytes.get(at..).ok_or(Malformed)?;
        let found = memchr::memchr2(b'"', b'\\', rest).ok_or(Malformed)?;
        match rest[found] {
            b'"' => return Ok(at + found + 1),
            _ => at += found + 2,
        }
    }
}

/// Behind the value that begins at `at`.
pub(super) fn value_end(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    match bytes.get(at).ok_or(Malformed)? {
        b'"' => string_end(bytes, at),
        b'{' | b'[' => container_end(bytes, at),
        _ => scalar_end(bytes, at),
    }
}

fn container_end(bytes: &[u8], mut at: usize) -> Result<usize, Malformed> {
    let mut depth = 0usize;
    loop {
        match bytes.get(at).ok_or(Malformed)? {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Ok(at);
        }
    }
}

fn scalar_end(bytes: &[u8], start: usize) -> Result<usize, Malformed> {
    let rest = &bytes[start..];
    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    if length == 0 {
        return Err(Malformed);
    }
    Ok(start + length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn pairs(json: &str) -> Vec<(String, String)> {
        let bytes = json.as_bytes();
        let part = |span: Span| String::from_utf8(span.of(bytes).to_vec()).unwrap();
        members(bytes, whole(bytes))
            .unwrap()
            .map(|member| member.unwrap())
            .map(|member| (part(member.key), part(member.value)))
            .collect()
    }

    #[test]
    fn members_are_found_with_their_exact_bytes() {
        let found = pairs(" { \"a\" : [1,{\"x\":\"}\"}] ,\"b\\\"\":1e9,\n\"c\":\"q\\\\\"} ");
        let expected = [
            ("\"a\"", "[1,{\"x\":\"}\"}]"),
            ("\"b\\\"\"", "1e9"),
            ("\"c\"", "\"q\\\\\""),
        ];
        let expected: Vec<_> = expected
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_key_written_with_escapes_is_the_same_key() {
        let json = br#"{"n\u0061me":1}"#;
        let member = members(json, whole(json)).unwrap().next().unwrap().unwrap();
        assert!(member.is(json, "name"));
        assert!(!member.is(json, "n\\u0061me"));
    }

    #[test]
    fn what_breaks_off_is_malformed() {
        for json in [
            "{\"a\"",
            "{\"a\":",
            "{\"a\":[1",
            "{\"a\":\"\\",
            "{\"a\":1 \"b\":2}",
        ] {
            let bytes = json.as_bytes();
            let last = members(bytes, whole(bytes)).unwrap().last();
            assert_eq!(last, Some(Err(Malformed)), "{json}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_scan_panic_or_run_on(bytes: Vec<u8>) {
            for object in [&bytes[..], &[b"{".as_slice(), &bytes].concat()] {
                if let Some(members) = members(object, whole(object)) {
                    prop_assert!(members.count() <= object.len());
                }
                let _ = text(object);
            }
        }

        #[test]
        fn scraps_of_json_make_no_panic(scraps in proptest::collection::vec("[{}\\[\\]:,\"\\\\a1 ]{0,3}", 0..20)) {
            let object = format!("{{{}", scraps.concat());
            let found = members(object.as_bytes(), whole(object.as_bytes())).unwrap();
            prop_assert!(found.count() <= object.len());
        }
    }
}
