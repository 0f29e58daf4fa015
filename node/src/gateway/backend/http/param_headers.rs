//! Arguments that a modern server wants as headers too: properties marked `x-mcp-header` (SEP-2243).

use std::collections::HashMap;

use http::{HeaderMap, HeaderName};
use serde_json::Value;

use crate::gateway::backend::upstream::Definition;
use crate::gateway::mcp::header_text::encode;

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
            if memchr::memmem::find(&tool.definition, MARK.as_bytes()).is_none() {
                continue;
            }
            let definition: Value = serde_json::from_slice(&tool.definition).unwrap_or_default();
            let mut found = Vec::new();
            find_marks(&definition["inputSchema"], &mut Vec::new(), &mut found);
            marks.insert(tool.name.clone(), found);
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
            let argument = mark
                .path
                .iter()
                .try_fold(&arguments, |value, key| value.get(key));
            if let Some(argument) = argument.and_then(as_text).and_then(|text| encode(&text)) {
                headers.insert(mark.header.clone(), argument);
            }
        }
        headers
    }
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
