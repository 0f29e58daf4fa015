//! Edits a client's configuration in JSON, with or without comments: one server in, one out, every other byte kept.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use serde_json::{Map, Value};

use super::change_error::ChangeError;
use super::entry::{ENTRY_NAME, Entry};

/// `text` with `entry` among the members of `key`. The same text where it stands there already; other members of the
/// entry, which the user may have added, stay.
pub(super) fn with_entry(text: &str, key: &str, entry: &Entry) -> Result<String, ChangeError> {
    let root = parse(text)?;
    let object = match (root.value(), root.object_value()) {
        (_, Some(object)) => object,
        (None, None) => root.object_value_or_set(),
        (Some(_), None) => return Err(ChangeError::NotAnObject { key: String::new() }),
    };
    let servers = member_object(&object, key)?;
    let present = servers_of(text, key)?.remove(ENTRY_NAME);
    if present
        .as_ref()
        .is_some_and(|present| is_current(present, entry))
    {
        return Ok(text.to_owned());
    }
    match servers.get(ENTRY_NAME) {
        Some(property) if property.object_value().is_some() => {
            let object = property.object_value_or_set();
            for (name, value) in members_of(entry) {
                match object.get(name) {
                    Some(member) => member.set_value(value),
                    None => drop(object.append(name, value)),
                }
            }
        }
        Some(property) => property.set_value(whole(entry)),
        None => {
            servers.append(ENTRY_NAME, whole(entry));
        }
    }
    Ok(ending_as(text, root.to_string()))
}

/// `text` without Peerage among the members of `key`; the same text where it is not there.
pub(super) fn without_entry(text: &str, key: &str) -> Result<String, ChangeError> {
    let root = parse(text)?;
    let servers = root.object_value().and_then(|root| root.object_value(key));
    match servers.and_then(|servers| servers.get(ENTRY_NAME)) {
        None => Ok(text.to_owned()),
        Some(property) => {
            property.remove();
            Ok(root.to_string())
        }
    }
}

/// The servers of `text`, by name.
pub(super) fn servers_of(text: &str, key: &str) -> Result<Map<String, Value>, ChangeError> {
    match read(text)?.get(key) {
        None => Ok(Map::new()),
        Some(Value::Object(servers)) => Ok(servers.clone()),
        Some(_) => Err(ChangeError::NotAnObject {
            key: key.to_owned(),
        }),
    }
}

/// What `text` says, but for an empty object under `key`.
pub(super) fn meaning(text: &str, key: &str) -> Option<Value> {
    let mut value = read(text).ok()?;
    let object = value.as_object_mut()?;
    if object
        .get(key)
        .and_then(Value::as_object)
        .is_some_and(Map::is_empty)
    {
        object.shift_remove(key);
    }
    Some(value)
}

/// The value of `text`; an empty object where it holds none, or comments alone.
fn read(text: &str) -> Result<Value, ChangeError> {
    if parse(text)?.value().is_none() {
        return Ok(Value::Object(Map::new()));
    }
    jsonc_parser::parse_to_serde_value(text, &options()).map_err(|error| syntax(&error))
}

fn parse(text: &str) -> Result<CstRootNode, ChangeError> {
    CstRootNode::parse(text, &options()).map_err(|error| syntax(&error))
}

/// What editors allow; a client that allows less has refused the file before us.
fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn syntax(error: &jsonc_parser::errors::ParseError) -> ChangeError {
    ChangeError::Syntax {
        line: error.line_display(),
        what: error.kind().to_string(),
    }
}

fn member_object(object: &CstObject, key: &str) -> Result<CstObject, ChangeError> {
    object
        .object_value_or_create(key)
        .ok_or_else(|| ChangeError::NotAnObject {
            key: key.to_owned(),
        })
}

fn is_current(present: &Value, entry: &Entry) -> bool {
    let args: Vec<&str> = entry.args.iter().map(String::as_str).collect();
    let typed = !entry.names_transport || present["type"] == "stdio";
    typed && present["command"] == *entry.command && present["args"] == Value::from(args)
}

fn members_of(entry: &Entry) -> Vec<(&'static str, CstInputValue)> {
    let text = |text: &String| CstInputValue::String(text.clone());
    let mut members = Vec::new();
    if entry.names_transport {
        members.push(("type", CstInputValue::String("stdio".to_owned())));
    }
    members.push(("command", text(&entry.command)));
    members.push((
        "args",
        CstInputValue::Array(entry.args.iter().map(text).collect()),
    ));
    members
}

fn whole(entry: &Entry) -> CstInputValue {
    let members = members_of(entry).into_iter();
    CstInputValue::Object(
        members
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// A new file ends with a line break.
fn ending_as(before: &str, mut after: String) -> String {
    if before.trim().is_empty() && !after.ends_with('\n') {
        after.push('\n');
    }
    after
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn entry() -> Entry {
        Entry {
            command: "/bin/peerage".to_owned(),
            args: ["mcp", "--as", "claude"].map(str::to_owned).to_vec(),
            names_transport: true,
        }
    }

    const COMMENTED: &str = "// mine\n{\n\t\"theme\": \"dark\", // dark\n\t\"servers\": {\n\t\t/* files */\n\t\t\"fs\": { \"type\": \"stdio\", \"command\": \"npx\" },\n\t},\n\t\"inputs\": [ 1,2 ],\n}\n";

    #[test]
    fn an_empty_file_becomes_one_with_the_server() {
        insta::assert_snapshot!(with_entry("", "mcpServers", &entry()).unwrap());
    }

    #[test]
    fn comments_tabs_and_trailing_commas_stay() {
        let after = with_entry(COMMENTED, "servers", &entry()).unwrap();
        insta::assert_snapshot!(after);
        assert_eq!(without_entry(&after, "servers").unwrap(), COMMENTED);
    }

    #[test]
    fn a_second_time_changes_nothing() {
        for text in ["", "{}", "// nothing yet\n", COMMENTED, "{\"servers\":{}}"] {
            let once = with_entry(text, "servers", &entry()).unwrap();
            assert_eq!(with_entry(&once, "servers", &entry()).unwrap(), once);
        }
    }

    #[test]
    fn an_older_entry_is_renewed_and_what_the_user_added_stays() {
        let text = r#"{"servers": {"peerage": {"command": "old", "env": {"A": "b"}}}}"#;
        let after = with_entry(text, "servers", &entry()).unwrap();
        let servers = servers_of(&after, "servers").unwrap();
        assert_eq!(servers["peerage"]["command"], "/bin/peerage");
        assert_eq!(servers["peerage"]["env"]["A"], "b");
    }

    #[test]
    fn what_is_no_object_is_refused_and_the_key_named() {
        let refusal = |text| {
            with_entry(text, "servers", &entry())
                .unwrap_err()
                .to_string()
        };
        assert!(refusal("[]").contains("object"));
        assert!(refusal(r#"{"servers": 1}"#).contains("servers"));
        assert!(
            refusal("{\n\n oops").contains("line 3"),
            "{}",
            refusal("{\n\n oops")
        );
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "\\PC{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-z]{1,4}", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_else_is_changed_and_the_undoing_gives_back_the_meaning(
            others in prop::collection::vec(("[a-z]{1,6}", json()), 0..4),
            servers in prop::collection::vec(("[a-o]{1,6}", json()), 0..4),
            pretty: bool,
        ) {
            let mut before: Map<String, Value> = others.into_iter().collect();
            before.insert("mcpServers".to_owned(), Value::Object(servers.into_iter().collect()));
            let before = Value::Object(before);
            let text = if pretty { format!("{before:#}\n") } else { before.to_string() };
            let after = with_entry(&text, "mcpServers", &entry()).unwrap();
            let mut read: Value = serde_json::from_str(&after).unwrap();
            let added = read["mcpServers"].as_object_mut().unwrap().shift_remove("peerage");
            prop_assert!(is_current(&added.unwrap(), &entry()));
            prop_assert_eq!(&read, &before);
            let undone = without_entry(&after, "mcpServers").unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&undone).unwrap(), before);
        }

        #[test]
        fn any_text_is_edited_or_refused_without_a_panic(text in "\\PC{0,60}", braces in "[\\[\\]{}\",:/*a\n ]{0,40}") {
            for text in [text, braces] {
                let _ = with_entry(&text, "mcpServers", &entry());
                let _ = without_entry(&text, "mcpServers");
            }
        }
    }
}
