//! What `peerage log` takes.

use clap::{Args, Subcommand};
use peerage_protocol::id::NodeId;
use peerage_protocol::log::Lane;

/// Look into the log.
#[derive(Debug, Subcommand)]
pub enum Log {
    /// Check every byte: signatures, hashes, order; exits with 1 when something was altered, is missing or misplaced
    Verify,
    /// Show the latest entries
    Show(LogFilter),
    /// Show how much there is, by author and lane
    Stats,
}

/// Which entries are shown.
#[derive(Debug, Args)]
pub struct LogFilter {
    /// Of this lane: messages, tasks, decisions, knowledge, public-NUMBER or direct:NODE
    #[arg(long)]
    pub lane: Option<Lane>,
    /// Of this node, by its id
    #[arg(long, value_name = "NODE")]
    pub author: Option<NodeId>,
    /// How many
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
}
