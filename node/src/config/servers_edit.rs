//! Adds a server to `mcp.json` or removes one, and leaves the rest as it was: keys nobody here knows, and the order.

use std::path::Path;

use peerage_protocol::id::ServerName;
use serde_json::{Map, Value};

use super::instance::Instance;
use super::servers::{SERVERS_KEY, parse_root, read_text};
use super::servers_error::{ServersError, ServersFileError, ServersProblem};
use super::upstream::{UpstreamSettings, UpstreamTransport};
use crate::home::write_atomically;

/// Keys of a server that say how it is reached; they are replaced together.
const TRANSPORT_KEYS: [&str; 9] = [
    "type", "command", "args", "env", "cwd", "instance", "url", "headers", "share",
];

/// Whether an edit found the server there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New,
    /// It took the place of one with the same name.
    Replaced,
}

/// Adds the server to the file, or replaces how the one of that name is reached.
pub fn add_server(
    path: &Path,
    name: &ServerName,
    settings: &UpstreamSettings,
) -> Result<Added, ServersFileError> {
    let text = read_text(path)?;
    let (text, added) = with_server(&text, name, settings).map_err(|error| invalid(path, error))?;
    write(path, &text)?;
    Ok(added)
}

/// Removes the server from the file.
pub fn remove_server(path: &Path, name: &ServerName) -> Result<(), ServersFileError> {
    let text = read_text(path)?;
    match without_server(&text, name).map_err(|error| invalid(path, error))? {
        Removal::Text(text) => write(path, &text),
        Removal::NoSuchServer { names } => Err(ServersFileError::NoSuchServer {
            path: path.to_path_buf(),
            name: name.to_string(),
            names,
        }),
    }
}

fn with_server(
    text: &str,
    name: &ServerName,
    settings: &UpstreamSettings,
) -> Result<(String, Added), ServersError> {
    let mut root = parse_root(text)?;
    let servers = servers_of(&mut root)?;
    let fresh = members_of(settings);
    let added = match servers.get_mut(name.as_str()) {
        Some(Value::Object(present)) => {
            TRANSPORT_KEYS
                .iter()
                .for_each(|key| drop(present.shift_remove(*key)));
            present.extend(fresh);
            Added::Replaced
        }
        Some(present) => {
            *present = Value::Object(fresh);
            Added::Replaced
        }
        None => {
            servers.insert(name.to_string(), Value::Object(fresh));
            Added::New
        }
    };
    Ok((to_text(&root), added))
}

enum Removal {
    Text(String),
    NoSuchServer { names: Vec<String> },
}

fn without_server(text: &str, name: &ServerName) -> Result<Removal, ServersError> {
    let mut root = parse_root(text)?;
    let servers = servers_of(&mut root)?;
    // A plain `remove` would move the last server into the gap.
    Ok(match servers.shift_remove(name.as_str()) {
        Some(_) => Removal::Text(to_text(&root)),
        None => Removal::NoSuchServer {
            names: servers.keys().cloned().collect(),
        },
    })
}

fn servers_of(root: &mut Map<String, Value>) -> Result<&mut Map<String, Value>, ServersError> {
    let servers = root
        .entry(SERVERS_KEY)
        .or_insert_with(|| Value::Object(Map::new()));
    servers.as_object_mut().ok_or_else(|| ServersError {
        line: 1,
        key: SERVERS_KEY.to_owned(),
        problem: ServersProblem::Type {
            expected: "an object",
        },
    })
}

fn members_of(settings: &UpstreamSettings) -> Map<String, Value> {
    let mut members = Map::new();
    match &settings.transport {
        UpstreamTransport::Stdio {
            command,
            args,
            env,
            cwd,
            instance,
        } => {
            members.insert("command".to_owned(), command.as_str().into());
            members.insert("args".to_owned(), args.as_slice().into());
            if !env.is_empty() {
                members.insert("env".to_owned(), text_object(env));
            }
            if let Some(cwd) = cwd {
                members.insert("cwd".to_owned(), cwd.to_string_lossy().into());
            }
            if *instance != Instance::default() {
                members.insert("instance".to_owned(), instance.as_str().into());
            }
        }
        UpstreamTransport::Http { url, headers } => {
            members.insert("type".to_owned(), "http".into());
            members.insert("url".to_owned(), url.as_str().into());
            if !headers.is_empty() {
                members.insert("headers".to_owned(), text_object(headers));
            }
        }
    }
    if settings.share {
        members.insert("share".to_owned(), true.into());
    }
    members
}

fn text_object(texts: &std::collections::BTreeMap<String, String>) -> Value {
    let members = texts
        .iter()
        .map(|(key, text)| (key.clone(), text.as_str().into()));
    Value::Object(members.collect())
}

fn to_text(root: &Map<String, Value>) -> String {
    // The alternate form of a `Value` is its indented JSON.
    format!("{:#}\n", Value::Object(root.clone()))
}

fn write(path: &Path, text: &str) -> Result<(), ServersFileError> {
    write_atomically(path, text.as_bytes()).map_err(|source| ServersFileError::Write {
        path: path.to_path_buf(),
        source,
    })
}

fn invalid(path: &Path, error: ServersError) -> ServersFileError {
    ServersFileError::Invalid {
        path: path.to_path_buf(),
        error,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::servers::parse_servers;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn stdio(share: bool) -> UpstreamSettings {
        UpstreamSettings {
            share,
            transport: UpstreamTransport::Stdio {
                command: "npx".to_owned(),
                args: vec!["-y".to_owned()],
                env: BTreeMap::from([("KEY".to_owned(), "value".to_owned())]),
                cwd: Some("/work".into()),
                instance: Instance::PerSession,
            },
        }
    }

    fn name(text: &str) -> ServerName {
        text.parse().unwrap()
    }

    const FOREIGN: &str = r#"{"$schema": 1, "mcpServers": {
        "z": {"disabled": true, "command": "old", "x": [1]}, "a": {"url": "http://h/"}, "m": {"url": "http://h/"}
    }, "inputs": []}"#;

    #[test]
    fn a_server_added_to_nothing_makes_a_file_that_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        assert_eq!(
            add_server(&path, &name("fs"), &stdio(true)).unwrap(),
            Added::New
        );
        let read = crate::config::servers::load_servers(&path, &BTreeMap::new())
            .unwrap()
            .servers;
        assert_eq!(read, BTreeMap::from([(name("fs"), stdio(true))]));
    }

    #[test]
    fn replacing_keeps_unknown_keys_and_makes_private_again() {
        let shared = with_server(FOREIGN, &name("z"), &stdio(true)).unwrap().0;
        let (text, added) = with_server(&shared, &name("z"), &stdio(false)).unwrap();
        assert_eq!(added, Added::Replaced);
        let root = parse_root(&text).unwrap();
        assert_eq!(root["mcpServers"]["z"]["disabled"], true);
        assert_eq!(root["mcpServers"]["z"]["command"], "npx");
        assert_eq!(root["mcpServers"]["z"].get("share"), None);
    }

    #[test]
    fn removing_keeps_the_order_of_the_rest() {
        let Removal::Text(text) = without_server(FOREIGN, &name("z")).unwrap() else {
            panic!("z is there");
        };
        let root = parse_root(&text).unwrap();
        assert_eq!(
            root.keys().collect::<Vec<_>>(),
            ["$schema", "mcpServers", "inputs"]
        );
        let servers = root["mcpServers"].as_object().unwrap();
        assert_eq!(servers.keys().collect::<Vec<_>>(), ["a", "m"]);
    }

    #[test]
    fn removing_what_is_not_there_names_what_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        std::fs::write(&path, FOREIGN).unwrap();
        let refused = remove_server(&path, &name("nothing"))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("z, a, m"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), FOREIGN);
    }

    #[test]
    fn a_file_that_is_not_json_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        std::fs::write(&path, "{ // mine\n}").unwrap();
        assert!(add_server(&path, &name("fs"), &stdio(false)).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{ // mine\n}");
    }

    proptest! {
        #[test]
        fn an_edit_undone_gives_back_every_key_in_its_order(
            keys in prop::collection::vec("[a-zA-Z$_]{1,6}", 0..6),
            servers in prop::collection::vec("[a-y]{1,6}", 0..6),
        ) {
            let mut root: Map<String, Value> =
                keys.iter().map(|key| (key.clone(), Value::from(1))).collect();
            let present = servers.iter().map(|server| {
                let url: Map<String, Value> = [("url".to_owned(), "http://h/".into())].into_iter().collect();
                (server.clone(), Value::Object(url))
            });
            root.insert(SERVERS_KEY.to_owned(), Value::Object(present.collect()));
            let before = to_text(&root);
            let added = with_server(&before, &name("zz"), &stdio(true)).unwrap().0;
            prop_assert!(parse_servers(&added, &BTreeMap::new()).unwrap().servers.contains_key(&name("zz")));
            let Removal::Text(after) = without_server(&added, &name("zz")).unwrap() else {
                return Err(TestCaseError::fail("the server was not added"));
            };
            prop_assert_eq!(before, after);
        }

        #[test]
        fn any_text_is_edited_or_refused_without_a_panic(text in "\\PC{0,80}") {
            let _ = with_server(&text, &name("zz"), &stdio(true));
            let _ = without_server(&text, &name("zz"));
        }
    }
}
