//! The commands.

mod growth;
mod list;
#[cfg(feature = "mutations")]
mod mutations;
mod replay;
mod run;
mod source;
#[cfg(feature = "swarms")]
mod swarm;

use crate::Verdict;
use crate::arguments::{Arguments, Command};
use crate::failure::Failure;

/// Does what the command line asks for.
pub fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    match &arguments.command {
        Command::Run(asked) => run::run(asked, arguments.json),
        Command::Replay(asked) => replay::replay(asked, arguments.json),
        Command::Growth(asked) => growth::growth(asked, arguments.json),
        #[cfg(feature = "mutations")]
        Command::Mutations(asked) => mutations::mutations(asked, arguments.json),
        Command::List => list::list(arguments.json),
        #[cfg(feature = "swarms")]
        Command::Swarm(asked) => swarm::swarm(asked, arguments.json),
    }
}
