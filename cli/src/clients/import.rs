//! Reads the servers out of a client's configuration, as upstreams of this node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use peerage_node::config::servers::check_url;
use peerage_node::config::upstream::{UpstreamSettings, UpstreamTransport};
use peerage_protocol::id::{SHORT_NAME_MAX, ServerName};
use serde_json::Value;

use super::change::read;
use super::change_error::ChangeError;
use super::entry::is_ourselves;
use super::{Format, json_config, toml_config};

/// One server of a client.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// As the client names it.
    pub name: String,
    /// What it would be here, or why it cannot be.
    pub server: Result<(ServerName, UpstreamSettings), String>,
}

/// The servers in the client's file, Peerage itself left out, in the file's order.
pub(crate) fn servers_of(path: &Path, format: Format) -> Result<Vec<Found>, ChangeError> {
    let text = read(path)?;
    servers_in(&text, format).map_err(|error| ChangeError::Refused {
        path: path.to_path_buf(),
        error: Box::new(error),
    })
}

fn servers_in(text: &str, format: Format) -> Result<Vec<Found>, ChangeError> {
    let servers = match format {
        Format::Json { servers } => json_config::servers_of(text, servers)?,
        Format::Toml => toml_config::servers_of(text)?,
    };
    let others = servers.into_iter().filter(|(name, server)| {
        let args = texts(&server["args"]).unwrap_or_default();
        !is_ourselves(name, server["command"].as_str(), &args)
    });
    let found = others.map(|(name, server)| Found {
        server: read_server(&name, &server),
        name,
    });
    Ok(found.collect())
}

fn read_server(name: &str, server: &Value) -> Result<(ServerName, UpstreamSettings), String> {
    let fits = server_name(name).ok_or("its name has no letter or digit")?;
    // Each client has its own word for the same: Windsurf, Gemini, and everybody else.
    let url = ["url", "serverUrl", "httpUrl"]
        .iter()
        .find_map(|key| server[*key].as_str());
    let transport = match (server["command"].as_str(), url) {
        (Some(command), _) => stdio(command, server)?,
        (None, Some(_)) if server["type"] == "sse" => {
            return Err("it speaks SSE, which MCP has given up".to_owned());
        }
        (None, Some(url)) => http(url, server)?,
        (None, None) => return Err("it has neither a command nor a URL".to_owned()),
    };
    // Nobody agreed to share what stands in a client's configuration.
    let settings = UpstreamSettings {
        share: false,
        transport,
    };
    Ok((fits, settings))
}

fn stdio(command: &str, server: &Value) -> Result<UpstreamTransport, String> {
    Ok(UpstreamTransport::Stdio {
        command: our_variables(command)?,
        args: all_ours(texts(&server["args"]).ok_or("its args are not texts")?)?,
        env: members(&server["env"]).ok_or("its env is not an object of texts")??,
        cwd: server["cwd"].as_str().map(PathBuf::from),
        instance: Default::default(),
    })
}

fn http(url: &str, server: &Value) -> Result<UpstreamTransport, String> {
    let url = our_variables(url)?;
    if !url.contains("${") {
        check_url(&url).map_err(|problem| problem.to_string())?;
    }
    let mut headers = BTreeMap::new();
    for key in ["headers", "http_headers"] {
        headers.extend(members(&server[key]).ok_or("its headers are not an object of texts")??);
    }
    if let Some(variable) = server["bearer_token_env_var"].as_str() {
        headers.insert(
            "Authorization".to_owned(),
            format!("Bearer ${{{variable}}}"),
        );
    }
    Ok(UpstreamTransport::Http { url, headers })
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let Some(values) = value.as_array() else {
        return value.is_null().then(Vec::new);
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    values.iter().map(text).collect()
}

fn all_ours(texts: Vec<String>) -> Result<Vec<String>, String> {
    texts.iter().map(|text| our_variables(text)).collect()
}

fn members(value: &Value) -> Option<Result<BTreeMap<String, String>, String>> {
    let Some(members) = value.as_object() else {
        return value.is_null().then(|| Ok(BTreeMap::new()));
    };
    let mut texts = BTreeMap::new();
    for (name, value) in members {
        match our_variables(value.as_str()?) {
            Ok(text) => texts.insert(name.clone(), text),
            Err(problem) => return Some(Err(problem)),
        };
    }
    Some(Ok(texts))
}

/// `${env:NAME}`, as VS Code, Cursor and Windsurf write it, is `${NAME}` here. What only the client can fill in (a
/// question to its user, its workspace) is a reason not to import.
fn our_variables(text: &str) -> Result<String, String> {
    let text = text.replace("${env:", "${");
    match ["${input:", "${workspaceFolder", "${userHome"]
        .iter()
        .find(|only| text.contains(**only))
    {
        Some(only) => Err(format!("only its client can fill in {only}…}}")),
        None => Ok(text),
    }
}

/// The name in the letters that a server's name may have.
fn server_name(name: &str) -> Option<ServerName> {
    let mut fits = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => fits.push(c),
            _ if !fits.is_empty() && !fits.ends_with('-') => fits.push('-'),
            _ => {}
        }
    }
    fits.truncate(SHORT_NAME_MAX);
    fits.trim_end_matches('-').parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const JSON: Format = Format::Json {
        servers: "mcpServers",
    };

    fn shown(text: &str, format: Format) -> Vec<String> {
        let found = servers_in(text, format).unwrap();
        found
            .iter()
            .map(|found| format!("{} {:?}", found.name, found.server))
            .collect()
    }

    #[test]
    fn commands_and_urls_of_every_dialect_are_read_and_we_are_skipped() {
        let text = r#"{"mcpServers": {
            "GitHub Tools": {"command": "npx", "args": ["-y", "gh"], "env": {"TOKEN": "${env:GH}"}, "cwd": "/w"},
            "peerage": {"command": "peerage", "args": ["mcp"]},
            "mesh": {"command": "/usr/bin/peerage", "args": ["mcp", "--as", "x"]},
            "wind": {"serverUrl": "https://w.example/mcp", "headers": {"A": "b"}},
            "gem": {"httpUrl": "https://g.example/mcp"}, // both words mean the same
            "old": {"type": "sse", "url": "https://s.example/sse"},
            "asks": {"command": "x", "args": ["${input:key}"]},
            "ftp": {"url": "ftp://f.example/"},
            "!!": {"command": "x"},
            "odd": {"command": "x", "args": [1]},
            "none": {}
        }}"#;
        insta::assert_json_snapshot!(shown(text, JSON));
    }

    #[test]
    fn codex_tokens_in_variables_become_headers() {
        let text = "[mcp_servers.web]\nurl = \"https://w.example/mcp\"\nbearer_token_env_var = \"T\"\nhttp_headers = { X = \"y\" }\n\n[mcp_servers.fs]\ncommand = \"npx\"\n";
        insta::assert_json_snapshot!(shown(text, Format::Toml));
    }

    #[test]
    fn a_file_without_servers_has_none() {
        assert!(servers_in("", JSON).unwrap().is_empty());
        assert!(servers_in("{}", JSON).unwrap().is_empty());
        assert!(servers_in("", Format::Toml).unwrap().is_empty());
    }
}
