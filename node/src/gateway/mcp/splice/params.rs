//! The `params` of a request: read in place, edited when written.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::scan::{Span, members, text, whole};
use super::{SpliceError, once, write_edited};

/// Members of `_meta` that the gateway edits or decides by, with their paths for messages.
const WATCHED_META: [(&str, &str); 8] = [
    ("progressToken", "params._meta.progressToken"),
    ("traceparent", "params._meta.traceparent"),
    ("tracestate", "params._meta.tracestate"),
    (
        "io.modelcontextprotocol/protocolVersion",
        "params._meta[\"io.modelcontextprotocol/protocolVersion\"]",
    ),
    (
        "io.modelcontextprotocol/clientCapabilities",
        "params._meta[\"io.modelcontextprotocol/clientCapabilities\"]",
    ),
    (
        "io.modelcontextprotocol/clientInfo",
        "params._meta[\"io.modelcontextprotocol/clientInfo\"]",
    ),
    (
        "io.modelcontextprotocol/logLevel",
        "params._meta[\"io.modelcontextprotocol/logLevel\"]",
    ),
    (
        "io.modelcontextprotocol/subscriptionId",
        "params._meta[\"io.modelcontextprotocol/subscriptionId\"]",
    ),
];

/// A request's `params` as raw JSON, with edits waiting to be written.
///
/// `Debug` shows its size only: arguments are the caller's business.
#[derive(Clone)]
pub struct Params {
    raw: Bytes,
    name: Option<Span>,
    uri: Option<Span>,
    arguments: Option<Span>,
    meta: Option<Span>,
    progress_token: Option<Span>,
    asks_for_task: bool,
    new_name: Option<Box<[u8]>>,
    new_uri: Option<Box<[u8]>>,
    new_progress_token: Option<Box<[u8]>>,
    new_reference: Option<(Span, Box<[u8]>)>,
}

/// What `completion/complete` is about: the member `ref`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A prompt, by name.
    Prompt(String),
    /// A template of resources.
    Resource(String),
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Params")
            .field("bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

impl Params {
    /// Reads the positions of the members that may be edited. `raw` is valid JSON; it must be an object, and no
    /// member on an edited path may occur twice.
    pub fn scan(raw: Bytes) -> Result<Self, SpliceError> {
        let mut params = Self {
            raw,
            ..Self::empty()
        };
        let raw = params.raw.clone();
        let not_an_object = SpliceError::NotAnObject { path: "params" };
        for member in members(&raw, whole(&raw)).ok_or(not_an_object.clone())? {
            let member = member.map_err(|_| not_an_object.clone())?;
            if member.is(&raw, "name") {
                once(&mut params.name, member.value, "params.name")?;
            } else if member.is(&raw, "arguments") {
                once(&mut params.arguments, member.value, "params.arguments")?;
            } else if member.is(&raw, "_meta") {
                once(&mut params.meta, member.value, "params._meta")?;
            } else if member.is(&raw, "uri") {
                once(&mut params.uri, member.value, "params.uri")?;
            } else if member.is(&raw, "task") {
                params.asks_for_task = true;
            }
        }
        params.scan_meta()?;
        Ok(params)
    }

    /// The empty object: the params of a request that has none.
    pub fn empty() -> Self {
        Self {
            raw: Bytes::from_static(b"{}"),
            name: None,
            uri: None,
            arguments: None,
            meta: None,
            progress_token: None,
            asks_for_task: false,
            new_name: None,
            new_uri: None,
            new_progress_token: None,
            new_reference: None,
        }
    }

    /// The JSON as the caller sent it.
    pub fn raw(&self) -> Bytes {
        self.raw.clone()
    }

    /// The `name` member, when it is a string.
    pub fn name(&self) -> Option<Cow<'_, str>> {
        match &self.new_name {
            Some(name) => text(name),
            None => text(self.name?.of(&self.raw)),
        }
    }

    /// The `uri` member, when it is a string.
    pub fn uri(&self) -> Option<Cow<'_, str>> {
        match &self.new_uri {
            Some(uri) => text(uri),
            None => text(self.uri?.of(&self.raw)),
        }
    }

    /// The member `ref`, where it names a prompt or a resource and nothing occurs twice in it.
    pub fn reference(&self) -> Option<Reference> {
        let (span, is_prompt) = self.find_reference()?;
        let named = text(span.of(&self.raw))?.into_owned();
        Some(match is_prompt {
            true => Reference::Prompt(named),
            false => Reference::Resource(named),
        })
    }

    /// Replaces what the member `ref` names; nothing happens where it names nothing.
    pub fn set_reference(&mut self, to: &str) {
        let json = serde_json::to_vec(to).expect("a string is always JSON");
        self.new_reference = self.find_reference().map(|(span, _)| (span, json.into()));
    }

    fn find_reference(&self) -> Option<(Span, bool)> {
        let raw = &self.raw;
        let only = |object: Span, key: &str| {
            let mut found = members(raw, object)?.map_while(Result::ok);
            let mut found = found.by_ref().filter(|member| member.is(raw, key));
            let first = found.next()?;
            found.next().is_none().then_some(first.value)
        };
        let reference = only(whole(raw), "ref")?;
        match &*text(only(reference, "type")?.of(raw))? {
            "ref/prompt" => Some((only(reference, "name")?, true)),
            "ref/resource" => Some((only(reference, "uri")?, false)),
            _ => None,
        }
    }

    /// Whether there is a member `task`: a legacy caller wants its call to become a task.
    pub const fn asks_for_task(&self) -> bool {
        self.asks_for_task
    }

    /// The raw JSON of `arguments`.
    pub fn arguments(&self) -> Option<&[u8]> {
        Some(self.arguments?.of(&self.raw))
    }

    /// The raw JSON of `_meta.progressToken`.
    pub fn progress_token(&self) -> Option<&[u8]> {
        let sent = self.progress_token?.of(&self.raw);
        Some(self.new_progress_token.as_deref().unwrap_or(sent))
    }

    /// The raw JSON of a member of `_meta`, as the caller sent it.
    pub fn meta_raw(&self, key: &str) -> Option<&[u8]> {
        members(&self.raw, self.meta?)?
            .map_while(Result::ok)
            .find(|member| member.is(&self.raw, key))
            .map(|member| member.value.of(&self.raw))
    }

    /// A member of `_meta`, when it is a string.
    pub fn meta_str(&self, key: &str) -> Option<Cow<'_, str>> {
        text(self.meta_raw(key)?)
    }

    /// Replaces the `name` member; nothing happens where the caller sent none.
    pub fn set_name(&mut self, name: &str) {
        if self.name.is_some() {
            let json = serde_json::to_vec(name).expect("a string is always JSON");
            self.new_name = Some(json.into());
        }
    }

    /// Replaces the `uri` member; nothing happens where the caller sent none.
    pub fn set_uri(&mut self, uri: &str) {
        if self.uri.is_some() {
            let json = serde_json::to_vec(uri).expect("a string is always JSON");
            self.new_uri = Some(json.into());
        }
    }

    /// Replaces `_meta.progressToken` with raw JSON; nothing happens where the caller sent none.
    pub fn set_progress_token(&mut self, raw: &[u8]) {
        if self.progress_token.is_some() {
            self.new_progress_token = Some(raw.into());
        }
    }

    /// The edited JSON; shares the caller's bytes where nothing was edited.
    pub fn to_bytes(&self) -> Bytes {
        let edited = self.new_name.is_some()
            || self.new_progress_token.is_some()
            || self.new_uri.is_some()
            || self.new_reference.is_some();
        if !edited {
            return self.raw.clone();
        }
        let mut out = Vec::with_capacity(self.raw.len() + 64);
        self.write_to(&mut out);
        out.into()
    }

    /// Appends the edited JSON to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let mut edits: Vec<(Span, &[u8])> = Vec::with_capacity(4);
        edits.extend(self.name.zip(self.new_name.as_deref()));
        edits.extend(self.uri.zip(self.new_uri.as_deref()));
        let reference = self.new_reference.as_ref();
        edits.extend(reference.map(|(span, json)| (*span, &**json)));
        edits.extend(self.progress_token.zip(self.new_progress_token.as_deref()));
        edits.sort_by_key(|(span, _)| span.start);
        write_edited(&self.raw, &edits, out);
    }

    fn scan_meta(&mut self) -> Result<(), SpliceError> {
        let Some(meta) = self.meta else {
            return Ok(());
        };
        let path = "params._meta";
        let mut found = [None; WATCHED_META.len()];
        for member in members(&self.raw, meta).ok_or(SpliceError::NotAnObject { path })? {
            let member = member.map_err(|_| SpliceError::NotAnObject { path })?;
            let watched = |(key, _): &(&str, &str)| member.is(&self.raw, key);
            if let Some(index) = WATCHED_META.iter().position(watched) {
                once(&mut found[index], member.value, WATCHED_META[index].1)?;
            }
        }
        self.progress_token = found[0];
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::arbitrary::json_object;
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn scan(json: &str) -> Result<Params, SpliceError> {
        Params::scan(Bytes::copy_from_slice(json.as_bytes()))
    }

    #[test]
    fn only_the_edited_members_change() {
        let sent = "{ \"big\":123456789012345678901234567890, \"_meta\":{\"progressToken\": 7 ,\"x\":\"\\u00e9\"},\n\"name\" :\"a__b\",\"arguments\":{\"name\":\"kept\"} }";
        let mut params = scan(sent).unwrap();
        params.set_name("quote \" and é");
        params.set_progress_token(b"\"t-1\"");
        let written = params.to_bytes();
        let expected = sent
            .replace(": 7 ,", ": \"t-1\" ,")
            .replace("\"a__b\"", "\"quote \\\" and é\"");
        assert_eq!(written, expected.as_bytes());
    }

    #[test]
    fn a_reference_is_read_and_replaced_in_place() {
        let sent = r#"{"argument":{"name":"a"},"ref" : {"name": "x__p" ,"type":"ref/prompt"}}"#;
        let mut params = scan(sent).unwrap();
        assert_eq!(params.reference(), Some(Reference::Prompt("x__p".into())));
        params.set_reference("p");
        assert_eq!(params.to_bytes(), sent.replace("x__p", "p").as_bytes());
        let resource = r#"{"ref":{"type":"ref/resource","uri":"a:{b}"}}"#;
        let expected = Some(Reference::Resource("a:{b}".into()));
        assert_eq!(scan(resource).unwrap().reference(), expected);
        let twice = r#"{"ref":{"type":"ref/resource","uri":"a","uri":"b"}}"#;
        assert_eq!(scan(twice).unwrap().reference(), None);
    }

    #[test]
    fn edits_are_read_back() {
        let mut params = scan(r#"{"name":"a","_meta":{"progressToken":1}}"#).unwrap();
        params.set_name("b");
        params.set_progress_token(b"2");
        assert_eq!(params.name().unwrap(), "b");
        assert_eq!(params.progress_token(), Some(&b"2"[..]));
    }

    #[test]
    fn what_was_not_sent_is_not_added() {
        let mut params = scan(r#"{"arguments":{}}"#).unwrap();
        params.set_name("b");
        params.set_progress_token(b"2");
        assert_eq!(params.to_bytes(), &br#"{"arguments":{}}"#[..]);
        assert_eq!(params.name(), None);
    }

    #[test]
    fn a_member_twice_is_refused_by_its_path_however_it_is_spelled() {
        let cases = [
            (r#"{"name":"a","n\u0061me":"b"}"#, "params.name"),
            (r#"{"uri":"a","uri":"b"}"#, "params.uri"),
            (r#"{"_meta":{},"_meta":{}}"#, "params._meta"),
            (r#"{"arguments":{},"arguments":{}}"#, "params.arguments"),
            (
                r#"{"_meta":{"progressToken":1,"progressToken":2}}"#,
                "params._meta.progressToken",
            ),
        ];
        for (sent, path) in cases {
            assert_eq!(scan(sent).unwrap_err(), SpliceError::Duplicate { path });
        }
    }

    #[test]
    fn members_that_nobody_edits_may_occur_twice() {
        assert!(scan(r#"{"a":1,"a":2,"_meta":{"b":1,"b":2}}"#).is_ok());
    }

    #[test]
    fn params_and_meta_must_be_objects() {
        for (sent, path) in [("[1]", "params"), (r#"{"_meta":1}"#, "params._meta")] {
            assert_eq!(scan(sent).unwrap_err(), SpliceError::NotAnObject { path });
        }
    }

    #[test]
    fn meta_members_are_read_through_escapes() {
        let params = scan(r#"{"_meta":{"tr\u0061ceparent":"00-\u0061b"}}"#).unwrap();
        assert_eq!(params.meta_str("traceparent").unwrap(), "00-ab");
        assert_eq!(params.meta_raw("tracestate"), None);
    }

    #[test]
    fn debug_does_not_show_arguments() {
        let params = scan(r#"{"arguments":{"password":"hunter2"}}"#).unwrap();
        assert!(!format!("{params:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Params::scan(bytes.into());
        }

        #[test]
        fn unedited_json_is_written_as_it_came(object in json_object(), pretty: bool) {
            let sent = if pretty { serde_json::to_vec_pretty(&object) } else { serde_json::to_vec(&object) }.unwrap();
            let mut out = Vec::new();
            let params = Params::scan(sent.clone().into()).unwrap();
            params.write_to(&mut out);
            prop_assert_eq!(&out, &sent);
            prop_assert_eq!(params.to_bytes(), sent);
        }

        #[test]
        fn edited_json_differs_at_the_edited_paths_only(
            object in json_object(), name: String, token: u64, before: bool,
        ) {
            let mut sent = serde_json::Map::new();
            if before {
                sent.insert("_meta".into(), json!({"progressToken": "old", "kept": object}));
            }
            sent.insert("name".into(), json!("old"));
            sent.insert("arguments".into(), object.clone());
            if !before {
                sent.insert("_meta".into(), json!({"kept": object, "progressToken": "old"}));
            }
            let mut expected = Value::Object(sent.clone());
            expected["name"] = json!(name);
            expected["_meta"]["progressToken"] = json!(token);
            let mut params = Params::scan(serde_json::to_vec(&sent).unwrap().into()).unwrap();
            params.set_name(&name);
            params.set_progress_token(token.to_string().as_bytes());
            prop_assert_eq!(params.to_bytes(), serde_json::to_vec(&expected).unwrap());
        }
    }
}
