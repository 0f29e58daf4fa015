//! Arguments that a modern server wants as headers too: properties marked `x-mcp-header` (SEP-2243).

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::gateway::backend::upstream::Definition;
use crate::gateway::mcp::header_text::{decode, encode};

/// What marks a property of an input schema.
const MARK: &str = "x-mcp-header";
/// Schemas nested deeper than this are not searched.
const DEPTH_MAX: usize = 16;

/// The marked properties of each tool that has any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ParamHeaders {
    tools: HashMap<String, Vec<Marked>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Marked {
    /// Property names from the arguments to the property.
    path: Vec<String>,
    header: HeaderName,
}

impl ParamHeaders {
    /// Reads the marks in the input schemas of `tools`.
    pub(crate) fn of_tools(tools: &[Definition]) -> Self {
        let mut marks = HashMap::new();
        for tool in tools {
            if let Some(found) = marks_in(&tool.definition) {
                marks.insert(tool.name.clone(), found);
            }
        }
        Self { tools: marks }
    }

    /// The headers for a call of `tool` with these raw arguments.
    pub(crate) fn of_call(&self, tool: &str, arguments: Option<&[u8]>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let (Some(marked), Some(arguments)) = (self.tools.get(tool), arguments) else {
            return headers;
        };
        let arguments: Value = serde_json::from_slice(arguments).unwrap_or_default();
        for mark in marked {
            let argument = mark.argument(&arguments).and_then(as_text);
            if let Some(argument) = argument.and_then(|text| encode(&text)) {
                headers.insert(mark.header.clone(), argument);
            }
        }
        headers
    }
}

/// The first header that does not say what the raw arguments of a call say, by the marks in the tool's raw definition;
/// what the arguments do not say, no header may.
pub(crate) fn mismatch(
    definition: &[u8],
    arguments: Option<&[u8]>,
    headers: &HeaderMap,
) -> Option<HeaderName> {
    let marked = marks_in(definition)?;
    let arguments: Value = arguments
        .and_then(|raw| serde_json::from_slice(raw).ok())
        .unwrap_or_default();
    let differs = |mark: &Marked| {
        let argument = mark.argument(&arguments);
        let text = argument.and_then(as_text);
        let is_number = argument.is_some_and(Value::is_number);
        let mut values = headers.get_all(&mark.header).iter();
        match (text, values.next(), values.next()) {
            (None, None, None) => false,
            (Some(text), Some(value), None) => !says(value, &text, is_number),
            _ => true,
        }
    };
    let first = marked.into_iter().find(differs);
    first.map(|mark| mark.header)
}

/// The marks in a tool's raw definition; `None` where there are none, which is nearly always.
fn marks_in(definition: &[u8]) -> Option<Vec<Marked>> {
    memchr::memmem::find(definition, MARK.as_bytes())?;
    let definition: Value = serde_json::from_slice(definition).unwrap_or_default();
    let mut found = Vec::new();
    find_marks(&definition["inputSchema"], &mut Vec::new(), &mut found);
    Some(found)
}

impl Marked {
    fn argument<'a>(&self, arguments: &'a Value) -> Option<&'a Value> {
        let mut path = self.path.iter();
        path.try_fold(arguments, |value, key| value.get(key))
    }
}

/// Whether a header says `text`, or the same number in other digits.
fn says(value: &HeaderValue, text: &str, is_number: bool) -> bool {
    let Some(said) = value.to_str().ok().and_then(decode) else {
        return false;
    };
    let number = |text: &str| text.parse::<f64>().ok();
    said == text || is_number && number(&said).is_some_and(|said| number(text) == Some(said))
}

fn find_marks(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Marked>) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    if path.len() >= DEPTH_MAX {
        return;
    }
    for (name, property) in properties {
        path.push(name.clone());
        let header = property[MARK].as_str().filter(|header| !header.is_empty());
        let header = header.and_then(|header| format!("mcp-param-{header}").parse().ok());
        found.extend(header.map(|header| Marked {
            path: path.clone(),
            header,
        }));
        find_marks(property, path, found);
        path.pop();
    }
}

fn as_text(argument: &Value) -> Option<String> {
    match argument {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(argument.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn headers_must_say_what_the_arguments_say_and_nothing_else() {
        let definition = json!({"name": "deploy", "inputSchema": {"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "racks": {"type": "number", "x-mcp-header": "Racks"},
        }}});
        let definition = definition.to_string();
        let differs = |arguments: Value, sent: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in sent {
                headers.append(*name, value.parse().unwrap());
            }
            let arguments = arguments.to_string();
            let header = mismatch(definition.as_bytes(), Some(arguments.as_bytes()), &headers);
            header.map(|header| header.to_string())
        };
        let region = || json!({"region": "Hello"});
        for good in ["Hello", "=?base64?SGVsbG8=?="] {
            assert_eq!(differs(region(), &[("mcp-param-region", good)]), None);
        }
        for bad in ["hello", "=?base64?SGVsbG8?=", "=?base64?SGVs!!!bG8=?="] {
            let seen = differs(region(), &[("mcp-param-region", bad)]);
            assert_eq!(seen.as_deref(), Some("mcp-param-region"), "{bad}");
        }
        let twice = [("mcp-param-region", "Hello"), ("mcp-param-region", "Hello")];
        for (arguments, sent) in [
            (region(), &[][..]),
            (region(), &twice),
            (json!({}), &twice[..1]),
        ] {
            assert!(differs(arguments, sent).is_some(), "{sent:?}");
        }
        assert_eq!(
            differs(json!({"racks": 7.0}), &[("mcp-param-racks", "7")]),
            None
        );
        assert_eq!(differs(json!({"region": null}), &[]), None);
        assert_eq!(mismatch(b"{}", None, &HeaderMap::new()), None);
    }

    #[test]
    fn marked_arguments_become_headers_and_others_do_not() {
        let definition = json!({"name": "deploy", "inputSchema": {"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "where": {"properties": {"rack": {"type": "integer", "x-mcp-header": "Rack"}}},
            "bad": {"x-mcp-header": "not a token"},
            "force": {"type": "boolean"},
        }}});
        let headers = ParamHeaders::of_tools(&[Definition {
            name: "deploy".to_owned(),
            definition: definition.to_string().into(),
        }]);
        let arguments =
            json!({"region": "münchen", "where": {"rack": 7}, "bad": "x", "force": true});
        let sent = headers.of_call("deploy", Some(arguments.to_string().as_bytes()));
        assert_eq!(sent.len(), 2);
        assert_eq!(sent["mcp-param-region"], "=?base64?bcO8bmNoZW4=?=");
        assert_eq!(sent["mcp-param-rack"], "7");
        assert!(headers.of_call("other", Some(b"{}")).is_empty());
        assert!(headers.of_call("deploy", None).is_empty());
    }
}
