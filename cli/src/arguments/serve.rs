//! `serve`: an upstream MCP server, as a command or a URL.

use clap::Args;
use peerage_node::config::servers::check_url;
use peerage_node::config::servers_error::ServersProblem;
use peerage_protocol::id::ServerName;

use super::pair::Variable;

/// Add an upstream MCP server.
#[derive(Debug, Args)]
#[command(
    override_usage = "peerage serve NAME [--share] [--env K=V]... -- CMD ARGS...\n       \
                            peerage serve NAME URL [--share]"
)]
pub struct Serve {
    /// What it is called: 1 to 20 of a-z, 0-9 and -
    pub name: ServerName,
    /// Its streamable HTTP endpoint
    #[arg(
        value_name = "URL",
        required_unless_present = "command",
        conflicts_with = "command", value_parser = upstream_url)]
    pub url: Option<String>,
    /// Let every member of the mesh see and call it
    #[arg(long)]
    pub share: bool,
    /// A variable for the command; may be given several times
    #[arg(long, value_name = "K=V", conflicts_with = "url")]
    pub env: Vec<Variable>,
    /// The command that runs it, with its arguments
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// A URL with a variable in it can be judged only where the node expands it.
fn upstream_url(text: &str) -> Result<String, ServersProblem> {
    if !text.contains("${") {
        check_url(text)?;
    }
    Ok(text.to_owned())
}
