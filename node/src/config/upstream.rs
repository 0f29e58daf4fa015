//! The settings of one upstream MCP server, as they stand in `mcp.json`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::instance::Instance;

/// One upstream, validated and with its variables expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Whether members of the mesh may see and call it.
    pub share: bool,
    /// How it is reached.
    pub transport: UpstreamTransport,
}

/// How an upstream is reached. `Debug` shows the keys of `env` and `headers`, never their values.
#[derive(Clone, PartialEq, Eq)]
pub enum UpstreamTransport {
    /// A child process that speaks MCP over its standard input and output.
    Stdio {
        /// The program.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Variables added to the environment.
        env: BTreeMap<String, String>,
        /// Working directory; the node's home when absent.
        cwd: Option<PathBuf>,
        /// Who shares a process with whom.
        instance: Instance,
    },
    /// A streamable HTTP endpoint.
    Http {
        /// An `http` or `https` URL.
        url: String,
        /// Headers added to every request.
        headers: BTreeMap<String, String>,
    },
}

impl fmt::Debug for UpstreamTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpstreamTransport::Stdio {
                command,
                args,
                env,
                cwd,
                instance: _,
            } => f
                .debug_struct("Stdio")
                .field("command", command)
                .field("args", &args.len())
                .field("env", &env.keys())
                .field("cwd", cwd)
                .finish(),
            UpstreamTransport::Http { headers, .. } => f
                .debug_struct("Http")
                .field("headers", &headers.keys())
                .finish_non_exhaustive(),
        }
    }
}
