//! `invite`, `requests`, `approve` and `join`: how machines come together.

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
    /// How long each certificate of those who join lives; they renew it by themselves while an admin is reachable
    #[arg(long, value_parser = duration::certificate_lifetime)]
    pub lifetime: Option<Duration>,
    /// Do not start the node when none runs
    #[arg(long)]
    pub no_start: bool,
}

/// Who asks to be let in.
#[derive(Debug, Args)]
pub struct Requests {
    /// Hear requests from now on, for this long at most
    #[arg(long, value_name = "TIME", value_parser = duration::request_window)]
    pub open: Option<Duration>,
    /// Hear none any more, and forget those who wait
    #[arg(long, conflicts_with = "open")]
    pub close: bool,
    /// Do not start the node when none runs
    #[arg(long)]
    pub no_start: bool,
}

/// Let somebody in who asked.
#[derive(Debug, Args)]
pub struct Approve {
    /// The words that the other machine shows
    #[arg(required = true, num_args = 1..)]
    pub words: Vec<String>,
    /// What it becomes
    #[arg(long, value_enum, default_value_t = Role::Member, conflicts_with = "only")]
    pub role: Role,
    /// Let it see and call these servers and nothing else; SERVER is one of this node, NODE/SERVER one of a member
    #[arg(long, value_name = "SERVER", num_args = 1..)]
    pub only: Vec<String>,
    /// How long each of its certificates lives; it renews them by itself while an admin is reachable
    #[arg(long, value_parser = duration::certificate_lifetime)]
    pub lifetime: Option<Duration>,
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

/// Join a mesh.
#[derive(Debug, Args)]
pub struct Join {
    /// The line that `peerage invite` printed
    #[arg(required_unless_present = "ask", conflicts_with = "ask")]
    pub ticket: Option<String>,
    /// Ask to be let in without a ticket, at an address that `peerage requests` printed; without one, at every node that
    /// this one has seen
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1)]
    pub ask: Option<Option<String>>,
    /// Take for granted that the admin's machine shows the same words: only where nobody can stand between the two
    #[arg(long, requires = "ask")]
    pub same_words: bool,
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
