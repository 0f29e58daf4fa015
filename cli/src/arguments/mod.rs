//! The command line: its commands and flags, every value parsed into the type that means it.

mod agents;
mod decisions;
mod duration;
mod endpoint;
mod firebase;
mod log;
mod mesh;
mod messages;
mod pair;
mod serve;
mod tasks;
mod up;
mod up_words;
mod upkeep;
mod usage;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
#[cfg(feature = "firebase")]
use peerage_node::discovery::firebase::COURIER_COMMAND;
use peerage_protocol::id::{NodeName, ServerName};

pub use crate::clients::KnownClient;
pub use agents::{Call, Connect, Import, Mcp, Token};
pub use decisions::{Proposal, Propose, Verify, Vote};
pub use endpoint::Looking;
pub use firebase::Firebase;
pub use log::{Log, LogFilter};
pub use mesh::{Approve, Invite, Join, Requests, Revoke, Tickets};
pub use messages::{Ack, Acting, Inbox, Messages, Priority as MessagePriority, Send};
pub use pair::ArgumentsObject;
pub use serve::Serve;
pub use tasks::{
    CompleteTask, CreateTask, HeldTask, ListTasks, State as TaskState, Task, UpdateTask,
};
pub use up::Up;
pub use upkeep::{Backup, Keys, Logs, Restore};
pub use usage::{USAGE_EXIT, Usage, asks_for_json};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 unreachable, \
                          5 the tool reported an error.";

/// A peer-to-peer mesh for MCP: the tools of all your machines, at http://localhost:8080/mcp on each.
#[derive(Debug, Parser)]
#[command(name = "peerage", version, after_help = EXIT_CODES)]
pub struct Arguments {
    /// The node's folder [default: $PEERAGE_HOME, else the platform's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Of a command line, its first word being the program's name.
    pub fn read(given: &[OsString]) -> Result<Self, clap::Error> {
        let arguments = Self::try_parse_from(given)?;
        if let Command::Call(call) = &arguments.command
            && let Some(name) = pair::given_twice(&call.pairs)
        {
            return Err(twice("call", name));
        }
        if let Command::Send(send) = &arguments.command
            && send.split().is_none()
        {
            return Err(without_text());
        }
        Ok(arguments)
    }
}

/// An argument of a tool was given twice: which value is meant cannot be known.
fn twice(command: &str, name: &str) -> clap::Error {
    let message = format!("the argument '{name}' is given twice; give it one value");
    let mut all = Arguments::command();
    all.build();
    match all.find_subcommand_mut(command) {
        Some(command) => command.error(ErrorKind::ArgumentConflict, message),
        None => all.error(ErrorKind::ArgumentConflict, message),
    }
}

/// A message that says nothing.
fn without_text() -> clap::Error {
    let mut all = Arguments::command();
    all.build();
    let message = "the text is missing: peerage send AGENT TEXT, or peerage send --all TEXT";
    match all.find_subcommand_mut("send") {
        Some(command) => command.error(ErrorKind::MissingRequiredArgument, message),
        None => all.error(ErrorKind::MissingRequiredArgument, message),
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the node, in the foreground or in the background
    Up(Up),
    /// Stop the node
    Down,
    /// Stop the node and start it again in the background, with the flags it had
    Restart,
    /// Show the log of the node in the background
    Logs(Logs),
    /// Add an upstream MCP server to this node, or replace it
    Serve(Serve),
    /// Remove an upstream MCP server from this node
    Unserve {
        /// Its name
        name: ServerName,
    },
    /// Print a ticket with which another machine joins; the first one founds the mesh, and starts the node if need be
    Invite(Invite),
    /// List the tickets that admit somebody yet, or take one back
    Tickets {
        /// What to do with them.
        #[command(subcommand)]
        deed: Option<Tickets>,
    },
    /// List who asks to be let in without a ticket; with --open, let them ask
    Requests(Requests),
    /// Let in who asked, by the words that its machine shows
    Approve(Approve),
    /// Join the mesh of a ticket, or ask to be let into one; starts the node if need be
    Join(Join),
    /// List who belongs to the mesh and who was put out of it
    Members {
        /// Show it again whenever it changes, until Ctrl-C
        #[arg(short, long)]
        watch: bool,
    },
    /// Put a node out of the mesh for good, everywhere
    Revoke(Revoke),
    /// Leave the mesh
    Leave,
    /// List the members of the mesh
    Nodes {
        /// Show where each is or was, how often that worked, and what was told and not believed
        #[arg(short, long)]
        addresses: bool,
        /// Show it again whenever it changes, until Ctrl-C
        #[arg(short, long)]
        watch: bool,
    },
    /// List the agents that are present on all machines of the mesh
    Agents {
        /// Show it again whenever it changes, until Ctrl-C
        #[arg(short, long)]
        watch: bool,
    },
    /// Ask every address of this machine's private networks for members, where multicast does not get through
    Scan,
    /// List the tools that can be called, or search them
    Tools {
        /// Words to look for
        query: Vec<String>,
        /// Show it again whenever it changes, until Ctrl-C
        #[arg(short, long)]
        watch: bool,
    },
    /// Show this node, its mesh and its servers
    Status {
        /// Show it again whenever it changes, until Ctrl-C
        #[arg(short, long)]
        watch: bool,
    },
    /// Call a tool and print what it answers
    Call(Call),
    /// Send a message to an agent, to those who follow a topic, or to all
    Send(Send),
    /// Show the messages that wait for an agent of this node
    Inbox(Inbox),
    /// Search the messages of an agent of this node
    Messages(Messages),
    /// Take messages out of an inbox for good
    Ack(Ack),
    /// Share work with all agents of the mesh: one task, one holder
    #[command(subcommand)]
    Task(Task),
    /// Have the machines or agents of the mesh decide something
    Propose(Propose),
    /// Vote on a proposal; a vote is final
    Vote(Vote),
    /// List what is proposed and decided, with how the votes stand
    Proposals {
        /// Show it again whenever it changes, until Ctrl-C
        #[arg(short, long)]
        watch: bool,
    },
    /// Show one proposal with its votes, or write the proof of its decision into a file
    Proposal(Proposal),
    /// Check the proof of a decision, without a node or a network
    Verify(Verify),
    /// Print the endpoint that a client on this machine should use
    Endpoint(Looking),
    /// Speak MCP over standard input and output, for clients that know no HTTP
    Mcp(Mcp),
    /// Show how a client's configuration would change to use this node, and apply it with --write
    Connect(Connect),
    /// Take this node out of a client's configuration again
    Disconnect(Connect),
    /// Show which servers of other clients this node could serve, and take them over with --write
    Import(Import),
    /// Manage the tokens of local agents
    #[command(subcommand)]
    Token(Token),
    /// Look for what is wrong, and say how to mend it; exits with 1 when something is
    Doctor,
    /// Look into the log that this node keeps: whether it is whole, what is in it
    #[command(subcommand)]
    Log(Log),
    /// Set up the registry in Firebase that members may also be found by
    #[command(subcommand)]
    Firebase(Firebase),
    /// Give this node another name
    Rename {
        /// 1 to 20 of a-z, 0-9 and -
        name: NodeName,
    },
    /// Write the whole node, its keys too, into one file
    Backup(Backup),
    /// Make this home the node of a backup, or bring the root key back from its words
    Restore(Restore),
    /// Give this node another key, or show the root key as words
    #[command(subcommand)]
    Keys(Keys),
    /// Show how the system would start the node at every login, or set that up
    Install {
        /// Write the file that is shown
        #[arg(long)]
        write: bool,
    },
    /// Remove what `install --write` wrote
    Uninstall,
    /// Print a script that completes commands and flags in a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page, or that of one command
    Man {
        /// Which command
        command: Option<String>,
    },
    /// Show it all on this machine: three nodes, a mesh, a call across, a crash and the return
    Demo,
    /// One exchange with the registry, for the node that starts it
    #[cfg(feature = "firebase")]
    #[command(hide = true, name = COURIER_COMMAND)]
    FirebaseCourier,
    /// The MCP server that the demonstration shares
    #[command(hide = true)]
    SampleServer {
        /// Where it keeps its notes
        folder: PathBuf,
    },
}

#[cfg(test)]
mod tests;
