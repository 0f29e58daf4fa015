//! The MCP clients whose configuration is known: where it lies, and how a server stands in it.
//!
//! | Client | File | As documented at |
//! |---|---|---|
//! | Claude Code | `~/.claude.json`; in a project `.mcp.json` | <https://code.claude.com/docs/en/mcp> |
//! | Claude Desktop | `claude_desktop_config.json` | <https://modelcontextprotocol.io/docs/develop/connect-local-servers> |
//! | Cursor | `~/.cursor/mcp.json`; in a project `.cursor/mcp.json` | <https://cursor.com/docs/mcp> |
//! | VS Code | `mcp.json` of the user; in a project `.vscode/mcp.json` | <https://code.visualstudio.com/docs/agents/reference/mcp-configuration> |
//! | Codex | `~/.codex/config.toml`; in a project `.codex/config.toml` | <https://developers.openai.com/codex/mcp> |
//! | Windsurf | `~/.codeium/windsurf/mcp_config.json` | <https://docs.windsurf.com/windsurf/cascade/mcp> |
//! | Zed | `~/.config/zed/settings.json`; in a project `.zed/settings.json` | <https://zed.dev/docs/ai/mcp> |
//! | Gemini CLI | `~/.gemini/settings.json`; in a project `.gemini/settings.json` | <https://geminicli.com/docs/tools/mcp-server> |

mod change;
mod change_error;
mod entry;
mod import;
mod json_config;
mod toml_config;

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use peerage_node::config::environment::Environment;
use peerage_protocol::id::AgentName;

pub(crate) use change::{Change, Planned};
pub(crate) use change_error::ChangeError;
pub(crate) use entry::{ENTRY_NAME, Entry};
pub(crate) use import::{Found, servers_of};

/// A client of MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KnownClient {
    /// Claude Code
    Claude,
    /// Claude Desktop
    ClaudeDesktop,
    /// Cursor
    Cursor,
    /// Visual Studio Code
    #[value(name = "vscode")]
    VsCode,
    /// OpenAI Codex
    Codex,
    /// Windsurf
    Windsurf,
    /// Zed
    Zed,
    /// Gemini CLI
    Gemini,
}

/// How a configuration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON, with comments where the client allows them; the servers are the members of this key.
    Json {
        /// The key.
        servers: &'static str,
    },
    /// TOML; the servers are the tables of `mcp_servers`.
    Toml,
}

/// Where a client looks for its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folders {
    /// The user's own folder.
    pub home: PathBuf,
    /// Where applications keep settings.
    pub settings: PathBuf,
    /// Where programs that follow the XDG base directories keep settings, on every platform.
    pub xdg: PathBuf,
    /// `$CODEX_HOME`.
    pub codex: PathBuf,
    /// The folder of `.claude.json`.
    pub claude: PathBuf,
}

/// What the folders depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    Linux,
    MacOs,
    Windows,
}

impl Platform {
    /// The one that this program was built for; what is neither macOS nor Windows follows Linux.
    pub(crate) const CURRENT: Self = if cfg!(target_os = "macos") {
        Self::MacOs
    } else if cfg!(target_os = "windows") {
        Self::Windows
    } else {
        Self::Linux
    };
}

impl Folders {
    /// As the environment names them; `None` without a home.
    pub(crate) fn locate(environment: &dyn Environment, platform: Platform) -> Option<Self> {
        let folder = |name: &str| {
            let named = environment.variable(name).filter(|value| !value.is_empty());
            named.map(PathBuf::from)
        };
        let home = match platform {
            Platform::Windows => folder("USERPROFILE").or_else(|| folder("HOME")),
            Platform::Linux | Platform::MacOs => folder("HOME"),
        }?;
        let xdg = folder("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        Some(Self {
            settings: match platform {
                Platform::Linux => xdg.clone(),
                Platform::MacOs => home.join("Library/Application Support"),
                Platform::Windows => {
                    folder("APPDATA").unwrap_or_else(|| home.join("AppData/Roaming"))
                }
            },
            codex: folder("CODEX_HOME").unwrap_or_else(|| home.join(".codex")),
            claude: folder("CLAUDE_CONFIG_DIR").unwrap_or_else(|| home.clone()),
            xdg: match platform {
                Platform::Windows => folder("APPDATA").unwrap_or(xdg),
                Platform::Linux | Platform::MacOs => xdg,
            },
            home,
        })
    }
}

impl KnownClient {
    /// Every client.
    pub(crate) const ALL: &[Self] = &[
        Self::Claude,
        Self::ClaudeDesktop,
        Self::Cursor,
        Self::VsCode,
        Self::Codex,
        Self::Windsurf,
        Self::Zed,
        Self::Gemini,
    ];

    /// Its configuration for all of the user's work.
    pub(crate) fn user_file(self, folders: &Folders) -> PathBuf {
        let Folders { home, settings, .. } = folders;
        match self {
            Self::Claude => folders.claude.join(".claude.json"),
            Self::ClaudeDesktop => settings.join("Claude/claude_desktop_config.json"),
            Self::Cursor => home.join(".cursor/mcp.json"),
            Self::VsCode => settings.join("Code/User/mcp.json"),
            Self::Codex => folders.codex.join("config.toml"),
            Self::Windsurf => home.join(".codeium/windsurf/mcp_config.json"),
            Self::Zed => folders.xdg.join("zed/settings.json"),
            Self::Gemini => home.join(".gemini/settings.json"),
        }
    }

    /// Its configuration for one project; `None` where it has none.
    pub(crate) fn project_file(self, project: &Path) -> Option<PathBuf> {
        let name = match self {
            Self::Claude => ".mcp.json",
            Self::Cursor => ".cursor/mcp.json",
            Self::VsCode => ".vscode/mcp.json",
            Self::Codex => ".codex/config.toml",
            Self::Zed => ".zed/settings.json",
            Self::Gemini => ".gemini/settings.json",
            Self::ClaudeDesktop | Self::Windsurf => return None,
        };
        Some(project.join(name))
    }

    /// How its configuration is written.
    pub(crate) fn format(self) -> Format {
        match self {
            Self::Codex => Format::Toml,
            Self::VsCode => Format::Json { servers: "servers" },
            Self::Zed => Format::Json {
                servers: "context_servers",
            },
            _ => Format::Json {
                servers: "mcpServers",
            },
        }
    }

    /// Whether its servers say that they speak over standard input and output.
    pub(crate) fn names_transport(self) -> bool {
        matches!(self, Self::Claude | Self::VsCode)
    }

    /// The agent that calls through it.
    pub(crate) fn agent(self) -> AgentName {
        let name = self.to_string();
        name.parse()
            .expect("every client's name is an agent's name; a test shows it")
    }

    /// What makes it read its configuration again.
    pub(crate) fn after_change(self) -> &'static str {
        match self {
            Self::Claude => "Start a new session of Claude Code; /mcp shows the server.",
            Self::ClaudeDesktop => "Quit Claude Desktop wholly and start it again.",
            Self::Cursor => "Cursor takes it up by itself; see Settings, MCP.",
            Self::VsCode => "VS Code asks once whether to trust the server; see MCP: List Servers.",
            Self::Codex => "Start a new session of Codex; /mcp shows the server.",
            Self::Windsurf => "Refresh the MCP servers of Cascade.",
            Self::Zed => "Zed takes it up by itself; see the settings of its agent panel.",
            Self::Gemini => "Start a new session of Gemini; /mcp shows the server.",
        }
    }
}

/// What a configuration says, but for a place for servers that holds none; `None` where it is not understood.
fn meaning(text: &str, format: Format) -> Option<serde_json::Value> {
    match format {
        Format::Json { servers } => json_config::meaning(text, servers),
        Format::Toml => toml_config::meaning(text),
    }
}

impl fmt::Display for KnownClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claude => "claude",
            Self::ClaudeDesktop => "claude-desktop",
            Self::Cursor => "cursor",
            Self::VsCode => "vscode",
            Self::Codex => "codex",
            Self::Windsurf => "windsurf",
            Self::Zed => "zed",
            Self::Gemini => "gemini",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::collections::BTreeMap;

    fn folders(variables: &[(&str, &str)], platform: Platform) -> Folders {
        let variables = variables.iter();
        let environment: BTreeMap<String, String> = variables
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Folders::locate(&environment, platform).unwrap()
    }

    fn files(folders: &Folders) -> Vec<String> {
        let file = |client: &KnownClient| client.user_file(folders).display().to_string();
        KnownClient::ALL.iter().map(file).collect()
    }

    #[test]
    fn every_file_lies_where_its_client_looks_on_each_platform() {
        let linux = folders(&[("HOME", "/h")], Platform::Linux);
        let macos = folders(&[("HOME", "/h")], Platform::MacOs);
        let windows = folders(
            &[("USERPROFILE", "/u"), ("APPDATA", "/roaming")],
            Platform::Windows,
        );
        insta::assert_json_snapshot!([files(&linux), files(&macos), files(&windows)]);
    }

    #[test]
    fn variables_move_the_folders() {
        let moved = folders(
            &[
                ("HOME", "/h"),
                ("XDG_CONFIG_HOME", "/x"),
                ("CODEX_HOME", "/c"),
                ("CLAUDE_CONFIG_DIR", "/a"),
            ],
            Platform::Linux,
        );
        let file = |client: KnownClient| client.user_file(&moved);
        assert_eq!(file(KnownClient::Codex), Path::new("/c/config.toml"));
        assert_eq!(file(KnownClient::Claude), Path::new("/a/.claude.json"));
        assert_eq!(file(KnownClient::Zed), Path::new("/x/zed/settings.json"));
        assert_eq!(Folders::locate(&BTreeMap::new(), Platform::Linux), None);
    }

    #[test]
    fn every_client_is_named_as_on_the_command_line_and_is_an_agent() {
        for client in KnownClient::ALL {
            let value = client.to_possible_value().unwrap();
            assert_eq!(value.get_name(), client.to_string());
            assert_eq!(client.agent().as_str(), client.to_string());
        }
    }
}
