//! The `peerage` command: reads the command line, asks the node or runs it, and exits with a code that scripts can
//! rely on.

mod arguments;
mod client;
mod commands;
mod failure;
mod log;
mod render;
mod terminal;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use peerage_node::config::environment::ProcessEnvironment;

use arguments::{Arguments, Command};
use failure::Failure;
use terminal::{View, note};

/// How long tasks that outlive the command may hold up the exit.
const SHUTDOWN: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure, json);
            ExitCode::from(u8::from(failure.refused.exit))
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut builder = match arguments.command {
        Command::Up(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build().map_err(|error| {
        Failure::failed(
            "runtime",
            format!("cannot start: {error}; are there threads and files left?"),
        )
    })?;
    let outcome = runtime.block_on(commands::run(arguments));
    runtime.shutdown_timeout(SHUTDOWN);
    outcome
}

/// Programs read the same problem as JSON, on standard error as well: standard output holds answers only.
fn report(failure: &Failure, json: bool) {
    let text = match json {
        true => render::json(&failure.refused).unwrap_or_default(),
        false => render::failure(failure, View::of_stderr(&ProcessEnvironment)),
    };
    note(&text);
}
