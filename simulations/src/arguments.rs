//! The command line: its commands and flags.

#[cfg(feature = "swarms")]
mod swarm;

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
#[cfg(feature = "swarms")]
pub use swarm::Swarm;

const EXIT_CODES: &str = "Exit codes: 0 every check held, 1 a check failed, 2 wrong use.";

/// The most nodes of one world.
const NODES_MAX: i64 = 10_000;

/// Simulated Peerage meshes: many nodes in one process, one seed, virtual time.
#[derive(Debug, Parser)]
#[command(name = "peerage-simulations", version, after_help = EXIT_CODES)]
pub struct Arguments {
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run seeds of a scenario, or of all; what fails is shrunk to the fewest faults
    Run(Run),
    /// Run one seed or a saved plan again and print its trace
    Replay(Replay),
    /// Run ever larger worlds, and say by which law costs grow
    Growth(GrowthArguments),
    /// Break the rules of the protocol one by one, and show which check notices
    #[cfg(feature = "mutations")]
    Mutations(Mutations),
    /// List the scenarios that come with the program
    List,
    /// Run real nodes in this process over channels that take time, and measure by the wall clock
    #[cfg(feature = "swarms")]
    Swarm(Swarm),
}

/// Run seeds.
#[derive(Debug, Args)]
pub struct Run {
    /// A scenario's name, the path of a TOML file, or `all`
    pub scenario: String,
    /// Nodes of each world [default: the scenario's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=NODES_MAX))]
    pub nodes: Option<u32>,
    /// Seeds from A up to but not including B, or one seed [default: one at random, printed]
    #[arg(long, value_name = "A..B")]
    pub seeds: Option<Seeds>,
    /// Threads [default: one for each processor]
    #[arg(long, value_name = "T")]
    pub threads: Option<NonZeroUsize>,
    /// Write a report with plots, one HTML file without anything beside it
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Run the other seeds of a scenario after one has failed
    #[arg(long)]
    pub keep_going: bool,
    /// Print failures as they are, without looking for the fewest faults
    #[arg(long)]
    pub no_shrink: bool,
    /// Save the first failing plan, shrunk, for `replay`
    #[arg(long, value_name = "FILE.json")]
    pub save: Option<PathBuf>,
}

/// Run one again.
#[derive(Debug, Args)]
pub struct Replay {
    /// A scenario's name, the path of its TOML file, or the path of a saved plan (JSON)
    pub what: String,
    /// Nodes of the world [default: the scenario's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=NODES_MAX))]
    pub nodes: Option<u32>,
    /// The seed; a saved plan has its own
    #[arg(long)]
    pub seed: Option<u64>,
    /// Lines of the trace, counted from its end
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub lines: usize,
    /// The whole trace
    #[arg(long, conflicts_with = "lines")]
    pub trace: bool,
    /// Save the plan
    #[arg(long, value_name = "FILE.json")]
    pub save: Option<PathBuf>,
}

/// Run ever larger worlds.
#[derive(Debug, Args)]
pub struct GrowthArguments {
    /// The scenario that is run
    #[arg(default_value = "growth")]
    pub scenario: String,
    /// The most nodes
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    pub most: u32,
    /// Minutes after which no larger world is begun
    #[arg(long, default_value_t = 10)]
    pub minutes: u64,
    /// The seed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write a report with plots, one HTML file without anything beside it
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
}

/// Break the rules.
#[cfg(feature = "mutations")]
#[derive(Debug, Args)]
pub struct Mutations {
    /// Rules to break, by name; all by default
    #[arg(value_name = "RULE")]
    pub rules: Vec<String>,
    /// The one scenario in which they are broken; all by default
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: Option<String>,
    /// Seconds that each broken rule may go unnoticed
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub seconds: u64,
}

/// Seeds in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| {
            let digits = text.replace('_', "");
            digits
                .parse::<u64>()
                .map_err(|error| format!("{text:?} is no seed: {error}"))
        };
        let range = match text.split_once("..") {
            Some((first, end)) => number(first)?..number(end)?,
            None => {
                let seed = number(text)?;
                let end = seed.checked_add(1);
                seed..end.ok_or("that is the one seed too many")?
            }
        };
        match range.is_empty() {
            true => Err("there is no seed in it; 1..101 are the hundred from 1 to 100".to_owned()),
            false => Ok(Self(range)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn seeds_are_a_range_without_its_end_or_one() {
        assert_eq!("3..7".parse(), Ok(Seeds(3..7)));
        assert_eq!("1_000..2_000".parse(), Ok(Seeds(1_000..2_000)));
        assert_eq!("42".parse(), Ok(Seeds(42..43)));
        for wrong in ["7..7", "9..3", "a..3", "", "-1", "18446744073709551615"] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
    }
}
