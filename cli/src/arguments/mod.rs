//! The command line: its commands and flags, every value parsed into the type that means it.

mod duration;
mod pair;
mod up_words;
mod upkeep;
mod usage;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use peerage_node::config::choices::LogLevel;
use peerage_node::config::http_addresses::HttpAddresses;
use peerage_node::config::servers::check_url;
use peerage_node::config::servers_error::ServersProblem;
use peerage_protocol::id::{AgentName, NodeName, ServerName};
use peerage_protocol::limits::TICKET_USES_MAX;

pub use crate::clients::KnownClient;
pub use pair::{ArgumentsObject, Pair, Variable};
pub use upkeep::{Backup, Logs, Restore};
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
    /// Print a ticket with which another machine joins; the first one founds the mesh
    Invite(Invite),
    /// Join the mesh of a ticket
    Join {
        /// The line that `peerage invite` printed
        ticket: String,
    },
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
        /// Show it again whenever it changes, until Ctrl-C
        #[arg(short, long)]
        watch: bool,
    },
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
    /// Print the endpoint that a client on this machine should use
    Endpoint,
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
    /// Give this node another name
    Rename {
        /// 1 to 20 of a-z, 0-9 and -
        name: NodeName,
    },
    /// Write the whole node, its keys too, into one file
    Backup(Backup),
    /// Make this home the node of a backup
    Restore(Restore),
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
    /// The MCP server that the demonstration shares
    #[command(hide = true)]
    SampleServer {
        /// Where it keeps its notes
        folder: PathBuf,
    },
}

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
    #[arg(long, value_enum, default_value_t = Role::Member)]
    pub role: Role,
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
}

impl Role {
    /// As the control API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Member => "member",
            Role::Admin => "admin",
        }
    }
}

/// Call a tool.
#[derive(Debug, Args)]
pub struct Call {
    /// The tool
    pub name: String,
    /// Arguments; a value that is JSON is taken as JSON, any other as text
    #[arg(value_name = "K=V", conflicts_with = "args")]
    pub pairs: Vec<Pair>,
    /// All arguments as one JSON object
    #[arg(long, value_name = "JSON")]
    pub args: Option<ArgumentsObject>,
    /// How long to wait
    #[arg(long, default_value = "60s", value_parser = duration::timeout)]
    pub timeout: Duration,
}

/// Speak MCP over standard input and output.
#[derive(Debug, Args)]
pub struct Mcp {
    /// The agent that calls: 1 to 20 of a-z, 0-9 and - [default: what the client calls itself]
    #[arg(long = "as", value_name = "NAME")]
    pub agent: Option<AgentName>,
    /// Do not start the node when none runs
    #[arg(long)]
    pub no_start: bool,
}

/// Change a client's configuration.
#[derive(Debug, Args)]
pub struct Connect {
    /// The client; without one, all that are known are listed
    #[arg(value_enum)]
    pub client: Option<KnownClient>,
    /// Write the change instead of showing it; the file as it was is kept beside it
    #[arg(long, requires = "client")]
    pub write: bool,
    /// In the configuration of the project in the current folder, not the user's
    #[arg(long)]
    pub project: bool,
    /// The agent that calls: 1 to 20 of a-z, 0-9 and - [default: the client's name]
    #[arg(long = "as", value_name = "NAME")]
    pub agent: Option<AgentName>,
}

/// Take over servers of other clients.
#[derive(Debug, Args)]
pub struct Import {
    /// The client; all that are known, without one
    #[arg(value_enum)]
    pub client: Option<KnownClient>,
    /// Add them to mcp.json instead of showing them
    #[arg(long)]
    pub write: bool,
    /// From the configuration of the project in the current folder, not the user's
    #[arg(long)]
    pub project: bool,
}

/// Manage the tokens of local agents.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token; it is shown once
    Create {
        /// What the agent is called: 1 to 20 of a-z, 0-9 and -
        name: AgentName,
    },
    /// List the agents that have one
    List,
    /// Make a token worthless
    Revoke {
        /// The agent
        name: AgentName,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        let given: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Arguments::read(&given)
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_line_of_the_contract_is_understood() {
        let lines = [
            "peerage up --home h --name n --http auto --listen /ip4/1.2.3.4/tcp/1 --listen x --bootstrap f --no-mdns --log debug",
            "peerage up --http 127.0.0.1:0 --json",
            "peerage serve fs --share --env A=b --env C= -- npx -y server --json",
            "peerage serve web https://example.com/mcp --share",
            "peerage unserve fs",
            "peerage invite --ttl 15m --uses 1 --role member",
            "peerage --json join peerage1abc",
            "peerage leave --home h",
            "peerage members --watch",
            "peerage revoke laptop --keep-issued-before 2d --json",
            "peerage nodes",
            "peerage tools read a file",
            "peerage status --json",
            "peerage nodes --watch",
            "peerage tools -w read",
            "peerage status --watch --json",
            "peerage call desk__fs__read path=/etc/hosts n=3 --timeout 5s",
            "peerage call t --args {\"a\":1}",
            "peerage endpoint --json",
            "peerage mcp",
            "peerage mcp --as claude --no-start",
            "peerage connect",
            "peerage connect claude-desktop --write --project --as me",
            "peerage disconnect vscode --write",
            "peerage import codex --write",
            "peerage token create agent",
            "peerage token list",
            "peerage token revoke agent",
            "peerage doctor --json",
            "peerage rename desk",
            "peerage backup - --home h",
            "peerage restore file --force",
            "peerage install --write",
            "peerage uninstall --json",
            "peerage completions zsh",
            "peerage man up",
            "peerage demo --json",
            "peerage up --background --name n",
            "peerage down",
            "peerage restart --json",
            "peerage logs -f -n 20",
            "peerage sample-server folder",
        ];
        for line in lines {
            assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
        }
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        let lines = [
            "peerage",
            "peerage up --http here",
            "peerage up --name My_Node",
            "peerage serve fs",
            "peerage serve fs http://h/ -- cmd",
            "peerage serve fs http://h/ --env A=b",
            "peerage serve FS -- cmd",
            "peerage serve web ftp://h/",
            "peerage invite --uses 0",
            "peerage invite --ttl soon",
            "peerage call t novalue",
            "peerage call t a=1 --args {}",
            "peerage call t a=1 b=2 a=1",
            "peerage call t --args []",
            "peerage token",
            "peerage connect nobody",
            "peerage connect --write",
            "peerage mcp --as Big_Name",
        ];
        for line in lines {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn an_argument_given_twice_is_named() {
        let error = parse("peerage call t path=/a n=1 path=/b").unwrap_err();
        assert!(error.to_string().contains("'path'"), "{error}");
    }

    #[test]
    fn flags_after_the_dashes_belong_to_the_served_command() {
        let arguments = parse("peerage serve fs -- npx --json --home x").unwrap();
        assert!(!arguments.json);
        let Command::Serve(serve) = arguments.command else {
            panic!("it is a serve command");
        };
        assert_eq!(serve.command, ["npx", "--json", "--home", "x"]);
    }
}
