//! The three tools that stand for every tool that a list leaves out: search, describe, call.

use bytes::Bytes;
use peerage_protocol::catalog::snapshot::{Catalog, Entry, Lookup};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::answer::said_twice;
use crate::gateway::call::CallError;
use crate::gateway::mcp::splice::Params;

/// Finds tools by words.
pub const TOOLS_SEARCH: &str = "tools_search";
/// Shows one tool's definition.
pub const TOOL_DESCRIBE: &str = "tool_describe";
/// Calls one tool.
pub const TOOL_CALL: &str = "tool_call";

/// Tools that one search may return.
const FOUND_MAX: usize = 100;
/// Tools that one search returns unless it says otherwise.
const FOUND_BY_DEFAULT: usize = 20;
/// Characters of a description that a search shows.
const DESCRIPTION_SHOWN: usize = 200;

/// The definitions of the three, as they are listed.
pub fn definitions() -> [&'static str; 3] {
    [
        r#"{"name":"tools_search","title":"Search tools","description":"Finds tools on every machine of the mesh by words in their names and descriptions. Use it when the tool you need is not in the list. Example: {\"query\":\"read file\"}","inputSchema":{"type":"object","properties":{"query":{"type":"string","description":"Words to look for; all of them must occur. Empty lists everything."},"limit":{"type":"integer","minimum":1,"maximum":100,"default":20}},"required":["query"]},"outputSchema":{"type":"object","properties":{"tools":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"description":{"type":"string"}},"required":["name"]}},"found":{"type":"integer","description":"How many tools match, shown or not."}},"required":["tools","found"]},"annotations":{"readOnlyHint":true,"openWorldHint":false}}"#,
        r#"{"name":"tool_describe","title":"Describe a tool","description":"Shows the full definition of one tool, input schema included. Example: {\"name\":\"laptop__files__read_file\"}","inputSchema":{"type":"object","properties":{"name":{"type":"string","description":"The tool's name, as tools_search gives it."}},"required":["name"]},"annotations":{"readOnlyHint":true,"openWorldHint":false}}"#,
        r#"{"name":"tool_call","title":"Call a tool","description":"Calls any tool by name, listed or not, and returns its result as it is. Example: {\"name\":\"laptop__files__read_file\",\"arguments\":{\"path\":\"notes.txt\"}}","inputSchema":{"type":"object","properties":{"name":{"type":"string","description":"The tool's name, as tools_search gives it."},"arguments":{"type":"object","description":"What tool_describe says that the tool takes."}},"required":["name"]}}"#,
    ]
}

#[derive(Deserialize)]
struct Search {
    query: String,
    limit: Option<usize>,
}

/// Answers `tools_search`: the raw result.
pub fn search(catalog: &Catalog, params: &Params) -> Result<Bytes, CallError> {
    let search: Search = arguments(params)?;
    let limit = search.limit.unwrap_or(FOUND_BY_DEFAULT).clamp(1, FOUND_MAX);
    let found = find(catalog, &search.query);
    let shown: Vec<Value> = found
        .iter()
        .take(limit)
        .map(|(entry, description)| json!({"name": entry.name, "description": description}))
        .collect();
    let found = json!({"tools": shown, "found": found.len()});
    Ok(said_twice(&found.to_string()))
}

/// The tools in whose name or description every word of `query` occurs, those with it in the name first, each with
/// the beginning of its description.
pub fn find<'a>(catalog: &'a Catalog, query: &str) -> Vec<(&'a Entry, String)> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<(usize, &Entry, String)> = catalog
        .reachable()
        .filter_map(|entry| {
            let description = description(entry);
            let name = entry.name.to_lowercase();
            let text = description.to_lowercase();
            let everywhere = words
                .iter()
                .all(|word| name.contains(word) || text.contains(word));
            let outside_name = words.iter().filter(|word| !name.contains(*word)).count();
            everywhere.then_some((outside_name, entry, description))
        })
        .collect();
    found.sort_by_key(|(outside_name, _, _)| *outside_name);
    let shorten = |text: String| text.chars().take(DESCRIPTION_SHOWN).collect();
    found
        .into_iter()
        .map(|(_, entry, description)| (entry, shorten(description)))
        .collect()
}

fn description(entry: &Entry) -> String {
    #[derive(Deserialize)]
    struct Described {
        #[serde(default)]
        description: String,
    }
    serde_json::from_str::<Described>(&entry.definition)
        .map(|described| described.description)
        .unwrap_or_default()
}

#[derive(Deserialize)]
struct Describe {
    name: String,
}

/// Answers `tool_describe`: the raw result.
pub fn describe(catalog: &Catalog, params: &Params) -> Result<Bytes, CallError> {
    let Describe { name } = arguments(params)?;
    let Lookup::Found(entry) = catalog.lookup(&name) else {
        return Err(CallError::UnknownTool { name });
    };
    let definition = with_own_name(entry).ok_or_else(|| CallError::InvalidParams {
        what: format!("the definition of {name} is damaged"),
    })?;
    Ok(said_twice(&definition))
}

/// The tool's own definition with the name it goes by here; every other byte is its server's.
fn with_own_name(entry: &Entry) -> Option<String> {
    let _valid: &RawValue = serde_json::from_str(&entry.definition).ok()?;
    let raw = Bytes::copy_from_slice(entry.definition.as_bytes());
    let mut definition = Params::scan(raw).ok()?;
    definition.set_name(&entry.name);
    String::from_utf8(definition.to_bytes().into()).ok()
}

/// The call that a `tool_call` wraps: its params, as if the caller had sent them itself.
pub fn unwrap_call(params: &Params) -> Result<Params, CallError> {
    #[derive(Deserialize)]
    struct Wrapped<'a> {
        name: String,
        #[serde(borrow)]
        arguments: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow, rename = "_meta")]
        meta: Option<&'a RawValue>,
        #[serde(borrow)]
        arguments: Wrapped<'a>,
    }
    let raw = params.to_bytes();
    let outer: Outer<'_> = serde_json::from_slice(&raw).map_err(|error| not_good(&error))?;
    let name = Value::from(outer.arguments.name).to_string();
    let mut inner = format!(r#"{{"name":{name}"#);
    if let Some(arguments) = outer.arguments.arguments {
        inner.push_str(r#","arguments":"#);
        inner.push_str(arguments.get());
    }
    if let Some(meta) = outer.meta {
        inner.push_str(r#","_meta":"#);
        inner.push_str(meta.get());
    }
    inner.push('}');
    Params::scan(inner.into()).map_err(|error| CallError::InvalidParams {
        what: error.to_string(),
    })
}

fn arguments<'a, T: Deserialize<'a>>(params: &'a Params) -> Result<T, CallError> {
    let raw = params.arguments().unwrap_or(b"{}");
    serde_json::from_slice(raw).map_err(|error| not_good(&error))
}

fn not_good(error: &serde_json::Error) -> CallError {
    CallError::InvalidParams {
        what: format!("the arguments do not fit the tool's input schema: {error}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use peerage_protocol::catalog::manifest::ToolEntry;
    use peerage_protocol::catalog::shelf::Shelf;
    use peerage_protocol::catalog::snapshot::LocalServer;

    use super::*;

    fn described(definition: &str) -> Result<Value, CallError> {
        let files = LocalServer {
            name: "files".parse().unwrap(),
            share: false,
            tools: vec![ToolEntry {
                name: "read".into(),
                definition: definition.into(),
            }],
            shelf: Shelf::default(),
        };
        let catalog = Catalog::build(vec![files], vec![]);
        let params = Bytes::from_static(br#"{"arguments":{"name":"files__read"}}"#);
        let result = describe(&catalog, &Params::scan(params).unwrap())?;
        Ok(serde_json::from_slice(&result).unwrap())
    }

    #[test]
    fn a_described_tool_is_its_servers_definition_but_for_the_name() {
        let said =
            r#"{"name":"read", "inputSchema":{"maximum":1e2,"type":"object"},"unknown":"\u00e9"}"#;
        let result = described(said).unwrap();
        let expected = said.replacen("read", "files__read", 1);
        assert_eq!(result["content"][0]["text"], expected);
        let structure: Value = serde_json::from_str(&expected).unwrap();
        assert_eq!(result["structuredContent"], structure);
    }

    #[test]
    fn a_definition_that_is_no_json_object_is_a_named_error() {
        for damaged in ["{\"name\":\"read\"", "[]", ""] {
            let error = described(damaged).unwrap_err();
            assert!(
                matches!(error, CallError::InvalidParams { .. }),
                "{error:?}"
            );
        }
    }
}
