//! The `peerage-simulations` command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
#[cfg(feature = "swarms")]
mod swarm_command;

/// Many nodes in one process.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Real nodes over in-process channels, measured by the wall clock.
    #[cfg(feature = "swarms")]
    Swarm(swarm_command::SwarmArguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        #[cfg(feature = "swarms")]
        Command::Swarm(arguments) => swarm_command::run(&arguments),
    }
}
