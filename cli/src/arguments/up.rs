//! `up`: how the node is run.

use std::path::PathBuf;

use clap::Args;
use peerage_node::config::choices::LogLevel;
use peerage_node::config::http_addresses::HttpAddresses;
use peerage_protocol::id::NodeName;

/// Run the node.
#[derive(Debug, Default, Args)]
pub struct Up {
    /// Return as soon as the node answers, and leave it running; see it with: peerage logs
    #[arg(long)]
    pub background: bool,
    /// The node's name: 1 to 20 of a-z, 0-9 and - [default: the machine's]
    #[arg(long)]
    pub name: Option<NodeName>,
    /// Where the gateway listens, or auto for any free port [default: port 8080 of 127.0.0.1 and [::1]]
    #[arg(long, value_name = "ADDR:PORT|auto")]
    pub http: Option<HttpAddresses>,
    /// Where the mesh listens; may be given several times
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<String>,
    /// A file with addresses to begin from
    #[arg(long, value_name = "FILE")]
    pub bootstrap: Option<PathBuf>,
    /// Do not look for members in the local network
    #[arg(long)]
    pub no_mdns: bool,
    /// error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<LogLevel>,
    /// Stop as soon as standard input ends, for a program that runs the node as its child
    #[arg(long, hide = true)]
    pub while_stdin_open: bool,
    /// Leave the terminal that started it: how a node is started in the background
    #[arg(long, hide = true)]
    pub detached: bool,
}
