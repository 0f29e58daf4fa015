//! What the commands that look after a node take.

use std::path::PathBuf;

use clap::Args;

/// Most lines of a log that are shown at once.
const LOG_LINES_MAX: i64 = 100_000;

/// Show the log.
#[derive(Debug, Args)]
pub struct Logs {
    /// Go on showing what is added, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// How many lines to begin with
    #[arg(short = 'n', long, default_value_t = 50, value_name = "N",
        value_parser = clap::value_parser!(u32).range(0..=LOG_LINES_MAX))]
    pub lines: u32,
}

/// Write the whole node into one file.
#[derive(Debug, Args)]
pub struct Backup {
    /// A new file, or - for standard output
    pub file: PathBuf,
}

/// Make a home the node of a backup.
#[derive(Debug, Args)]
pub struct Restore {
    /// What `peerage backup` wrote, or - for standard input
    pub file: PathBuf,
    /// Put aside what is in the home, its keys too
    #[arg(long)]
    pub force: bool,
}
