//! What `peerage endpoint` takes.

use clap::Args;

/// How an endpoint is looked for.
#[derive(Debug, Args)]
pub struct Looking {
    /// Show every place that was looked at, what came of it and how long that took
    #[arg(long)]
    pub trace: bool,
    /// Where this home has no node, ask the private networks of this machine for one
    #[arg(long)]
    pub scan: bool,
}
