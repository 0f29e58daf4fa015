//! `invite` and `join`: how machines come together.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use peerage_protocol::limits::TICKET_USES_MAX;

use super::duration;
use crate::clients::KnownClient;

/// Print a ticket.
#[derive(Debug, Args)]
pub struct Invite {
    /// How long the ticket is good
    #[arg(long, default_value = "15m", value_parser = duration::ticket_lifetime)]
    pub ttl: Duration,
    /// How many machines may use it
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(TICKET_USES_MAX)))]
    pub uses: u32,
    /// What they become
    #[arg(long, value_enum, default_value_t = Role::Member, conflicts_with = "only")]
    pub role: Role,
    /// Let them see and call these servers and nothing else; SERVER is one of this node, NODE/SERVER one of a member
    #[arg(long, value_name = "SERVER", num_args = 1..)]
    pub only: Vec<String>,
    /// Do not start the node when none runs
    #[arg(long)]
    pub no_start: bool,
}

/// What to do with the tickets of this node.
#[derive(Debug, Subcommand)]
pub enum Tickets {
    /// Take a ticket back: nobody joins with it any more
    Revoke {
        /// Its id, or as much of it as no other begins with
        #[arg(value_parser = ticket_id)]
        id: String,
    },
}

fn ticket_id(text: &str) -> Result<String, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match digits {
        true => Ok(text.to_owned()),
        false => Err("an id is made of 0-9 and a-f; see: peerage tickets"),
    }
}

/// Join the mesh of a ticket.
#[derive(Debug, Args)]
pub struct Join {
    /// The line that `peerage invite` printed
    pub ticket: String,
    /// Put this node into the configuration of a client too, as `peerage connect CLIENT --write` does
    #[arg(long, value_enum, value_name = "CLIENT")]
    pub connect: Option<KnownClient>,
    /// Do not start the node when none runs
    #[arg(long)]
    pub no_start: bool,
}

/// Put a node out.
#[derive(Debug, Args)]
pub struct Revoke {
    /// Its name, or its id
    pub node: String,
    /// Let those stay whom it let in longer ago than this, say 2d: when you still had it. Without it they are out too
    #[arg(long, value_name = "AGE", value_parser = duration::age)]
    pub keep_issued_before: Option<Duration>,
}

/// What a node may do in a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Use the mesh
    Member,
    /// And invite others
    Admin,
    /// See everything, and call what only reads
    Observer,
}

impl Role {
    /// As the control API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Member => "member",
            Role::Admin => "admin",
            Role::Observer => "observer",
        }
    }
}
