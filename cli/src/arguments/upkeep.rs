//! What the commands that look after a node take.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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

/// Make a home the node of a backup, or bring the root key back.
#[derive(Debug, Args)]
pub struct Restore {
    /// What `peerage backup` wrote, or - for standard input
    #[arg(
        required_unless_present = "recovery_words",
        conflicts_with = "recovery_words"
    )]
    pub file: Option<PathBuf>,
    /// Put aside what is in the home, its keys too
    #[arg(long, conflicts_with = "recovery_words")]
    pub force: bool,
    /// Bring the root key back from its words, read from standard input, and this node into its mesh
    #[arg(long)]
    pub recovery_words: bool,
    /// Where a member of the mesh is: a multiaddress that ends in /p2p/ID; without it, the local network is looked at
    #[arg(long, value_name = "ADDRESS", requires = "recovery_words")]
    pub member: Option<String>,
    /// Do not start the node when none runs
    #[arg(long, requires = "recovery_words")]
    pub no_start: bool,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Give this node another key: it keeps its name and its rights, and the old key is put out of the mesh
    Rotate,
    /// Show the root key as 24 words, to be kept on paper
    RecoveryWords {
        /// Show them without asking, to programs too
        #[arg(long)]
        show: bool,
    },
}
