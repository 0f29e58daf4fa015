//! The `peerage` command as a library: the command line, which the binary runs.
//!
//! [`command_line`] reads the arguments, asks the node or runs it, and ends with a code that scripts can rely on.

mod arguments;
mod background;
mod backup;
pub mod client;
mod clients;
mod commands;
mod demo;
mod doctor;
mod failure;
mod log;
mod process;
mod proxy;
mod render;
mod service;
mod socket;
mod terminal;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use peerage_node::config::environment::ProcessEnvironment;

use arguments::{Arguments, Command, USAGE_EXIT, Up, Usage, asks_for_json};
use failure::Failure;
use terminal::{View, note};

/// How long tasks that outlive the command may hold up the exit.
const SHUTDOWN: Duration = Duration::from_millis(200);

/// Does what the arguments of this process say.
pub fn command_line() -> ExitCode {
    let given: Vec<OsString> = std::env::args_os().collect();
    let arguments = match Arguments::read(&given) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error, asks_for_json(&given)),
    };
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
        Command::Up(Up {
            background: false, ..
        }) => tokio::runtime::Builder::new_multi_thread(),
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

/// Programs read a wrong command line as JSON; people read clap's own text, and whoever asked for help gets it.
fn refuse(error: &clap::Error, json: bool) -> ExitCode {
    if !(json && error.use_stderr()) {
        error.exit();
    }
    note(&render::json(&Usage::from(error)).unwrap_or_default());
    ExitCode::from(USAGE_EXIT)
}

/// Programs read the same problem as JSON, on standard error as well: standard output holds answers only.
fn report(failure: &Failure, json: bool) {
    let text = match json {
        true => render::json(&failure.refused).unwrap_or_default(),
        false => render::failure(failure, View::of_stderr(&ProcessEnvironment)),
    };
    note(&text);
}
