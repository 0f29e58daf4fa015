//! Edits a client's configuration in TOML: one server in, one out, comments and order kept.

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, value};

use super::change_error::ChangeError;
use super::entry::{ENTRY_NAME, Entry};

/// The table that holds the servers.
const SERVERS: &str = "mcp_servers";

/// `text` with `entry` among the servers. The same text where it stands there already; other keys of the entry, which
/// the user may have added, stay.
pub(super) fn with_entry(text: &str, entry: &Entry) -> Result<String, ChangeError> {
    let mut document = parse(text)?;
    let args: Array = entry.args.iter().map(String::as_str).collect();
    let servers = document
        .entry(SERVERS)
        .or_insert_with(implicit_table)
        .as_table_like_mut()
        .ok_or_else(not_a_table)?;
    if servers
        .get(ENTRY_NAME)
        .is_some_and(|present| is_current(present, entry))
    {
        return Ok(text.to_owned());
    }
    let server = servers
        .entry(ENTRY_NAME)
        .or_insert_with(|| Item::Table(Table::new()))
        .as_table_like_mut()
        .ok_or_else(not_a_table)?;
    server.insert("command", value(&entry.command));
    server.insert("args", value(args));
    Ok(document.to_string())
}

/// `text` without Peerage among the servers; the same text where it is not there.
pub(super) fn without_entry(text: &str) -> Result<String, ChangeError> {
    let mut document = parse(text)?;
    let servers = document.get_mut(SERVERS).and_then(Item::as_table_like_mut);
    match servers.and_then(|servers| servers.remove(ENTRY_NAME)) {
        Some(_) => Ok(document.to_string()),
        None => Ok(text.to_owned()),
    }
}

/// The servers of `text`, by name.
pub(super) fn servers_of(text: &str) -> Result<Map<String, Value>, ChangeError> {
    let document = parse(text)?;
    match document.get(SERVERS) {
        None => Ok(Map::new()),
        Some(servers) => {
            let servers = servers.as_table_like().ok_or_else(not_a_table)?;
            Ok(members(servers))
        }
    }
}

/// What `text` says, but for an empty table of servers.
pub(super) fn meaning(text: &str) -> Option<Value> {
    let mut members = members(parse(text).ok()?.as_table());
    if members
        .get(SERVERS)
        .and_then(Value::as_object)
        .is_some_and(Map::is_empty)
    {
        members.shift_remove(SERVERS);
    }
    Some(Value::Object(members))
}

fn parse(text: &str) -> Result<DocumentMut, ChangeError> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let before = error.span().map_or(0, |span| span.start).min(text.len());
        let breaks = text.as_bytes()[..before]
            .iter()
            .filter(|byte| **byte == b'\n');
        ChangeError::Syntax {
            line: breaks.count() + 1,
            what: error.message().to_owned(),
        }
    })
}

/// A table that has no header of its own, only those of the tables in it.
fn implicit_table() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

fn not_a_table() -> ChangeError {
    ChangeError::NotAnObject {
        key: SERVERS.to_owned(),
    }
}

fn is_current(present: &Item, entry: &Entry) -> bool {
    let present = json(present);
    let args: Vec<&str> = entry.args.iter().map(String::as_str).collect();
    present["command"] == *entry.command && present["args"] == Value::from(args)
}

fn members(table: &dyn TableLike) -> Map<String, Value> {
    table
        .iter()
        .map(|(key, item)| (key.to_owned(), json(item)))
        .collect()
}

/// The item as JSON; dates, which no server has, as text.
fn json(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        return Value::Object(members(table));
    }
    item.as_value().map_or(Value::Null, json_value)
}

fn json_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Float(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(truth) => (*truth.value()).into(),
        toml_edit::Value::Datetime(date) => date.value().to_string().into(),
        toml_edit::Value::Array(array) => array.iter().map(json_value).collect(),
        toml_edit::Value::InlineTable(table) => Value::Object(members(table)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn entry() -> Entry {
        Entry {
            command: "/bin/peerage".to_owned(),
            args: ["mcp", "--as", "codex"].map(str::to_owned).to_vec(),
            names_transport: false,
        }
    }

    const COMMENTED: &str = "# mine\nmodel = \"o\"  # the model\n\n[mcp_servers.fs]\ncommand = \"npx\"\nargs = [\"-y\", \"fs\"]\nenv = { A = \"b\" }\n\n[tui]\ntheme = 'dark'\n";

    #[test]
    fn an_empty_file_becomes_one_with_the_server() {
        insta::assert_snapshot!(with_entry("", &entry()).unwrap());
    }

    #[test]
    fn comments_and_order_stay() {
        let after = with_entry(COMMENTED, &entry()).unwrap();
        insta::assert_snapshot!(after);
        assert_eq!(without_entry(&after).unwrap(), COMMENTED);
    }

    #[test]
    fn a_second_time_changes_nothing() {
        for text in ["", COMMENTED, "mcp_servers = {}\n"] {
            let once = with_entry(text, &entry()).unwrap();
            assert_eq!(with_entry(&once, &entry()).unwrap(), once);
        }
    }

    #[test]
    fn an_older_entry_is_renewed_and_what_the_user_added_stays() {
        let text = "[mcp_servers.peerage]\ncommand = \"old\"\nstartup_timeout_sec = 20\n";
        let after = with_entry(text, &entry()).unwrap();
        let servers = servers_of(&after).unwrap();
        assert_eq!(servers["peerage"]["command"], "/bin/peerage");
        assert_eq!(servers["peerage"]["startup_timeout_sec"], 20);
    }

    #[test]
    fn a_broken_file_is_refused_with_its_line() {
        let refused = with_entry("a = 1\nb = \n", &entry())
            .unwrap_err()
            .to_string();
        assert!(refused.contains("line 2"), "{refused}");
        let refused = with_entry("mcp_servers = 1\n", &entry()).unwrap_err();
        assert!(refused.to_string().contains("mcp_servers"), "{refused}");
    }

    proptest! {
        #[test]
        fn any_text_is_edited_or_refused_without_a_panic(text in "[a-z\\[\\]={}\"'#.\n ]{0,60}") {
            let _ = without_entry(&text);
            if let Ok(after) = with_entry(&text, &entry()) {
                prop_assert!(servers_of(&after).unwrap().contains_key("peerage"));
            }
        }
    }
}
