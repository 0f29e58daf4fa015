//! Takes members out of raw JSON objects; every other byte stays.

use bytes::Bytes;

use super::scan::{Member, Span, members, whole};
use super::write_edited;

/// `object` without the members named in `keys`; `None` where it has none of them, or is no object.
pub(super) fn without_members(object: &[u8], keys: &[&str]) -> Option<Bytes> {
    let found: Vec<Member> = members(object, whole(object))?
        .collect::<Result<_, _>>()
        .ok()?;
    let unwanted = |member: &Member| keys.iter().any(|key| member.is(object, key));
    let (first, last) = (found.first()?, found.last()?);
    if !found.iter().any(unwanted) {
        return None;
    }
    let mut out = Vec::with_capacity(object.len());
    out.extend_from_slice(&object[..first.key.start]);
    // What lies between a kept member and its original successor is the comma that parts it from the next kept one.
    let mut comma: &[u8] = b"";
    for (index, member) in found.iter().enumerate() {
        if unwanted(member) {
            continue;
        }
        out.extend_from_slice(comma);
        out.extend_from_slice(&object[member.key.start..member.value.end]);
        comma = found
            .get(index + 1)
            .map_or(b"", |next| &object[member.value.end..next.key.start]);
    }
    out.extend_from_slice(&object[last.value.end..]);
    Some(out.into())
}

/// `params` without the members of its `_meta` that are named in `keys`.
pub fn without_meta_members(params: &Bytes, keys: &[&str]) -> Bytes {
    let meta = || -> Option<Span> {
        let mut all = members(params, whole(params))?.map_while(Result::ok);
        all.find(|member| member.is(params, "_meta"))
            .map(|member| member.value)
    };
    let edited = meta().and_then(|span| Some((span, without_members(span.of(params), keys)?)));
    match edited {
        None => params.clone(),
        Some((span, meta)) => {
            let mut out = Vec::with_capacity(params.len());
            write_edited(params, &[(span, &meta)], &mut out);
            out.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_members_of_meta_go() {
        let cases = [
            (
                r#"{"_meta":{"x":1, "a":2},"a":3}"#,
                r#"{"_meta":{"a":2},"a":3}"#,
            ),
            (r#"{ "_meta" : {"x":{"y":1}} }"#, r#"{ "_meta" : {} }"#),
            (r#"{"x":1}"#, r#"{"x":1}"#),
            (r#"{"_meta":5}"#, r#"{"_meta":5}"#),
        ];
        for (sent, expected) in cases {
            let sent = Bytes::copy_from_slice(sent.as_bytes());
            assert_eq!(without_meta_members(&sent, &["x"]), expected.as_bytes());
        }
    }
}
