//! The `peerage-simulations` command: runs worlds, replays what failed, and reports what held.

mod arguments;
mod commands;
mod failure;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;

/// Worlds make and drop small things all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::run(&arguments) {
        Ok(Verdict::Held) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::from(1),
        Err(failure) => {
            output::refuse(&failure, arguments.json);
            ExitCode::from(2)
        }
    }
}

/// What a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Every check held.
    Held,
    /// A check failed.
    Failed,
}

impl Verdict {
    fn of(failed: bool) -> Self {
        if failed { Self::Failed } else { Self::Held }
    }
}
