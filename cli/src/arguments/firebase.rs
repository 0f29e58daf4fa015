//! What `peerage firebase` takes.

use clap::Subcommand;

/// Set up the registry in Firebase.
#[derive(Debug, Subcommand)]
pub enum Firebase {
    /// Print the rules to install in the database
    Rules,
    /// Print the id of this node's record, which must be the uid of its token
    Id,
}
