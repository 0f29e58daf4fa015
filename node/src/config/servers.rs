//! Reads `mcp.json`: the upstream servers in the `mcpServers` format that other MCP clients use, plus `share`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue, Uri};
use peerage_protocol::id::ServerName;
use serde_json::{Map, Value};

use super::environment::Environment;
use super::expand::{Unset, expand};
use super::instance::Instance;
use super::json_lines::KeyLines;
use super::servers_error::{
    SERVERS_FILE_BYTES_MAX, SERVERS_MAX, ServersError, ServersFileError, ServersProblem,
};
use super::upstream::{UpstreamSettings, UpstreamTransport};

/// The member that holds the servers.
pub(super) const SERVERS_KEY: &str = "mcpServers";

/// The servers of an `mcp.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServersRead {
    /// Those that can run.
    pub servers: BTreeMap<ServerName, UpstreamSettings>,
    /// Those that need a variable that is not set, each with the one: what is wrong lies outside the file, so the others
    /// run.
    pub refused: BTreeMap<ServerName, ServersError>,
}

/// Reads the file; one that does not exist has no servers.
pub fn load_servers(
    path: &Path,
    environment: &dyn Environment,
) -> Result<ServersRead, ServersFileError> {
    let text = read_text(path)?;
    parse_servers(&text, environment).map_err(|error| ServersFileError::Invalid {
        path: path.to_path_buf(),
        error,
    })
}

/// The text of the file; empty when there is none.
pub(super) fn read_text(path: &Path) -> Result<String, ServersFileError> {
    let failed = |source| ServersFileError::Read {
        path: path.to_path_buf(),
        source,
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > SERVERS_FILE_BYTES_MAX => {
            Err(ServersFileError::TooLarge {
                path: path.to_path_buf(),
            })
        }
        Ok(_) => fs::read_to_string(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(failed(error)),
    }
}

/// Reads the text of an `mcp.json`; keys that nobody here knows are passed over.
pub fn parse_servers(
    text: &str,
    environment: &dyn Environment,
) -> Result<ServersRead, ServersError> {
    let root = parse_root(text)?;
    let lines = KeyLines::of(text);
    let Some(servers) = root.get(SERVERS_KEY) else {
        return Ok(ServersRead::default());
    };
    let reader = Reader {
        lines: &lines,
        environment,
    };
    let servers = reader.object(servers, &[SERVERS_KEY])?;
    if servers.len() > SERVERS_MAX {
        return Err(reader.error(&[SERVERS_KEY], ServersProblem::TooMany));
    }
    let mut read = ServersRead::default();
    for (name, value) in servers {
        let server = reader.name(name)?;
        match reader.server(name, value) {
            Ok(settings) => drop(read.servers.insert(server, settings)),
            Err(error) if error.is_unset_variable() => drop(read.refused.insert(server, error)),
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// The root object; empty text is an empty one.
pub(super) fn parse_root(text: &str) -> Result<Map<String, Value>, ServersError> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(root)) => refuse_duplicates(text).map(|()| root),
        Ok(_) => Err(ServersError {
            line: 1,
            key: String::new(),
            problem: ServersProblem::Type {
                expected: "an object",
            },
        }),
        Err(error) => Err(ServersError {
            line: error.line(),
            key: String::new(),
            problem: ServersProblem::Syntax {
                column: error.column(),
                what: without_position(&error),
            },
        }),
    }
}

/// Of two servers with one name serde_json keeps the last; which one was meant, nobody can say.
fn refuse_duplicates(text: &str) -> Result<(), ServersError> {
    let lines = KeyLines::of(text);
    let ours = |(path, _): &&(Vec<String>, usize)| path[0] == SERVERS_KEY;
    match lines.duplicates().iter().find(ours) {
        Some((path, line)) => Err(ServersError {
            line: *line,
            key: path.join("."),
            problem: ServersProblem::Duplicate,
        }),
        None => Ok(()),
    }
}

/// serde_json ends its messages with the position, which stands elsewhere in ours.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

struct Reader<'a> {
    lines: &'a KeyLines,
    environment: &'a dyn Environment,
}

type Members = Map<String, Value>;

impl Reader<'_> {
    fn name(&self, name: &str) -> Result<ServerName, ServersError> {
        name.parse()
            .map_err(|error| self.error(&[SERVERS_KEY, name], ServersProblem::Name(error)))
    }

    fn server(&self, name: &str, value: &Value) -> Result<UpstreamSettings, ServersError> {
        let members = self.object(value, &[SERVERS_KEY, name])?;
        Ok(UpstreamSettings {
            share: self.share(members, name)?,
            transport: self.transport(members, name)?,
        })
    }

    fn share(&self, members: &Members, name: &str) -> Result<bool, ServersError> {
        match members.get("share") {
            None => Ok(false),
            Some(Value::Bool(share)) => Ok(*share),
            Some(_) => Err(self.wrong_type(&[SERVERS_KEY, name, "share"], "true or false")),
        }
    }

    fn transport(&self, members: &Members, name: &str) -> Result<UpstreamTransport, ServersError> {
        let kind = match members.get("type") {
            None => None,
            Some(Value::String(kind)) => Some(kind.as_str()),
            Some(_) => return Err(self.wrong_type(&[SERVERS_KEY, name, "type"], "a string")),
        };
        match (
            kind,
            members.contains_key("command"),
            members.contains_key("url"),
        ) {
            (None | Some("stdio"), true, false) => self.stdio(members, name),
            (None | Some("http" | "streamable-http" | "streamableHttp"), false, true) => {
                self.http(members, name)
            }
            (None | Some("stdio" | "http" | "streamable-http" | "streamableHttp"), _, _) => {
                Err(self.error(&[SERVERS_KEY, name], ServersProblem::Transport))
            }
            (Some(kind), _, _) => Err(self.error(
                &[SERVERS_KEY, name, "type"],
                ServersProblem::UnknownType {
                    found: kind.to_owned(),
                },
            )),
        }
    }

    fn stdio(&self, members: &Members, name: &str) -> Result<UpstreamTransport, ServersError> {
        let command = self.required_text(members, name, "command")?;
        if command.is_empty() {
            return Err(self.error(&[SERVERS_KEY, name, "command"], ServersProblem::Empty));
        }
        let cwd = match members.get("cwd") {
            None => None,
            Some(_) => Some(PathBuf::from(self.required_text(members, name, "cwd")?)),
        };
        let env = self.texts(members, name, "env")?;
        match env
            .keys()
            .find(|key| key.is_empty() || key.contains(['=', '\0']))
        {
            Some(key) => Err(self.error(
                &[SERVERS_KEY, name, "env", key],
                ServersProblem::VariableName,
            )),
            None => Ok(UpstreamTransport::Stdio {
                command,
                args: self.arguments(members, name)?,
                env,
                cwd,
                instance: self.instance(members, name)?,
            }),
        }
    }

    fn instance(&self, members: &Members, name: &str) -> Result<Instance, ServersError> {
        let Some(value) = members.get("instance") else {
            return Ok(Instance::default());
        };
        let known = value.as_str().and_then(Instance::parse);
        known.ok_or_else(|| {
            let path = [SERVERS_KEY, name, "instance"];
            self.wrong_type(&path, "\"shared\", \"per-session\" or \"per-caller\"")
        })
    }

    fn arguments(&self, members: &Members, name: &str) -> Result<Vec<String>, ServersError> {
        let path = [SERVERS_KEY, name, "args"];
        match members.get("args") {
            None => Ok(Vec::new()),
            Some(Value::Array(arguments)) => arguments
                .iter()
                .enumerate()
                .map(|(index, value)| {
                    self.text(value, &[SERVERS_KEY, name, "args", &index.to_string()])
                })
                .collect(),
            Some(_) => Err(self.wrong_type(&path, "an array of strings")),
        }
    }

    fn http(&self, members: &Members, name: &str) -> Result<UpstreamTransport, ServersError> {
        if members.contains_key("instance") {
            let path = [SERVERS_KEY, name, "instance"];
            return Err(self.error(&path, ServersProblem::InstanceOfUrl));
        }
        let url = self.required_text(members, name, "url")?;
        check_url(&url).map_err(|problem| self.error(&[SERVERS_KEY, name, "url"], problem))?;
        let headers = self.texts(members, name, "headers")?;
        let wrong = headers.iter().find(|(header, value)| {
            HeaderName::try_from(header.as_str()).is_err() || HeaderValue::from_str(value).is_err()
        });
        match wrong {
            Some((header, _)) => Err(self.error(
                &[SERVERS_KEY, name, "headers", header],
                ServersProblem::Header,
            )),
            None => Ok(UpstreamTransport::Http { url, headers }),
        }
    }

    fn texts(
        &self,
        members: &Members,
        name: &str,
        key: &str,
    ) -> Result<BTreeMap<String, String>, ServersError> {
        let Some(value) = members.get(key) else {
            return Ok(BTreeMap::new());
        };
        self.object(value, &[SERVERS_KEY, name, key])?
            .iter()
            .map(|(inner, value)| {
                let text = self.text(value, &[SERVERS_KEY, name, key, inner])?;
                Ok((inner.clone(), text))
            })
            .collect()
    }

    fn required_text(
        &self,
        members: &Members,
        name: &str,
        key: &str,
    ) -> Result<String, ServersError> {
        let value = members.get(key).unwrap_or(&Value::Null);
        self.text(value, &[SERVERS_KEY, name, key])
    }

    fn text(&self, value: &Value, path: &[&str]) -> Result<String, ServersError> {
        let Value::String(text) = value else {
            return Err(self.wrong_type(path, "a string"));
        };
        expand(text, self.environment)
            .map_err(|Unset { name }| self.error(path, ServersProblem::Unset(Unset { name })))
    }

    fn object<'v>(&self, value: &'v Value, path: &[&str]) -> Result<&'v Members, ServersError> {
        value
            .as_object()
            .ok_or_else(|| self.wrong_type(path, "an object"))
    }

    fn wrong_type(&self, path: &[&str], expected: &'static str) -> ServersError {
        self.error(path, ServersProblem::Type { expected })
    }

    fn error(&self, path: &[&str], problem: ServersProblem) -> ServersError {
        ServersError {
            line: self.lines.line(path),
            key: path.join("."),
            problem,
        }
    }
}

/// Whether `url` is an upstream's: `http` or `https`, with a host, without a password.
pub fn check_url(url: &str) -> Result<(), ServersProblem> {
    let uri: Uri = url.parse().map_err(|_| ServersProblem::Url)?;
    let authority = uri.authority().ok_or(ServersProblem::Url)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(ServersProblem::Url);
    }
    if authority.as_str().contains('@') {
        return Err(ServersProblem::UrlWithPassword);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<ServersRead, ServersError> {
        let environment = BTreeMap::from([("TOKEN".to_owned(), "s3cret".to_owned())]);
        parse_servers(text, &environment)
    }

    fn refusal(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn both_kinds_of_server_are_read_with_variables_expanded() {
        let read = parse(
            r#"{"mcpServers": {
                "fs": {"command": "npx", "args": ["-y", "${DIR:-/tmp}"], "env": {"K": "${TOKEN}"}, "instance": "per-caller", "share": true},
                "web": {"type": "http", "url": "https://example.com/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}
            }, "unknown": 1}"#,
        )
        .unwrap();
        let fs = UpstreamTransport::Stdio {
            command: "npx".to_owned(),
            args: vec!["-y".to_owned(), "/tmp".to_owned()],
            env: BTreeMap::from([("K".to_owned(), "s3cret".to_owned())]),
            cwd: None,
            instance: Instance::PerCaller,
        };
        let web = UpstreamTransport::Http {
            url: "https://example.com/mcp".to_owned(),
            headers: BTreeMap::from([("Authorization".to_owned(), "Bearer s3cret".to_owned())]),
        };
        let of = |share, transport| UpstreamSettings { share, transport };
        let expected = [("fs", of(true, fs)), ("web", of(false, web))];
        assert_eq!(
            read.servers,
            expected
                .map(|(name, settings)| (name.parse().unwrap(), settings))
                .into()
        );
        assert!(read.refused.is_empty());
    }

    #[test]
    fn an_unset_variable_refuses_its_server_alone() {
        let needy = r#""needy": {"command": "x", "env": {"K": "${NONE}"}}"#;
        let read = parse(&format!(
            "{{\"mcpServers\": {{\n{needy},\n\"fs\": {{\"command\": \"y\"}}}}}}"
        ))
        .unwrap();
        let names = |names: Vec<&ServerName>| names.iter().map(ToString::to_string).collect();
        let (run, refused): (Vec<String>, Vec<String>) = (
            names(read.servers.keys().collect()),
            names(read.refused.keys().collect()),
        );
        assert_eq!(
            (run, refused),
            (vec!["fs".to_owned()], vec!["needy".to_owned()])
        );
        let why = read.refused.values().next().unwrap().to_string();
        let wanted = "line 2, key \"mcpServers.needy.env.K\": the variable NONE is not set";
        assert!(why.contains(wanted), "{why}");
    }

    #[test]
    fn nothing_configured_is_no_server() {
        for text in ["", "  \n", "{}", r#"{"mcpServers": {}}"#] {
            assert_eq!(parse(text), Ok(ServersRead::default()));
        }
    }

    #[test]
    fn a_syntax_error_has_its_line_and_column() {
        let refused = refusal("{\n  \"mcpServers\": {,}\n}");
        assert!(refused.starts_with("line 2: column 18: "), "{refused}");
    }

    #[test]
    fn every_fault_names_its_line_and_key() {
        let cases = [
            (
                r#""My_Server": {"command": "x"}"#,
                "line 2, key \"mcpServers.My_Server\": the server name contains 'M'",
            ),
            (
                r#""a": {"command": 1}"#,
                "line 2, key \"mcpServers.a.command\": must be a string",
            ),
            (
                r#""a": {"command": "x", "args": "y"}"#,
                "key \"mcpServers.a.args\": must be an array",
            ),
            (
                "\"a\": {\"command\": \"x\",\n \"args\": [\"y\",\n 3]}",
                "line 4, key \"mcpServers.a.args.1\": must be a string",
            ),
            (
                r#""a": {"command": "x", "share": "yes"}"#,
                "key \"mcpServers.a.share\": must be true or false",
            ),
            (
                r#""a": {"command": "x", "env": {"A=B": ""}}"#,
                "is not the name of an environment variable",
            ),
            (r#""a": {}"#, "needs either \"command\""),
            (
                r#""a": {"command": "x", "url": "http://h/"}"#,
                "needs either \"command\"",
            ),
            (
                r#""a": {"type": "sse", "url": "http://h/"}"#,
                "unknown type \"sse\"",
            ),
            (r#""a": {"url": "ftp://h/"}"#, "must be a URL like"),
            (
                r#""a": {"url": "http://me:pw@h/"}"#,
                "must not contain a user or password",
            ),
            (
                r#""a": {"url": "http://h/", "headers": {"X": "a\nb"}}"#,
                "is not an HTTP header",
            ),
            (
                "\"a\": {\"command\": \"x\"},\n\"a\": {\"command\": \"y\"}",
                "line 3, key \"mcpServers.a\": occurs twice",
            ),
        ];
        for (server, expected) in cases {
            let refused = refusal(&format!("{{\"mcpServers\": {{\n{server}\n}}}}"));
            assert!(refused.contains(expected), "{refused:?} lacks {expected:?}");
        }
    }

    #[test]
    fn a_refusal_never_repeats_a_value() {
        let refused = refusal(r#"{"mcpServers": {"a": {"url": "http://me:hunter2@h/"}}}"#);
        assert!(!refused.contains("hunter2"), "{refused}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn anything_in_a_servers_place_is_read_or_refused_without_a_panic(
            text in r#"(\{|\}|\[|\]|,|:|"command"|"url"|"args"|"x"|"\$\{A\}"|1|null| |\n){0,30}"#,
        ) {
            let _ = parse(&format!("{{\"mcpServers\": {{\"a\": {text}}}}}"));
        }
    }
}
